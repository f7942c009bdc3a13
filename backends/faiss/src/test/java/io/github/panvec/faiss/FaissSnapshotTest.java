package io.github.panvec.faiss;

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
import io.github.panvec.engine.ManagedIndex;
import io.github.panvec.snapshot.FileOperations;
import io.github.panvec.snapshot.SnapshotReader;
import io.github.panvec.snapshot.SnapshotWriter;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Indexes of every type, saved, opened and viewed. */
@Timeout(120)
class FaissSnapshotTest {
  private static final int DIMENSION = 16;

  /** What a search of one list, or of few candidates, finds depends on everything that is saved. */
  private static final int FEW = 1;

  @TempDir private Path folder;

  /** A kind of index: FAISS's type, and whether float32 rows stay beside codes. */
  record Kind(FaissType type, Metric metric, boolean keepVectors) {
    IndexSpec spec(int trainingRows) {
      IndexSpec spec = IndexSpec.of("faiss", DIMENSION, metric).with("type", type);
      spec = spec.with("threads", 1).with("compactAt", 0);
      if (type.trains()) {
        spec = spec.with("trainingRows", trainingRows);
      }
      if (type.hasLists()) {
        spec = spec.with("nlist", 12);
      }
      if (type.isGraph()) {
        spec = spec.with("m", 6).with("efConstruction", 30);
      }
      if (type.isPq()) {
        spec = spec.with("pqBits", 6);
      }
      return type.isLossy() ? spec.with("keepVectors", keepVectors) : spec;
    }

    /** Whether a view ranks by the same bits: its product quantiser has no tables for lists. */
    boolean ranksTheSameAsView() {
      return type != FaissType.IVF_PQ || metric != Metric.L2;
    }
  }

  static Stream<Kind> kinds() {
    return Arrays.stream(FaissType.values())
        .flatMap(
            type ->
                Arrays.stream(Metric.values())
                    .flatMap(
                        metric ->
                            type.isLossy()
                                ? Stream.of(
                                    new Kind(type, metric, true), new Kind(type, metric, false))
                                : Stream.of(new Kind(type, metric, true))));
  }

  static Stream<Kind> kindsThatDropRows() {
    return kinds().filter(kind -> !kind.keepVectors() && kind.metric() == Metric.L2);
  }

  private Path snapshot() {
    return folder.resolve("saved");
  }

  /** Rows around a few centres. */
  private static float[] rows(int count, long seed) {
    Random random = new Random(seed);
    float[] rows = new float[count * DIMENSION];
    for (int i = 0; i < rows.length; i++) {
      int centre = i / DIMENSION % 10;
      rows[i] = (float) (random.nextGaussian() + 3 * Math.sin(centre * 7 + i % DIMENSION));
    }
    return rows;
  }

  /** Few at a time, so that one thread links them, in order. */
  private static void add(VectorIndex index, long firstId, int count) {
    float[] rows = rows(count, firstId);
    for (int first = 0; first < count; first += 20) {
      int end = Math.min(count, first + 20);
      index.addAll(
          LongStream.range(firstId + first, firstId + end).toArray(),
          Arrays.copyOfRange(rows, first * DIMENSION, end * DIMENSION));
    }
  }

  private static void write(VectorIndex index, long firstId) {
    add(index, firstId, 600);
    for (long id = firstId; id < firstId + 600; id += 50) {
      index.upsert(id, rows(1, -id - 1));
      assertThat(index.remove(id + 7)).isTrue();
    }
  }

  /** As a backend gets it: with all parameters. */
  private static IndexSpec complete(IndexSpec spec) {
    try (VectorIndex index = Panvec.create(spec)) {
      return index.spec();
    }
  }

  private static SearchRequest queries(long seed) {
    return SearchRequest.of(rows(30, seed), 10);
  }

  private static List<List<Hit>> hits(VectorIndex index, SearchRequest request) {
    return index.searchAll(request).stream().map(SearchResult::hits).toList();
  }

  private static SearchRequest hasty(Kind kind, SearchRequest request) {
    if (kind.type().hasLists()) {
      return request.nprobe(FEW);
    }
    return kind.type().isGraph() ? request.efSearch(FEW) : request;
  }

  private static void assertSame(
      VectorIndex expected, VectorIndex actual, Kind kind, boolean sameRanks) {
    assertThat(actual.size()).isEqualTo(expected.size());
    assertThat(actual.ids()).isEqualTo(expected.ids());
    SearchRequest queries = queries(99);
    if (kind.keepVectors()) {
      assertThat(hits(actual, queries.exact())).isEqualTo(hits(expected, queries.exact()));
      long[] ids = expected.ids();
      for (int i = 0; i < ids.length; i += 17) {
        assertThat(actual.get(ids[i])).contains(expected.get(ids[i]).orElseThrow());
      }
      assertThat(actual.get(7)).isEmpty();
    }
    IdFilter some = IdFilter.in(1, 2, 3, 100, 400, 401, 402, 403, 404, 590);
    assertThat(hits(actual, queries.filter(some))).isEqualTo(hits(expected, queries.filter(some)));
    if (sameRanks) {
      assertThat(hits(actual, queries)).isEqualTo(hits(expected, queries));
      assertThat(hits(actual, hasty(kind, queries)))
          .isEqualTo(hits(expected, hasty(kind, queries)));
    }
  }

  private static boolean isTrained(VectorIndex index) {
    return !Boolean.FALSE.equals(index.stats().details().get("trained"));
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void everyKindIsSavedOpenedViewedAndWrittenToAgain(Kind kind) {
    for (int trainingRows : new int[] {300, 900}) {
      try (VectorIndex index = Panvec.create(kind.spec(trainingRows))) {
        write(index, 0);
        SnapshotManifest manifest = index.save(snapshot());
        boolean apart = kind.type().trains() && !isTrained(index);
        apart |= kind.type().isLossy() && kind.keepVectors();
        assertThat(manifest.files().stream().map(SnapshotManifest.Entry::name))
            .containsExactlyElementsOf(
                apart
                    ? List.of("graph", "vectors", "ids", "order", "live")
                    : List.of("graph", "ids", "order", "live"));
        try (VectorIndex opened = Panvec.open(snapshot());
            VectorIndex view = Panvec.view(snapshot(), Verify.SIZES)) {
          assertThat(isTrained(opened)).isEqualTo(isTrained(index));
          assertThat(isTrained(view)).isEqualTo(isTrained(index));
          assertSame(index, opened, kind, true);
          assertSame(index, view, kind, kind.ranksTheSameAsView() || !isTrained(index));
          boolean trained = isTrained(index);
          write(index, 1000);
          write(opened, 1000);
          assertThat(isTrained(index)).isTrue();
          assertThat(isTrained(opened)).isTrue();
          // What catches up at once is linked by as many threads as there are.
          assertSame(index, opened, kind, trained || !kind.type().isGraph());
          opened.compact();
          assertThat(opened.stats().dead()).isZero();
          opened.save(snapshot());
          // The generation that the view reads from is still there.
          assertThat(view.contains(1000)).isFalse();
          view.save(folder.resolve("copy" + trainingRows));
        }
        try (VectorIndex again = Panvec.open(snapshot());
            VectorIndex copy = Panvec.open(folder.resolve("copy" + trainingRows))) {
          assertThat(again.ids()).isEqualTo(index.ids());
          assertThat(copy.size()).isEqualTo(600 - 12);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(FaissType.class)
  void anEmptyIndexIsSavedToo(FaissType type) {
    Kind kind = new Kind(type, Metric.COSINE, !type.isLossy());
    try (VectorIndex index = Panvec.create(kind.spec(300))) {
      index.save(snapshot());
    }
    try (VectorIndex view = Panvec.view(snapshot());
        VectorIndex opened = Panvec.open(snapshot())) {
      assertThat(view.search(rows(1, 1), 3).count()).isZero();
      write(opened, 0);
      assertThat(opened.size()).isEqualTo(588);
      assertThat(opened.search(rows(1, 1), 3).count()).isEqualTo(3);
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  void aViewHoldsFewBytesForEachRow(Kind kind) {
    int count = 20_000;
    try (VectorIndex index = Panvec.create(kind.spec(300).with("threads", 2))) {
      index.addAll(LongStream.range(0, count).toArray(), rows(count, 5));
      index.removeAll(LongStream.range(0, count).filter(id -> id % 9 == 0).toArray());
      index.save(snapshot());
    }
    try (VectorIndex view = Panvec.view(snapshot(), Verify.SIZES)) {
      assertThat(view.stats().nativeBytes()).isLessThan(24L * count);
      assertThat(view.search(rows(1, 5), 5).count()).isEqualTo(5);
    }
  }

  /**
   * Its rows are dropped between the first file and the second: what is saved is the index as it
   * was before its training.
   */
  @ParameterizedTest
  @MethodSource("kindsThatDropRows")
  void anIndexThatIsTrainedWhileItIsSavedIsSavedAsItWas(Kind kind) {
    try (ManagedIndex index = (ManagedIndex) new FaissBackend().create(complete(kind.spec(900)))) {
      write(index, 0);
      // Not trained yet, it scans its rows.
      SearchRequest queries = queries(3);
      List<List<Hit>> before = hits(index, queries);
      AtomicInteger operations = new AtomicInteger();
      index.save(
          new SnapshotWriter(
              snapshot(),
              disk(
                  () -> {
                    if (operations.getAndIncrement() == 0) {
                      write(index, 1000);
                    }
                  })));
      assertThat(operations.get()).isGreaterThan(5);
      assertThat(isTrained(index)).isTrue();
      assertThatThrownBy(() -> index.get(1)).isInstanceOf(UnsupportedOperationException.class);
      try (VectorIndex opened = Panvec.open(snapshot());
          VectorIndex view = Panvec.view(snapshot())) {
        assertThat(isTrained(opened)).isFalse();
        assertThat(hits(opened, queries)).isEqualTo(before);
        assertThat(hits(view, queries)).isEqualTo(before);
      }
    }
  }

  /** The disk, with something done first whenever a file is written to. */
  private static FileOperations disk(Runnable first) {
    return (FileOperations)
        Proxy.newProxyInstance(
            FaissSnapshotTest.class.getClassLoader(),
            new Class<?>[] {FileOperations.class},
            (proxy, method, arguments) -> {
              first.run();
              try {
                return method.invoke(FileOperations.disk(), arguments);
              } catch (InvocationTargetException failed) {
                throw failed.getCause();
              }
            });
  }

  @ParameterizedTest
  @EnumSource(FaissType.class)
  void filesOfAnotherKindAreRefusedByName(FaissType type) {
    Kind kind = new Kind(type, Metric.L2, true);
    try (VectorIndex index = Panvec.create(kind.spec(300))) {
      write(index, 0);
      index.save(snapshot());
    }
    FaissType other = type == FaissType.FLAT ? FaissType.HNSW : FaissType.FLAT;
    FaissBackend backend = new FaissBackend();
    for (IndexSpec spec :
        List.of(
            new Kind(other, Metric.L2, true).spec(300),
            new Kind(type, Metric.DOT, true).spec(300))) {
      try (SnapshotReader reader =
          SnapshotReader.open(SnapshotSource.of(snapshot()), Verify.FULL)) {
        assertThatThrownBy(() -> backend.open(complete(spec), reader))
            .isInstanceOf(CorruptIndexException.class)
            .hasMessageContaining("1/graph");
      }
    }
  }
}
