package io.github.panvec.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Capabilities;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.IndexStats;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.RangeResult;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchPath;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.nio.file.CopyOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import jdk.jfr.Recording;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ObservedIndexTest {
  private static final IndexSpec SPEC = IndexSpec.of("scan", 1, Metric.L2).with("m", 16L);
  private static final Watch NOTHING = new Watch(null, null);

  private final ClassLoader loader = Thread.currentThread().getContextClassLoader();
  @TempDir private Path folder;

  @AfterEach
  void restore() {
    Thread.currentThread().setContextClassLoader(loader);
  }

  private static VectorIndex over(@Nullable VectorIndex index, Watch watch) {
    ScanBackend.made = spec -> index;
    try {
      return ObservedIndex.create(new ScanBackend(), SPEC, watch);
    } finally {
      ScanBackend.made = ScanBackend.Index::new;
    }
  }

  private static final SearchResult HITS =
      new SearchResult(new long[] {7}, new float[] {1}, SearchPath.WALK);

  private static final SnapshotManifest MANIFEST =
      new SnapshotManifest(1, "scan", "1", Metric.L2, 1, Map.of(), 0, 0, Map.of(), 1, List.of());

  /** Something to return and to pass for each type in a signature. */
  private static final Map<Class<?>, Object> SAMPLES =
      Map.ofEntries(
          Map.entry(long.class, 5L),
          Map.entry(int.class, 3),
          Map.entry(float.class, 2f),
          Map.entry(boolean.class, true),
          Map.entry(long[].class, new long[] {1, 2}),
          Map.entry(float[].class, new float[] {1, 2}),
          Map.entry(MemorySegment.class, MemorySegment.ofArray(new long[2])),
          Map.entry(WriteOptions.class, WriteOptions.defaults()),
          Map.entry(SearchRequest.class, SearchRequest.of(new float[1], 4)),
          Map.entry(SearchBuffer.class, SearchBuffer.allocate(1, 4)),
          Map.entry(SearchResult.class, HITS),
          Map.entry(RangeResult.class, new RangeResult(HITS, false, false)),
          Map.entry(List.class, List.of(HITS)),
          Map.entry(Optional.class, Optional.empty()),
          Map.entry(IdFilter.class, IdFilter.in(4)),
          Map.entry(IndexSpec.class, SPEC),
          Map.entry(Capabilities.class, ScanBackend.CAPABILITIES),
          Map.entry(Path.class, Path.of("somewhere")),
          Map.entry(CopyOption[].class, new CopyOption[] {StandardCopyOption.REPLACE_EXISTING}),
          Map.entry(SnapshotManifest.class, MANIFEST),
          Map.entry(IndexStats.class, new IndexStats(1, 2, 3, 4, Map.of())));

  @ParameterizedTest
  @ValueSource(strings = {"nothing", "flight", "events", "leaks"})
  void everyCallReachesTheBackendsMethodOfTheSameSignature(String watching) throws Exception {
    List<Method> called = new ArrayList<>();
    List<List<Object>> passed = new ArrayList<>();
    VectorIndex target =
        (VectorIndex)
            Proxy.newProxyInstance(
                loader,
                new Class<?>[] {VectorIndex.class},
                (proxy, method, arguments) -> {
                  if (method.getDeclaringClass() == VectorIndex.class) {
                    called.add(method);
                    passed.add(arguments == null ? List.of() : Arrays.asList(arguments));
                  }
                  return method.getReturnType() == void.class
                      ? null
                      : SAMPLES.get(method.getReturnType());
                });
    Watch watch =
        switch (watching) {
          case "flight" -> new Watch(FlightRecorder.open(folder.resolve("flight")), null);
          case "leaks" -> new Watch(null, new LeakReporter(System.getLogger("test")));
          default -> NOTHING;
        };
    try (Recording recording = new Recording()) {
      if (watching.equals("events")) {
        for (String name : List.of("Add", "Search", "Train", "Compact", "Save")) {
          recording.enable("io.github.panvec." + name);
        }
        recording.start();
      }
      VectorIndex observed = over(target, watch);
      for (Method method : VectorIndex.class.getMethods()) {
        if (Modifier.isStatic(method.getModifiers())) {
          continue;
        }
        Object[] arguments = Arrays.stream(method.getParameterTypes()).map(SAMPLES::get).toArray();
        assertThat(arguments).as("samples for %s", method).doesNotContainNull();
        called.clear();
        passed.clear();

        Object result = method.invoke(observed, arguments);

        assertThat(called.get(called.size() - 1).getName())
            .isEqualTo(method.getName().equals("stats") ? "spec" : method.getName());
        int at = called.indexOf(method);
        assertThat(at).as("%s was called as itself, in %s", method, called).isNotNegative();
        assertThat(passed.get(at)).containsExactly(arguments);
        if (!method.getName().equals("stats") && method.getReturnType() != void.class) {
          assertThat(result).isSameAs(SAMPLES.get(method.getReturnType()));
        }
      }
    }
  }

  @Test
  void exceptionsOfABackendPassThroughAsTheyAre() throws IOException {
    for (Watch watch :
        List.of(NOTHING, new Watch(FlightRecorder.open(folder.resolve("flight")), null))) {
      VectorIndex observed = over(new ScanBackend.Index(SPEC), watch);
      assertThatThrownBy(() -> observed.search((SearchRequest) null))
          .isInstanceOf(NullPointerException.class);
      assertThatThrownBy(() -> observed.search(null, null))
          .isInstanceOf(NullPointerException.class);
      assertThatThrownBy(() -> observed.searchAll(null)).isInstanceOf(NullPointerException.class);
      assertThatThrownBy(() -> observed.addAll((long[]) null, null))
          .isInstanceOf(NullPointerException.class);
      observed.close();
      observed.close();
      assertThatThrownBy(observed::size)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("closed");
      assertThatThrownBy(observed::compact).hasMessage("closed");
    }
  }

  @Test
  void aBackendThatCreatesNullIsNamed() {
    assertThatThrownBy(() -> over(null, NOTHING))
        .isInstanceOf(NullPointerException.class)
        .hasMessage("the backend scan returned null");
  }

  @Test
  void textAndEqualityAreThoseOfTheBackendsIndex() {
    VectorIndex index = new ScanBackend.Index(SPEC);
    VectorIndex observed = over(index, NOTHING);

    assertThat(observed).hasToString("the scan index").hasSameHashCodeAs(index);
    assertThat(observed).isEqualTo(over(index, NOTHING));
    assertThat(observed).isNotEqualTo(over(new ScanBackend.Index(SPEC), NOTHING));
  }

  @Test
  void statsTellParametersVersionAndSimdLevel() {
    Backends.onlyScan();
    try (VectorIndex index = Panvec.create(IndexSpec.of("scan", 1, Metric.L2).with("m", 20))) {
      index.add(1, new float[] {2});
      assertThat(index.stats())
          .isEqualTo(
              new IndexStats(1, 1, 2, 3, Map.of("rows", 1), Map.of("m", 20L), "1.0.1", "avx2"));
    }
  }

  @Test
  void statsThatABackendTellsItselfStand() {
    IndexStats own = new IndexStats(1, 2, 3, 4, Map.of(), Map.of("nlist", 9), "2.0", "neon");
    VectorIndex index =
        (VectorIndex)
            Proxy.newProxyInstance(
                loader, new Class<?>[] {VectorIndex.class}, (proxy, method, arguments) -> own);
    assertThat(over(index, NOTHING).stats()).isEqualTo(own);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aSearchIntoABufferLeavesNoGarbage(boolean noted) throws IOException {
    Watch watch = noted ? new Watch(FlightRecorder.open(folder.resolve("flight")), null) : NOTHING;
    VectorIndex observed = over(new ScanBackend.Index(SPEC), watch);
    SearchBuffer buffer = SearchBuffer.allocate(1, 10);
    SearchRequest request = SearchRequest.of(buffer.query(), 10);
    com.sun.management.ThreadMXBean threads =
        (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    for (int i = 0; i < 10; i++) {
      observed.search(request, buffer);
    }
    // Few enough that nothing is compiled: a compiler that removes allocations would hide them.
    // What
    // the JVM makes once, for example when it links a call, is in one round and not in the others.
    int searches = 50;
    long least = Long.MAX_VALUE;
    for (int round = 0; round < 4; round++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < searches; i++) {
        observed.search(request, buffer);
      }
      least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
    }
    assertThat(least / searches).as("bytes per search").isZero();
  }
}
