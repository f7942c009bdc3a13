package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.DuplicateIdException;
import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What every backend promises. Extend it with the name of a backend on the class path, once for
 * each of its kinds of index that are to keep the promise.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class VectorIndexContract {
  private static final int[] DIMENSIONS = {
    1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 100, 127, 128, 384, 768, 1023, 1536, 3072, 4097, 8192
  };

  /** For subclasses. */
  protected VectorIndexContract() {}

  /** The backend under test, by name. */
  protected abstract String backend();

  /** Sets the parameters under test. */
  protected IndexSpec configure(IndexSpec defaults) {
    return defaults;
  }

  private IndexSpec spec(int dimension, Metric metric) {
    return configure(IndexSpec.of(backend(), dimension, metric));
  }

  private VectorIndex create(int dimension, Metric metric) {
    assumeTrue(takes(metric), () -> spec(dimension, metric) + ": the metric is not taken");
    return Panvec.create(spec(dimension, metric));
  }

  private boolean takes(Metric metric) {
    if (!Panvec.backend(backend()).capabilities().metrics().contains(metric)) {
      return false;
    }
    try {
      return Panvec.capabilities(spec(2, metric)).metrics().contains(metric);
    } catch (IllegalArgumentException notWithTheseParameters) {
      return false;
    }
  }

  /** The metrics that an index with these parameters takes. */
  protected Stream<Metric> metrics() {
    return Stream.of(Metric.values()).filter(this::takes);
  }

  /** For what holds for every metric. */
  private Metric any(Metric preferred) {
    return takes(preferred) ? preferred : metrics().findFirst().orElseThrow();
  }

  // ---- distances

  Stream<Arguments> metricsAndDimensions() {
    List<Arguments> all = new ArrayList<>();
    for (Metric metric : metrics().toList()) {
      for (int dimension : DIMENSIONS) {
        all.add(Arguments.of(metric, dimension));
      }
    }
    return all.stream();
  }

  @ParameterizedTest
  @MethodSource("metricsAndDimensions")
  void exactSearchEqualsTheReferenceBitForBit(Metric metric, int dimension) {
    Rows rows = Rows.gaussian(metric, dimension, 80);
    try (VectorIndex index = create(dimension, metric)) {
      rows.addTo(index);
      for (int q = 0; q < 4; q++) {
        float[] query = TestVectors.gaussian(rows.random, dimension);
        List<Hit> expected = Reference.nearest(metric, rows.byId, query, 10, id -> true);
        assertThat(index.search(SearchRequest.of(query, 10).exact()).hits()).isEqualTo(expected);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("metricsAndDimensions")
  void storedVectorsAreReturnedBitForBit(Metric metric, int dimension) {
    Rows rows = Rows.gaussian(metric, dimension, 5);
    try (VectorIndex index = create(dimension, metric)) {
      rows.addTo(index);
      rows.byId.forEach(
          (id, row) ->
              assertThat(index.get(id))
                  .hasValueSatisfying(
                      stored -> assertThat(stored).containsExactly(Reference.stored(metric, row))));
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  void reportedDistancesOfAPlainSearchAreTheReferences(Metric metric) {
    Rows rows = Rows.gaussian(metric, 24, 3000);
    try (VectorIndex index = create(24, metric)) {
      rows.addTo(index);
      for (int q = 0; q < 20; q++) {
        float[] query = TestVectors.gaussian(rows.random, 24);
        float[] storedQuery = Reference.stored(metric, query);
        SearchResult result = index.search(query, 25);
        assertThat(result.count()).isEqualTo(25);
        Hit previous = null;
        for (Hit hit : result.hits()) {
          float[] row = Reference.stored(metric, rows.byId.get(hit.id()));
          assertThat(hit.distance()).isEqualTo(Reference.distance(metric, storedQuery, row));
          if (previous != null) {
            assertThat(
                    previous.distance() < hit.distance()
                        || previous.distance() == hit.distance() && previous.id() < hit.id())
                .isTrue();
          }
          previous = hit;
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  void extremeNormsKeepTheirBits(Metric metric) {
    float[] factors = {1e-4f, 1e-2f, 1, 1e2f, 1e4f};
    RandomGenerator random = TestVectors.random();
    Map<Long, float[]> byId = new TreeMap<>();
    for (long id = 0; id < 300; id++) {
      byId.put(
          id,
          TestVectors.scaled(
              TestVectors.gaussian(random, 33), factors[(int) (id % factors.length)]));
    }
    byId.get(7L)[3] = -0.0f;
    byId.get(8L)[4] = Float.MIN_VALUE;
    byId.put(300L, denormals(33));
    try (VectorIndex index = create(33, metric)) {
      byId.forEach(index::add);
      for (float factor : factors) {
        float[] query = TestVectors.scaled(TestVectors.gaussian(random, 33), factor);
        assertThat(index.search(SearchRequest.of(query, 40).exact()).hits())
            .isEqualTo(Reference.nearest(metric, byId, query, 40, id -> true));
      }
    }
  }

  @Test
  void anInnerProductTooSmallForAFloatIsPositiveZero() {
    try (VectorIndex index = create(2, Metric.DOT)) {
      index.add(9, new float[] {0, 0});
      index.add(5, new float[] {1e-30f, 0});
      index.add(7, new float[] {-1e-30f, 0});
      SearchResult result = index.search(SearchRequest.of(new float[] {1e-30f, 0}, 3).exact());
      assertThat(result.ids()).containsExactly(5, 7, 9);
      for (float distance : result.distances()) {
        assertThat(Float.floatToRawIntBits(distance)).isZero();
      }
    }
  }

  private static float[] denormals(int dimension) {
    float[] vector = new float[dimension];
    for (int i = 0; i < dimension; i++) {
      vector[i] = Float.MIN_VALUE * (1 + i);
    }
    return vector;
  }

  @ParameterizedTest
  @MethodSource("metrics")
  void equalDistancesComeInOrderOfIds(Metric metric) {
    long[] ids = {5, -3, Long.MAX_VALUE, 0, Long.MIN_VALUE, -1, 77, 12};
    float[] vector = {1, 2, 3};
    try (VectorIndex index = create(3, metric)) {
      for (long id : ids) {
        index.add(id, vector);
      }
      long[] sorted = LongStream.of(ids).sorted().toArray();
      assertThat(index.search(vector, 8).ids()).containsExactly(sorted);
      assertThat(index.search(SearchRequest.of(vector, 3).exact()).ids())
          .containsExactly(sorted[0], sorted[1], sorted[2]);
    }
  }

  @Test
  void theBestOfManyTiesAreTheSmallestIds() {
    try (VectorIndex index = create(4, any(Metric.L2))) {
      int count = 2000;
      long[] ids = new long[count];
      float[] vectors = ones(count * 4);
      for (int i = 0; i < count; i++) {
        ids[i] = (i * 7919L) % count;
      }
      index.addAll(ids, vectors);
      assertThat(index.search(SearchRequest.of(ones(4), 5).exact()).ids())
          .containsExactly(0, 1, 2, 3, 4);
    }
  }

  // ---- ids, duplicates, upsert, remove

  @Test
  void anyLongIsAnId() {
    long[] ids = {-1, 0, 1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 40, -(1L << 40)};
    try (VectorIndex index = create(2, any(Metric.L2))) {
      for (int i = 0; i < ids.length; i++) {
        index.add(ids[i], new float[] {1, i});
      }
      for (int i = 0; i < ids.length; i++) {
        assertThat(index.contains(ids[i])).isTrue();
        assertThat(index.search(new float[] {1, i}, 1).ids()).containsExactly(ids[i]);
        assertThat(index.remove(ids[i])).isTrue();
        assertThat(index.contains(ids[i])).isFalse();
      }
      assertThat(index.size()).isZero();
    }
  }

  @Test
  void aLiveIdIsRefusedAndNothingOfItsBatchIsAdded() {
    try (VectorIndex index = create(2, any(Metric.L2))) {
      index.add(7, new float[] {1, 1});
      assertThatThrownBy(() -> index.add(7, new float[] {2, 2}))
          .isInstanceOfSatisfying(
              DuplicateIdException.class,
              duplicate -> {
                assertThat(duplicate.id()).isEqualTo(7);
                assertThat(duplicate.row()).isZero();
              });
      assertThatThrownBy(() -> index.addAll(new long[] {1, 2, 7, 3}, ones(8)))
          .isInstanceOfSatisfying(
              DuplicateIdException.class, duplicate -> assertThat(duplicate.row()).isEqualTo(2))
          .hasMessageContaining("row 2")
          .hasMessageContaining("id 7");
      assertThatThrownBy(() -> index.addAll(new long[] {9, 4, 9}, ones(6)))
          .isInstanceOfSatisfying(
              DuplicateIdException.class, duplicate -> assertThat(duplicate.row()).isEqualTo(2));
      assertThat(index.size()).isEqualTo(1);
      assertThat(index.contains(1)).isFalse();
      float[] kept = Reference.stored(index.spec().metric(), new float[] {1, 1});
      assertThat(index.get(7)).hasValueSatisfying(row -> assertThat(row).containsExactly(kept));
      index.addAll(new long[] {1, 2, 3}, new float[] {0, 1, 0, 2, 0, 3});
      assertThat(index.size()).isEqualTo(4);
    }
  }

  @Test
  void upsertReplacesAndAdds() {
    try (VectorIndex index = create(2, any(Metric.L2))) {
      index.upsert(1, new float[] {1, 0});
      index.upsert(1, new float[] {0, 5});
      assertThat(index.size()).isEqualTo(1);
      float[] replacement = Reference.stored(index.spec().metric(), new float[] {0, 5});
      assertThat(index.get(1))
          .hasValueSatisfying(row -> assertThat(row).containsExactly(replacement));
      assertThat(index.search(new float[] {0, 5}, 10).ids()).containsExactly(1);
    }
  }

  @Test
  void aRemovedIdIsNotFoundAndCanBeAddedAgain() {
    try (VectorIndex index = create(2, any(Metric.L2))) {
      index.addAll(new long[] {1, 2}, new float[] {1, 0, 1, 2});
      assertThat(index.remove(1)).isTrue();
      assertThat(index.remove(1)).isFalse();
      assertThat(index.remove(99)).isFalse();
      assertThat(index.size()).isEqualTo(1);
      assertThat(index.get(1)).isEmpty();
      assertThat(index.search(new float[] {1, 0}, 10).ids()).containsExactly(2);
      index.add(1, new float[] {3, 0});
      assertThat(index.search(new float[] {3, 0}, 10).ids()).containsExactly(1, 2);
    }
  }

  @Test
  void everythingCanBeRemovedAndAddedAgain() {
    Metric metric = any(Metric.L2);
    Rows rows = Rows.gaussian(metric, 8, 500);
    try (VectorIndex index = create(8, metric)) {
      for (int round = 0; round < 3; round++) {
        rows.addTo(index);
        assertThat(index.size()).isEqualTo(500);
        float[] query = TestVectors.gaussian(rows.random, 8);
        assertThat(index.search(SearchRequest.of(query, 7).exact()).hits())
            .isEqualTo(Reference.nearest(metric, rows.byId, query, 7, id -> true));
        rows.byId.keySet().forEach(id -> assertThat(index.remove(id)).isTrue());
        assertThat(index.size()).isZero();
        assertThat(index.search(query, 5).count()).isZero();
      }
    }
  }

  // ---- k

  @Test
  void fewerThanKHitsComeOnlyWhenFewerAreLive() {
    Rows rows = Rows.gaussian(Metric.COSINE, 16, 60);
    try (VectorIndex index = create(16, Metric.COSINE)) {
      rows.addTo(index);
      float[] query = TestVectors.gaussian(rows.random, 16);
      assertThat(index.search(query, 59).count()).isEqualTo(59);
      assertThat(index.search(query, 61).count()).isEqualTo(60);
      assertThat(index.search(query, Integer.MAX_VALUE).count()).isEqualTo(60);
      assertThat(index.search(query, Integer.MAX_VALUE).hits())
          .isEqualTo(Reference.nearest(Metric.COSINE, rows.byId, query, 60, id -> true));
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  void kMayExceedFourThousandNinetySix(Metric metric) {
    Rows rows = Rows.gaussian(metric, 4, 5000);
    try (VectorIndex index = create(4, metric)) {
      rows.addTo(index);
      float[] query = TestVectors.gaussian(rows.random, 4);
      assertThat(index.search(SearchRequest.of(query, 4500).exact()).hits())
          .isEqualTo(Reference.nearest(metric, rows.byId, query, 4500, id -> true));
      assertThat(index.search(query, 4500).count()).isEqualTo(4500);
    }
  }

  @Test
  void kBelowOneIsRefused() {
    try (VectorIndex index = create(2, any(Metric.L2))) {
      assertThatThrownBy(() -> index.search(new float[2], 0))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("k must be at least 1, not 0");
      assertThatThrownBy(() -> index.search(new float[2], -5))
          .isInstanceOf(IllegalArgumentException.class);
    }
  }

  @Test
  void anEmptyIndexAnswersWithNothing() {
    try (VectorIndex index = create(3, Metric.COSINE)) {
      float[] query = {1, 2, 3};
      assertThat(index.size()).isZero();
      assertThat(index.search(query, 5).count()).isZero();
      assertThat(index.search(SearchRequest.of(query, 5).exact()).count()).isZero();
      assertThat(index.search(SearchRequest.of(query, 5).filter(IdFilter.in(1, 2))).count())
          .isZero();
      assertThat(index.get(1)).isEmpty();
      assertThat(index.remove(1)).isFalse();
      index.addAll(new long[0], new float[0]);
      assertThat(index.size()).isZero();
    }
  }

  // ---- vectors that are refused

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  void nonFiniteComponentsAreRefusedNamingRowAndComponent(float bad) {
    for (Metric metric : metrics().toList()) {
      try (VectorIndex index = create(17, metric)) {
        Rows rows = Rows.gaussian(metric, 17, 50);
        rows.addTo(index);
        float[] batch =
            TestVectors.flat(
                new float[][] {rows.byId.get(1L), rows.byId.get(2L), rows.byId.get(3L)});
        batch[17 + 16] = bad;
        String what = Float.isNaN(bad) ? "NaN" : "infinite";
        assertThatThrownBy(() -> index.addAll(new long[] {1001, 1002, 1003}, batch))
            .isInstanceOf(InvalidVectorException.class)
            .hasMessageContaining("row 1")
            .hasMessageContaining("component 16")
            .hasMessageContaining(what);
        float[] query = TestVectors.gaussian(rows.random, 17);
        query[0] = bad;
        assertThatThrownBy(() -> index.search(query, 3))
            .isInstanceOf(InvalidVectorException.class)
            .hasMessageContaining("component 0")
            .hasMessageContaining(what);
        assertThatThrownBy(() -> index.search(SearchRequest.of(query, 3).exact()))
            .isInstanceOf(InvalidVectorException.class);
        assertThatThrownBy(() -> index.upsert(1, query)).isInstanceOf(InvalidVectorException.class);
        rows.assertUnchanged(index);
      }
    }
  }

  @Test
  void theZeroVectorHasNoCosine() {
    try (VectorIndex index = create(5, Metric.COSINE)) {
      index.add(1, new float[] {1, 0, 0, 0, 0});
      assertThatThrownBy(() -> index.add(2, new float[5]))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("zero");
      assertThatThrownBy(
              () -> index.addAll(new long[] {3, 4}, new float[] {1, 1, 1, 1, 1, 0, -0.0f, 0, 0, 0}))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("row 1");
      assertThatThrownBy(() -> index.search(new float[5], 1))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("zero");
      assertThat(index.size()).isEqualTo(1);
    }
  }

  @Test
  void theZeroVectorHasDistances() {
    try (VectorIndex index = create(5, Metric.L2)) {
      index.add(2, new float[5]);
      assertThat(index.search(new float[5], 1).hits()).containsExactly(new Hit(2, 0));
    }
  }

  @Test
  void wrongDimensionsAreRefused() {
    try (VectorIndex index = create(4, any(Metric.L2))) {
      assertThatThrownBy(() -> index.add(1, new float[3]))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("3 components")
          .hasMessageContaining("4");
      assertThatThrownBy(() -> index.addAll(new long[] {1, 2}, new float[7]))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("8 components");
      assertThatThrownBy(() -> index.search(new float[5], 1))
          .isInstanceOf(InvalidVectorException.class);
      assertThatThrownBy(() -> index.upsert(1, new float[0]))
          .isInstanceOf(InvalidVectorException.class);
      assertThat(index.size()).isZero();
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  void inputIsNeverModified(Metric metric) {
    float[] row = {3, -0.0f, 4};
    float[] query = {1, 2, 2};
    try (VectorIndex index = create(3, metric)) {
      index.add(1, row);
      index.upsert(2, row);
      index.search(query, 1);
      index.search(SearchRequest.of(query, 1).exact().filter(IdFilter.in(1)));
    }
    assertThat(row).containsExactly(3, -0.0f, 4);
    assertThat(query).containsExactly(1, 2, 2);
  }

  // ---- segments and buffers

  @ParameterizedTest
  @MethodSource("metrics")
  void heapArraysAndNativeSegmentsGiveTheSameIndex(Metric metric) {
    Rows rows = Rows.gaussian(metric, 31, 700);
    try (VectorIndex fromHeap = create(31, metric);
        VectorIndex fromNative = create(31, metric);
        Arena arena = Arena.ofConfined()) {
      rows.addTo(fromHeap);
      fromNative.addAll(
          arena.allocateFrom(ValueLayout.JAVA_LONG, rows.ids()),
          arena.allocateFrom(ValueLayout.JAVA_FLOAT, rows.flat()));
      for (int q = 0; q < 5; q++) {
        float[] query = TestVectors.gaussian(rows.random, 31);
        MemorySegment nativeQuery = arena.allocateFrom(ValueLayout.JAVA_FLOAT, query);
        List<Hit> expected = fromHeap.search(SearchRequest.of(query, 9).exact()).hits();
        assertThat(fromNative.search(SearchRequest.of(nativeQuery, 9).exact()).hits())
            .isEqualTo(expected);
        assertThat(fromNative.search(SearchRequest.of(nativeQuery, 9)).hits())
            .isEqualTo(fromNative.search(query, 9).hits());
      }
    }
  }

  @Test
  void segmentsThatCannotBeReadAreRefusedInTheWordsOfTheJdk() throws Exception {
    try (VectorIndex index = create(2, any(Metric.L2))) {
      index.add(1, new float[] {1, 2});
      MemorySegment gone;
      try (Arena arena = Arena.ofConfined()) {
        gone = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1, 2);
      }
      assertThatThrownBy(() -> index.search(SearchRequest.of(gone, 1)))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> index.search(SearchRequest.of(gone, 1).exact()))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> index.addAll(MemorySegment.ofArray(new long[] {2}), gone))
          .isInstanceOf(IllegalStateException.class);
      try (Arena arena = Arena.ofConfined();
          ExecutorService pool = Executors.newSingleThreadExecutor()) {
        MemorySegment foreign = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1, 2);
        Future<?> elsewhere =
            pool.submit(
                () ->
                    assertThatThrownBy(() -> index.search(SearchRequest.of(foreign, 1)))
                        .isInstanceOf(WrongThreadException.class));
        elsewhere.get();
      }
      assertThat(index.size()).isEqualTo(1);
      assertThat(index.search(new float[] {1, 2}, 1).id(0)).isEqualTo(1);
    }
  }

  @Test
  void searchesReadTheRightIdsWhileTheIndexGrows() throws Exception {
    int count = 40_000;
    try (VectorIndex index = create(2, Metric.L2);
        ExecutorService pool = Executors.newFixedThreadPool(2)) {
      index.add(1, new float[] {0, 0});
      AtomicBoolean stop = new AtomicBoolean();
      List<Future<?>> searchers = new ArrayList<>();
      for (int t = 0; t < 2; t++) {
        searchers.add(
            pool.submit(
                () -> {
                  while (!stop.get()) {
                    // The row at (x, 0) has the id x + 1: a hit's distance tells its id.
                    for (Hit hit : index.search(new float[] {0, 0}, 5).hits()) {
                      assertThat(hit.id()).isEqualTo((long) hit.distance() + 1);
                    }
                  }
                }));
      }
      for (int from = 1; from < count; from *= 2) {
        int rows = Math.min(from, count - from);
        long[] ids = new long[rows];
        float[] vectors = new float[rows * 2];
        for (int i = 0; i < rows; i++) {
          // In no order, so that what is learned from the first rows fits the others.
          long x = (from + i) * 7919L % count;
          ids[i] = x + 1;
          vectors[2 * i] = x;
        }
        index.addAll(ids, vectors);
      }
      stop.set(true);
      for (Future<?> searcher : searchers) {
        searcher.get();
      }
      assertThat(index.size()).isEqualTo(count);
    }
  }

  @Test
  void aReusedBufferHoldsTheHitsOfItsLastSearch() {
    Metric metric = any(Metric.DOT);
    Rows rows = Rows.gaussian(metric, 12, 400);
    try (VectorIndex index = create(12, metric)) {
      rows.addTo(index);
      SearchBuffer buffer = SearchBuffer.allocate(12, 20);
      SearchRequest request = SearchRequest.of(buffer.query(), 20);
      for (int q = 0; q < 10; q++) {
        float[] query = TestVectors.gaussian(rows.random, 12);
        buffer.setQuery(query);
        index.search(request, buffer);
        assertThat(buffer.toResult().hits()).isEqualTo(index.search(query, 20).hits());
        index.search(SearchRequest.of(query, 3), buffer);
        assertThat(buffer.count()).isEqualTo(3);
      }
      assertThatThrownBy(() -> index.search(SearchRequest.of(new float[12], 21), buffer))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("20 hits");
      assertThatThrownBy(
              () -> index.search(SearchRequest.of(new float[12], 5), SearchBuffer.allocate(11, 5)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("dimension 11");
    }
  }

  // ---- filters

  @ParameterizedTest
  @MethodSource("metrics")
  void filteredSearchReturnsEveryMatchAtAnySelectivity(Metric metric) {
    int count = 4000;
    Rows rows = Rows.gaussian(metric, 16, count);
    try (VectorIndex index = create(16, metric)) {
      rows.addTo(index);
      for (int i = 0; i < count; i += 3) {
        index.remove(rows.ids()[i]);
        rows.byId.remove(rows.ids()[i]);
      }
      for (double share : new double[] {1, 0.5, 0.1, 0.01, 0.001, 0}) {
        List<Long> shuffled = new ArrayList<>(rows.byId.keySet());
        Collections.shuffle(shuffled, new java.util.Random(TestVectors.seed()));
        int matches = (int) Math.ceil(share * shuffled.size());
        long[] chosen = shuffled.subList(0, matches).stream().mapToLong(Long::longValue).toArray();
        assertFiltered(index, metric, rows, IdFilter.in(chosen), matches);
        BitSet bits = new BitSet();
        for (long id : chosen) {
          bits.set((int) (id + 1000));
        }
        assertFiltered(index, metric, rows, IdFilter.bitmap(-1000, bits), matches);
      }
    }
  }

  private static void assertFiltered(
      VectorIndex index, Metric metric, Rows rows, IdFilter filter, int matches) {
    float[] query = TestVectors.gaussian(rows.random, 16);
    for (int k : new int[] {1, 10, 50}) {
      SearchRequest request = SearchRequest.of(query, k).filter(filter);
      assertThat(index.search(request.exact()).hits())
          .as("exact, k %d, %s", k, filter)
          .isEqualTo(Reference.nearest(metric, rows.byId, query, k, filter::test));
      SearchResult plain = index.search(request);
      assertThat(plain.count()).as("k %d, %s", k, filter).isEqualTo(Math.min(k, matches));
      assertThat(plain.hits())
          .allMatch(hit -> filter.test(hit.id()) && rows.byId.containsKey(hit.id()));
    }
  }

  @Test
  void oneFilteredIdAmongManyIsFound() {
    Metric metric = any(Metric.L2);
    Rows rows = Rows.gaussian(metric, 8, 1000);
    try (VectorIndex index = create(8, metric)) {
      rows.addTo(index);
      long id = rows.ids()[123];
      float[] query = TestVectors.gaussian(rows.random, 8);
      SearchRequest request =
          SearchRequest.of(query, 10).filter(IdFilter.in(id, 123_456_789L, Long.MIN_VALUE));
      assertThat(index.search(request).ids()).containsExactly(id);
      assertThat(index.search(SearchRequest.of(query, 10).filter(IdFilter.in())).count()).isZero();
    }
  }

  // ---- batches of queries

  @ParameterizedTest
  @MethodSource("metrics")
  void aBatchOfQueriesIsAnsweredAsOneByOne(Metric metric) {
    Rows rows = Rows.gaussian(metric, 24, 3000);
    try (VectorIndex index = create(24, metric);
        Arena arena = Arena.ofConfined()) {
      rows.addTo(index);
      for (int i = 0; i < 300; i++) {
        index.remove(rows.ids()[i * 7]);
      }
      // FAISS's own batches answer from 20 queries on by another formula.
      for (int count : new int[] {1, 19, 20, 64}) {
        float[] queries = rows.queries(count, 24);
        MemorySegment inNative = arena.allocateFrom(ValueLayout.JAVA_FLOAT, queries);
        assertAsOneByOne(index, SearchRequest.of(queries, 10), count);
        assertAsOneByOne(index, SearchRequest.of(inNative, 10).efSearch(20), count);
        assertAsOneByOne(index, SearchRequest.of(queries, 10).exact(), count);
        IdFilter some = IdFilter.in(LongStream.range(0, 1500).toArray());
        IdFilter few = IdFilter.in(LongStream.range(0, 20).toArray());
        assertAsOneByOne(index, SearchRequest.of(inNative, 10).filter(some), count);
        assertAsOneByOne(index, SearchRequest.of(queries, 10).filter(few), count);
      }
    }
  }

  private static void assertAsOneByOne(VectorIndex index, SearchRequest batch, int count) {
    List<SearchResult> results = index.searchAll(batch);
    assertThat(results).hasSize(count);
    long bytes = batch.query().byteSize() / count;
    for (int i = 0; i < count; i++) {
      SearchRequest single = batch.query(batch.query().asSlice(i * bytes, bytes));
      assertThat(results.get(i).hits()).isEqualTo(index.search(single).hits());
    }
  }

  @Test
  void anEmptyBatchOfQueriesHasNoResultsAndAnEmptyIndexEmptyOnes() {
    try (VectorIndex index = create(3, any(Metric.L2))) {
      assertThat(index.searchAll(new float[0], 5)).isEmpty();
      List<SearchResult> results = index.searchAll(ones(20 * 3), 5);
      assertThat(results).hasSize(20).allMatch(result -> result.count() == 0);
      index.add(1, ones(3));
      assertThat(index.searchAll(new float[0], 5)).isEmpty();
    }
  }

  @Test
  void aBadQueryOfABatchIsNamed() {
    Metric metric = any(Metric.COSINE);
    Rows rows = Rows.gaussian(metric, 17, 500);
    try (VectorIndex index = create(17, metric)) {
      rows.addTo(index);
      for (boolean exact : new boolean[] {false, true}) {
        float[] queries = rows.queries(64, 17);
        queries[40 * 17 + 5] = Float.NaN;
        queries[23 * 17 + 16] = Float.POSITIVE_INFINITY;
        SearchRequest request = SearchRequest.of(queries, 5);
        assertThatThrownBy(() -> index.searchAll(exact ? request.exact() : request))
            .isInstanceOf(InvalidVectorException.class)
            .hasMessageContaining("query 23")
            .hasMessageContaining("component 16")
            .hasMessageContaining("infinite");
      }
      if (metric == Metric.COSINE) {
        float[] queries = ones(30 * 17);
        Arrays.fill(queries, 11 * 17, 12 * 17, 0);
        assertThatThrownBy(() -> index.searchAll(queries, 5))
            .isInstanceOf(InvalidVectorException.class)
            .hasMessageContaining("query 11")
            .hasMessageContaining("zero");
      }
      assertThatThrownBy(() -> index.searchAll(ones(2 * 17 + 1), 5))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("35 components")
          .hasMessageContaining("17");
      assertThatThrownBy(() -> index.search(SearchRequest.of(ones(2 * 17), 5)))
          .isInstanceOf(InvalidVectorException.class);
      rows.assertUnchanged(index);
    }
  }

  @Test
  void batchesOfQueriesRunTogether() throws Exception {
    Metric metric = any(Metric.DOT);
    Rows rows = Rows.gaussian(metric, 16, 2000);
    try (VectorIndex index = create(16, metric);
        ExecutorService pool = Executors.newFixedThreadPool(4)) {
      rows.addTo(index);
      SearchRequest batch = SearchRequest.of(rows.queries(40, 16), 10);
      List<List<Hit>> expected = hits(index.searchAll(batch));
      List<Future<?>> callers = new ArrayList<>();
      for (int t = 0; t < 4; t++) {
        callers.add(
            pool.submit(
                () -> {
                  for (int round = 0; round < 10; round++) {
                    assertThat(hits(index.searchAll(batch))).isEqualTo(expected);
                  }
                }));
      }
      for (Future<?> caller : callers) {
        caller.get();
      }
    }
  }

  private static List<List<Hit>> hits(List<SearchResult> results) {
    return results.stream().map(SearchResult::hits).toList();
  }

  // ---- training

  @ParameterizedTest
  @MethodSource("metrics")
  void trainingChangesNoExactAnswer(Metric metric) {
    Rows rows = Rows.gaussian(metric, 12, 1500);
    float[] sample = rows.queries(600, 12);
    float[] before = sample.clone();
    try (VectorIndex index = create(12, metric)) {
      index.train(sample);
      assertThat(sample).isEqualTo(before);
      assertThat(index.size()).isZero();
      assertThat(index.search(ones(12), 3).count()).isZero();
      rows.addTo(index);
      rows.assertUnchanged(index);
      for (int q = 0; q < 10; q++) {
        float[] query = TestVectors.gaussian(rows.random, 12);
        assertThat(index.search(SearchRequest.of(query, 10).exact()).hits())
            .isEqualTo(Reference.nearest(metric, rows.byId, query, 10, id -> true));
        assertThat(index.search(query, 10).count()).isEqualTo(10);
      }
    }
  }

  @Test
  void aSampleOfAnotherShapeIsRefused() {
    try (VectorIndex index = create(4, any(Metric.L2))) {
      assertThatThrownBy(() -> index.train(new float[4 * 100 + 3]))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("403 components")
          .hasMessageContaining("4");
      index.add(1, ones(4));
      assertThat(index.search(ones(4), 1).id(0)).isEqualTo(1);
    }
  }

  // ---- specs

  @Test
  void unknownParametersAreNamedWithTheNearest() {
    String known = Panvec.backend(backend()).parameters().get(0).name();
    assertThatThrownBy(() -> Panvec.create(spec(2, any(Metric.L2)).with(known + "x", 1)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("\"" + known + "x\"")
        .hasMessageContaining("Did you mean \"" + known + "\"?");
  }

  @Test
  void dimensionsBeyondTheMaximumAreRefused() {
    int maximum = Panvec.backend(backend()).capabilities().maxDimension();
    assertThat(maximum).isGreaterThanOrEqualTo(8192);
    assertThatThrownBy(() -> Panvec.create(IndexSpec.of(backend(), maximum + 1, any(Metric.L2))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("1 .. " + maximum);
  }

  @Test
  void theSpecOfAnIndexHasEveryDefault() {
    try (VectorIndex index = create(6, any(Metric.DOT))) {
      assertThat(index.spec().backend()).isEqualTo(backend());
      Panvec.backend(backend())
          .parameters()
          .forEach(
              parameter -> {
                if (parameter.defaultValue() != null
                    && parameter.appliesTo(index.spec().parameters())) {
                  assertThat(index.spec().parameters()).containsKey(parameter.name());
                }
              });
      assertThat(index.capabilities()).isEqualTo(Panvec.capabilities(spec(6, any(Metric.DOT))));
    }
  }

  // ---- recall

  @ParameterizedTest
  @MethodSource("metrics")
  void defaultParametersFindNearlyAllNeighbours(Metric metric) {
    Rows rows = Rows.clustered(metric, 48, 10_000);
    try (VectorIndex index = create(48, metric)) {
      rows.addTo(index);
      int found = 0;
      for (int q = 0; q < 100; q++) {
        float[] query = rows.nearSomeRow(48);
        float worst = index.search(SearchRequest.of(query, 10).exact()).distance(9);
        for (Hit hit : index.search(query, 10).hits()) {
          found += hit.distance() <= worst ? 1 : 0;
        }
      }
      assertThat(found / 1000.0).as("recall@10").isGreaterThanOrEqualTo(0.95);
    }
  }

  // ---- random operations against a map

  @ParameterizedTest
  @MethodSource("metrics")
  void randomOperationsAgreeWithAMap(Metric metric) {
    RandomGenerator random = TestVectors.random();
    Map<Long, float[]> model = new TreeMap<>();
    try (VectorIndex index = create(9, metric)) {
      for (int step = 0; step < 1500; step++) {
        String where = "step " + step + ", -Dpanvec.seed=" + TestVectors.seed();
        long id = random.nextInt(200) - 100;
        float[] vector = TestVectors.gaussian(random, 9);
        switch (random.nextInt(6)) {
          case 0, 1 -> {
            if (model.containsKey(id)) {
              assertThatThrownBy(() -> index.add(id, vector))
                  .as(where)
                  .isInstanceOf(DuplicateIdException.class);
            } else {
              index.add(id, vector);
              model.put(id, vector);
            }
          }
          case 2 -> {
            index.upsert(id, vector);
            model.put(id, vector);
          }
          case 3 -> assertThat(index.remove(id)).as(where).isEqualTo(model.remove(id) != null);
          case 4 -> {
            IdFilter filter = IdFilter.in(LongStream.range(id, id + random.nextInt(80)).toArray());
            SearchRequest request = SearchRequest.of(vector, 1 + random.nextInt(20)).filter(filter);
            assertThat(index.search(request.exact()).hits())
                .as(where)
                .isEqualTo(Reference.nearest(metric, model, vector, request.k(), filter::test));
          }
          default -> {
            int k = 1 + random.nextInt(20);
            assertThat(index.search(SearchRequest.of(vector, k).exact()).hits())
                .as(where)
                .isEqualTo(Reference.nearest(metric, model, vector, k, any -> true));
            assertThat(index.search(vector, k).count())
                .as(where)
                .isEqualTo(Math.min(k, model.size()));
          }
        }
        assertThat(index.size()).as(where).isEqualTo(model.size());
        assertThat(index.contains(id)).as(where).isEqualTo(model.containsKey(id));
      }
      model.forEach(
          (id, row) ->
              assertThat(index.get(id).orElseThrow())
                  .containsExactly(Reference.stored(metric, row)));
    }
  }

  // ---- threads and lifetime

  @Test
  void aReaderSeesTheOldOrTheNewVectorOfAnUpsertNeverNeither() throws Exception {
    try (VectorIndex index = create(2, any(Metric.L2));
        ExecutorService pool = Executors.newFixedThreadPool(4)) {
      for (long id = 0; id < 50; id++) {
        index.add(id, new float[] {1, id});
      }
      AtomicBoolean stop = new AtomicBoolean();
      List<Future<?>> readers = new ArrayList<>();
      for (int t = 0; t < 3; t++) {
        readers.add(
            pool.submit(
                () -> {
                  while (!stop.get()) {
                    SearchResult all =
                        index.search(SearchRequest.of(new float[] {1, 0}, 100).exact());
                    assertThat(all.count()).isEqualTo(50);
                    assertThat(LongStream.of(all.ids()).distinct().count()).isEqualTo(50);
                    assertThat(index.contains(7)).isTrue();
                    assertThat(index.get(7)).isPresent();
                    assertThat(
                            index.search(SearchRequest.of(ones(2), 1).filter(IdFilter.in(7))).ids())
                        .containsExactly(7);
                  }
                }));
      }
      for (int round = 0; round < 400; round++) {
        index.upsert(round % 50, new float[] {1 + round % 50, round});
        index.upsert(7, new float[] {7, round});
      }
      stop.set(true);
      for (Future<?> reader : readers) {
        reader.get();
      }
    }
  }

  @Test
  void oneOfManyConcurrentAddsOfAnIdWins() throws Exception {
    try (VectorIndex index = create(2, any(Metric.L2));
        ExecutorService pool = Executors.newFixedThreadPool(8)) {
      for (long id = 0; id < 40; id++) {
        long contested = id;
        CountDownLatch start = new CountDownLatch(1);
        List<Future<Boolean>> adders = new ArrayList<>();
        for (int t = 0; t < 8; t++) {
          float value = t;
          adders.add(
              pool.submit(
                  () -> {
                    start.await();
                    try {
                      index.add(contested, new float[] {1, value});
                      return true;
                    } catch (DuplicateIdException lost) {
                      return false;
                    }
                  }));
        }
        start.countDown();
        int winners = 0;
        for (Future<Boolean> adder : adders) {
          winners += adder.get() ? 1 : 0;
        }
        assertThat(winners).isEqualTo(1);
      }
      assertThat(index.size()).isEqualTo(40);
    }
  }

  @Test
  void searchesSeeEveryRowWhoseAddReturned() throws Exception {
    try (VectorIndex index = create(16, Metric.COSINE);
        ExecutorService pool = Executors.newFixedThreadPool(3)) {
      Rows rows = Rows.gaussian(Metric.COSINE, 16, 3000);
      AtomicBoolean stop = new AtomicBoolean();
      List<Future<?>> searchers = new ArrayList<>();
      for (int t = 0; t < 3; t++) {
        searchers.add(
            pool.submit(
                () -> {
                  float[] query = rows.byId.get(rows.ids()[0]);
                  while (!stop.get()) {
                    long before = index.size();
                    SearchResult result = index.search(query, 10);
                    assertThat(result.count()).isGreaterThanOrEqualTo((int) Math.min(10, before));
                  }
                }));
      }
      for (int from = 0; from < 3000; from += 100) {
        rows.addTo(index, from, from + 100);
        long id = rows.ids()[from + 50];
        SearchResult self = index.search(SearchRequest.of(rows.byId.get(id), 1).exact());
        assertThat(self.id(0)).isEqualTo(id);
      }
      stop.set(true);
      for (Future<?> searcher : searchers) {
        searcher.get();
      }
    }
  }

  @Test
  void closeWaitsForSearchesAndLaterCallsAreRefused() throws Exception {
    for (int round = 0; round < 4; round++) {
      Rows rows = Rows.gaussian(any(Metric.L2), 32, 2000);
      VectorIndex index = create(32, any(Metric.L2));
      rows.addTo(index);
      try (ExecutorService pool = Executors.newFixedThreadPool(16)) {
        CountDownLatch running = new CountDownLatch(16);
        List<Future<Long>> searchers = new ArrayList<>();
        for (int t = 0; t < 16; t++) {
          boolean exact = t % 2 == 0;
          searchers.add(
              pool.submit(
                  () -> {
                    float[] query = rows.byId.get(rows.ids()[0]);
                    SearchRequest request = SearchRequest.of(query, 10);
                    request = exact ? request.exact() : request;
                    running.countDown();
                    for (long searches = 0; ; searches++) {
                      try {
                        assertThat(index.search(request).count()).isEqualTo(10);
                      } catch (IllegalStateException closed) {
                        assertThat(closed).hasMessageContaining("closed");
                        return searches;
                      }
                    }
                  }));
        }
        running.await();
        index.close();
        for (Future<Long> searcher : searchers) {
          assertThat(searcher.get()).isGreaterThanOrEqualTo(0);
        }
      }
      index.close();
    }
  }

  @Test
  void everyCallOnAClosedIndexIsRefused() {
    VectorIndex index = create(2, any(Metric.L2));
    index.add(1, new float[] {1, 2});
    index.close();
    index.close();
    float[] vector = {1, 2};
    SearchBuffer buffer = SearchBuffer.allocate(2, 1);
    List<Runnable> calls =
        List.of(
            () -> index.add(2, vector),
            () -> index.addAll(new long[] {2}, vector),
            () -> index.addAll(new long[0], new float[0]),
            () -> index.upsert(1, vector),
            () -> index.remove(1),
            () -> index.get(1),
            () -> index.contains(1),
            index::size,
            index::stats,
            () -> index.search(vector, 1),
            () -> index.search(SearchRequest.of(vector, 1), buffer),
            () -> index.search(SearchRequest.of(vector, 1).exact().efSearch(5).nprobe(1)),
            () -> index.searchAll(new float[] {1, 2, 3, 4}, 1),
            () -> index.searchAll(new float[0], 1),
            () -> index.train(new float[] {1, 2, 3, 4}));
    for (Runnable call : calls) {
      assertThatThrownBy(call::run)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("closed");
    }
    assertThat(index.spec().dimension()).isEqualTo(2);
  }

  @Test
  void manyIndexesCanBeCreatedAndClosed() {
    for (int i = 0; i < 1000; i++) {
      try (VectorIndex index = create(4, any(Metric.L2))) {
        index.add(i, new float[] {1, 2, 3, 4});
        assertThat(index.search(new float[] {1, 2, 3, 4}, 1).id(0)).isEqualTo(i);
      }
    }
  }

  @Test
  void statsCountLiveRows() {
    try (VectorIndex index = create(4, any(Metric.L2))) {
      index.addAll(new long[] {1, 2, 3}, ones(12));
      index.remove(2);
      assertThat(index.stats().size()).isEqualTo(2);
      assertThat(index.stats().nativeBytes()).isPositive();
    }
  }

  @Test
  void denormalsStillWorkInTheJvmAfterTheLibraryIsLoaded() {
    create(2, any(Metric.L2)).close();
    float tiny = Float.MIN_VALUE;
    assertThat(tiny * 2 / 2).isEqualTo(Float.MIN_VALUE).isCloseTo(0f, within(1e-40f)).isNotZero();
  }

  private static float[] ones(int count) {
    float[] ones = new float[count];
    Arrays.fill(ones, 1);
    return ones;
  }

  /** Rows by id, and the random source they came from. */
  private static final class Rows {
    private final RandomGenerator random;
    private final TreeMap<Long, float[]> byId = new TreeMap<>();
    private final List<Long> order = new ArrayList<>();
    private final Metric metric;

    private Rows(Metric metric, RandomGenerator random) {
      this.metric = metric;
      this.random = random;
    }

    static Rows gaussian(Metric metric, int dimension, int count) {
      Rows rows = new Rows(metric, TestVectors.random());
      for (int i = 0; i < count; i++) {
        rows.put(i - 10L, TestVectors.gaussian(rows.random, dimension));
      }
      return rows;
    }

    static Rows clustered(Metric metric, int dimension, int count) {
      Rows rows = new Rows(metric, TestVectors.random());
      float[][] centres = new float[100][];
      for (int c = 0; c < centres.length; c++) {
        centres[c] = TestVectors.scaled(TestVectors.gaussian(rows.random, dimension), 2);
      }
      for (int i = 0; i < count; i++) {
        float[] row = TestVectors.gaussian(rows.random, dimension);
        float[] centre = centres[rows.random.nextInt(centres.length)];
        for (int d = 0; d < dimension; d++) {
          row[d] += centre[d];
        }
        rows.put(i, row);
      }
      return rows;
    }

    private void put(long id, float[] row) {
      byId.put(id, row);
      order.add(id);
    }

    long[] ids() {
      return order.stream().mapToLong(Long::longValue).toArray();
    }

    float[] flat() {
      return TestVectors.flat(order.stream().map(byId::get).toArray(float[][]::new));
    }

    float[] nearSomeRow(int dimension) {
      float[] query = byId.get(order.get(random.nextInt(order.size()))).clone();
      for (int d = 0; d < dimension; d++) {
        query[d] += (float) (0.5 * random.nextGaussian());
      }
      return query;
    }

    float[] queries(int count, int dimension) {
      float[] queries = new float[count * dimension];
      for (int i = 0; i < queries.length; i++) {
        queries[i] = (float) random.nextGaussian();
      }
      return queries;
    }

    void addTo(VectorIndex index) {
      index.addAll(ids(), flat());
    }

    void addTo(VectorIndex index, int from, int to) {
      List<Long> part = order.subList(from, to);
      index.addAll(
          part.stream().mapToLong(Long::longValue).toArray(),
          TestVectors.flat(part.stream().map(byId::get).toArray(float[][]::new)));
    }

    void assertUnchanged(VectorIndex index) {
      assertThat(index.size()).isEqualTo(byId.size());
      byId.forEach(
          (id, row) ->
              assertThat(index.get(id).orElseThrow())
                  .containsExactly(Reference.stored(metric, row)));
    }
  }
}
