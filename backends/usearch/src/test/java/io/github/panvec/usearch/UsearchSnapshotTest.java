package io.github.panvec.usearch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.VectorIndex;
import io.github.panvec.Verify;
import io.github.panvec.snapshot.SnapshotReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Indexes of every quantization, saved, opened and viewed. */
@Timeout(120)
class UsearchSnapshotTest {
  private static final int DIMENSION = 19;

  @TempDir private Path folder;

  /** A kind of index: what the graph is walked on, and whether float32 rows stay beside codes. */
  record Kind(String quantization, Metric metric, boolean keepVectors) {
    IndexSpec spec() {
      IndexSpec spec =
          IndexSpec.of("usearch", DIMENSION, metric).with("quantization", quantization);
      spec = spec.with("m", 6).with("efConstruction", 30).with("threads", 2).with("compactAt", 0);
      return isLossy() ? spec.with("keepVectors", keepVectors) : spec;
    }

    boolean isLossy() {
      return !quantization.equals("f32");
    }

    boolean hasVectorsBeside() {
      return isLossy() && keepVectors;
    }
  }

  static Stream<Kind> kinds() {
    Stream.Builder<Kind> kinds = Stream.builder();
    for (Metric metric : Metric.values()) {
      kinds.add(new Kind("f32", metric, true));
      for (String quantization : List.of("f16", "bf16", "i8")) {
        if (metric == Metric.COSINE || !quantization.equals("i8")) {
          kinds.add(new Kind(quantization, metric, true));
          kinds.add(new Kind(quantization, metric, false));
        }
      }
    }
    return kinds.build();
  }

  private Path snapshot() {
    return folder.resolve("saved");
  }

  private static float[] rows(int count, long seed) {
    Random random = new Random(seed);
    float[] rows = new float[count * DIMENSION];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = (float) random.nextGaussian();
    }
    return rows;
  }

  /** Rows of which some are replaced and some removed. */
  private static void write(VectorIndex index, long firstId) {
    int count = 700;
    index.addAll(LongStream.range(firstId, firstId + count).toArray(), rows(count, firstId));
    for (long id = firstId; id < firstId + count; id += 50) {
      index.upsert(id, rows(1, -id - 1));
      assertThat(index.remove(id + 7)).isTrue();
    }
  }

  private static List<List<Hit>> hits(VectorIndex index, SearchRequest request) {
    return index.searchAll(request).stream().map(SearchResult::hits).toList();
  }

  private static void assertHoldsTheSame(VectorIndex expected, VectorIndex actual, Kind kind) {
    assertThat(actual.size()).isEqualTo(expected.size());
    assertThat(actual.stats().dead()).isEqualTo(expected.stats().dead());
    assertThat(actual.ids()).isEqualTo(expected.ids());
    assertThat(actual.contains(7)).isFalse();
    SearchRequest queries = SearchRequest.of(rows(30, 99), 10);
    IdFilter some = IdFilter.in(1, 2, 3, 100, 400, 401, 402, 403, 404, 590);
    assertThat(hits(actual, queries.filter(some))).isEqualTo(hits(expected, queries.filter(some)));
    if (kind.keepVectors()) {
      assertThat(hits(actual, queries.exact())).isEqualTo(hits(expected, queries.exact()));
      long[] ids = expected.ids();
      for (int i = 0; i < ids.length; i += 17) {
        assertThat(actual.get(ids[i])).contains(expected.get(ids[i]).orElseThrow());
      }
    }
  }

  /** But for what was asked of it, and what is there for rows to come. */
  private static Map<String, Object> details(VectorIndex index) {
    Map<String, Object> details = new HashMap<>(index.stats().details());
    details.keySet().retainAll(List.of("maxLevel", "slots", "codeBytes", "codeKernel"));
    assertThat(details).hasSize(4);
    return details;
  }

  /** By the graph, too: a list of one candidate depends on every link. */
  private static void assertSame(VectorIndex expected, VectorIndex actual, Kind kind) {
    assertHoldsTheSame(expected, actual, kind);
    IdFilter half = IdFilter.range(0, 350);
    for (int efSearch : new int[] {1, 64, 1000}) {
      SearchRequest queries = SearchRequest.of(rows(30, efSearch), 5).efSearch(efSearch);
      assertThat(hits(actual, queries)).isEqualTo(hits(expected, queries));
      assertThat(hits(actual, queries.filter(half)))
          .isEqualTo(hits(expected, queries.filter(half)));
    }
    assertThat(details(actual)).isEqualTo(details(expected));
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void everyKindIsSavedOpenedViewedAndWrittenToAgain(Kind kind) {
    try (VectorIndex index = Panvec.create(kind.spec())) {
      write(index, 0);
      SnapshotManifest manifest = index.save(snapshot());
      assertThat(manifest.backendVersion()).isEqualTo(UsearchBackend.UPSTREAM_VERSION);
      assertThat(manifest.files().stream().map(SnapshotManifest.Entry::name))
          .containsExactlyElementsOf(
              kind.hasVectorsBeside()
                  ? List.of("graph", "vectors", "ids", "order", "live")
                  : List.of("graph", "ids", "order", "live"));
      try (VectorIndex opened = Panvec.open(snapshot());
          VectorIndex view = Panvec.view(snapshot(), Verify.SIZES)) {
        assertSame(index, opened, kind);
        assertSame(index, view, kind);
        view.save(folder.resolve("copy"));
        write(index, 1000);
        write(opened, 1000);
        assertHoldsTheSame(index, opened, kind);
        index.compact();
        opened.compact();
        assertHoldsTheSame(index, opened, kind);
        assertThat(opened.stats().dead()).isZero();
        opened.save(snapshot());
        // The generation that the view reads from is still there.
        assertThat(view.contains(1000)).isFalse();
        assertThat(view.search(rows(1, 3), 5).count()).isEqualTo(5);
        try (VectorIndex again = Panvec.open(snapshot());
            VectorIndex copy = Panvec.open(folder.resolve("copy"))) {
          assertSame(opened, again, kind);
          assertSame(view, copy, kind);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void anEmptyIndexIsSavedToo(Kind kind) {
    try (VectorIndex index = Panvec.create(kind.spec())) {
      index.save(snapshot());
    }
    try (VectorIndex view = Panvec.view(snapshot());
        VectorIndex opened = Panvec.open(snapshot())) {
      assertThat(view.search(rows(1, 1), 3).count()).isZero();
      write(opened, 0);
      assertThat(opened.search(rows(1, 1), 3).count()).isEqualTo(3);
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void aViewHoldsFewBytesForEachRow(Kind kind) {
    int count = 20_000;
    try (VectorIndex index = Panvec.create(kind.spec())) {
      index.addAll(LongStream.range(0, count).toArray(), rows(count, 5));
      index.removeAll(LongStream.range(0, count).filter(id -> id % 9 == 0).toArray());
      index.save(snapshot());
    }
    try (VectorIndex view = Panvec.view(snapshot(), Verify.SIZES)) {
      assertThat(view.stats().nativeBytes()).isLessThan(24L * count);
      assertThat(view.search(rows(1, 5), 5).count()).isEqualTo(5);
    }
  }

  @Test
  void aSnapshotOfAnotherKindIsRefusedByName() {
    Kind saved = new Kind("f16", Metric.L2, true);
    try (VectorIndex index = Panvec.create(saved.spec())) {
      write(index, 0);
      index.save(snapshot());
    }
    UsearchBackend backend = new UsearchBackend();
    for (IndexSpec spec :
        List.of(
            complete(new Kind("bf16", Metric.L2, true).spec()),
            complete(new Kind("f32", Metric.L2, true).spec()),
            complete(new Kind("f16", Metric.DOT, true).spec()),
            complete(new Kind("f16", Metric.L2, false).spec()),
            complete(saved.spec().with("m", 7)))) {
      try (SnapshotReader reader =
          SnapshotReader.open(SnapshotSource.of(snapshot()), Verify.FULL)) {
        assertThatThrownBy(() -> backend.open(spec, reader))
            .isInstanceOf(CorruptIndexException.class)
            .hasMessageContaining("1/graph");
      }
    }
  }

  /** With its defaults. */
  private static IndexSpec complete(IndexSpec spec) {
    try (VectorIndex index = Panvec.create(spec)) {
      return index.spec();
    }
  }

  /** Bits that nobody has looked at lead to wrong answers, or to an exception, and nowhere else. */
  @ParameterizedTest
  @MethodSource("kinds")
  void aDamagedViewNeverLeadsElsewhere(Kind kind) {
    long seed = System.nanoTime();
    Random random = new Random(seed);
    try (VectorIndex index = Panvec.create(kind.spec())) {
      write(index, 0);
      index.save(snapshot());
    }
    int viewed = 0;
    for (int i = 0; i < 200; i++) {
      Map<String, MemorySegment> files = inMemory();
      MemorySegment graph = files.get("1/graph");
      int flips = 1 + random.nextInt(20);
      for (int flip = 0; flip < flips; flip++) {
        long at = random.nextLong(graph.byteSize());
        byte value = graph.get(ValueLayout.JAVA_BYTE, at);
        graph.set(ValueLayout.JAVA_BYTE, at, (byte) (value ^ 1 << random.nextInt(8)));
      }
      try (VectorIndex view = Panvec.view(SnapshotSource.of(files), Verify.SIZES)) {
        view.search(rows(1, i), 10);
        view.search(SearchRequest.of(rows(1, i), 10).efSearch(2000));
        viewed++;
      } catch (CorruptIndexException refused) {
        assertThat(refused).as("seed %d", seed).hasMessageContaining("1/graph");
      }
    }
    assertThat(viewed).as("seed %d", seed).isGreaterThan(100);
  }

  private Map<String, MemorySegment> inMemory() {
    Map<String, MemorySegment> files = new HashMap<>();
    try (Stream<Path> paths = Files.walk(snapshot())) {
      for (Path path : (Iterable<Path>) paths.filter(Files::isRegularFile)::iterator) {
        String name = snapshot().relativize(path).toString().replace('\\', '/');
        files.put(name, MemorySegment.ofArray(Files.readAllBytes(path)));
      }
      return files;
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }
}
