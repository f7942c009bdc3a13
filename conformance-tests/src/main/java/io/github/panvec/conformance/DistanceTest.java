package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Vectors and distances, bit for bit, at every metric and dimension. */
class DistanceTest extends ConformanceTest {
  private static final int ROWS = 80;

  /** The dimension of vectors that tell in which order sums were added. */
  private static final int SENSITIVE = 104;

  private static final int NEAR_TIES = 1000;

  @Contract({"exact.bit-for-bit", "exact.k-smallest"})
  @ParameterizedTest
  @MethodSource("shapes")
  void exactSearchEqualsTheReferenceBitForBit(Subject.Shape shape) {
    Rows rows = Rows.gaussian(shape.metric(), shape.dimension(), ROWS);
    try (VectorIndex index = rows.index(subject)) {
      for (int k : new int[] {1, 10, ROWS}) {
        float[] query = rows.query();
        assertThat(index.search(SearchRequest.of(query, k).exact()).hits())
            .isEqualTo(rows.nearest(query, k));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract({"search.reported-distance", "search.order"})
  void reportedDistancesOfAPlainSearchAreTheReferences(Metric metric) {
    Rows rows = Rows.gaussian(metric, 24, 3000);
    try (VectorIndex index = create(24, metric)) {
      rows.addTo(index);
      for (int q = 0; q < 20; q++) {
        float[] query = TestVectors.gaussian(rows.random, 24);
        SearchResult result = index.search(query, 25);
        assertThat(result.count()).isEqualTo(25);
        rows.assertDistances(query, result);
      }
    }
  }

  @Test
  @Contract("exact.positive-zero")
  void anInnerProductTooSmallForAFloatIsPositiveZero() {
    try (VectorIndex index = create(2, only(Metric.DOT))) {
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

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract({"search.order", "exact.ties-by-id"})
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
  @Contract("exact.ties-by-id")
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

  @Contract("get.bit-for-bit")
  @ParameterizedTest
  @MethodSource("shapes")
  void storedVectorsAreReturnedBitForBit(Subject.Shape shape) {
    Rows rows = Rows.gaussian(shape.metric(), shape.dimension(), 5);
    try (VectorIndex index = rows.index(subject)) {
      rows.assertUnchanged(index);
    }
  }

  @Contract({"search.reported-distance", "search.order", "search.min-k-live"})
  @ParameterizedTest
  @MethodSource("shapes")
  void aPlainSearchReportsTheReferencesDistances(Subject.Shape shape) {
    Rows rows = Rows.gaussian(shape.metric(), shape.dimension(), ROWS);
    try (VectorIndex index = rows.index(subject)) {
      for (int k : new int[] {1, 10, ROWS, ROWS + 1}) {
        float[] query = rows.query();
        SearchResult result = index.search(query, k);
        assertThat(result.count()).isEqualTo(Math.min(k, ROWS));
        rows.assertDistances(query, result);
      }
    }
  }

  // FAISS's own batches answer from 20 queries on by another formula.
  @Contract("batch.as-one-by-one")
  @ParameterizedTest
  @MethodSource("shapes")
  void aBatchOfQueriesIsAnsweredAsOneByOne(Subject.Shape shape) {
    Rows rows = Rows.gaussian(shape.metric(), shape.dimension(), ROWS);
    float[] queries = rows.queries(64);
    try (VectorIndex index = rows.index(subject)) {
      List<List<Hit>> plain = new ArrayList<>();
      List<List<Hit>> exact = new ArrayList<>();
      for (int q = 0; q < 64; q++) {
        float[] query = new float[shape.dimension()];
        System.arraycopy(queries, q * shape.dimension(), query, 0, shape.dimension());
        plain.add(index.search(query, 10).hits());
        exact.add(index.search(SearchRequest.of(query, 10).exact()).hits());
      }
      for (int count : new int[] {1, 19, 20, 64}) {
        float[] some = new float[count * shape.dimension()];
        System.arraycopy(queries, 0, some, 0, some.length);
        SearchRequest request = SearchRequest.of(some, 10);
        assertThat(BatchTest.hits(index.searchAll(request))).isEqualTo(plain.subList(0, count));
        assertThat(BatchTest.hits(index.searchAll(request.exact())))
            .isEqualTo(exact.subList(0, count));
      }
    }
  }

  @Contract({"vectors.heap-and-native-alike", "vectors.unchanged"})
  @ParameterizedTest
  @MethodSource("shapes")
  void heapArraysAndSegmentsAreTakenAlike(Subject.Shape shape) {
    Rows rows = Rows.gaussian(shape.metric(), shape.dimension(), ROWS);
    try (VectorIndex index = create(shape.dimension(), shape.metric());
        Arena arena = Arena.ofConfined()) {
      MemorySegment ids = arena.allocateFrom(ValueLayout.JAVA_LONG, rows.ids());
      // Not aligned to more than a float.
      MemorySegment vectors = arena.allocate(4L * (rows.flat().length + 1), 64).asSlice(4);
      MemorySegment.copy(rows.flat(), 0, vectors, ValueLayout.JAVA_FLOAT, 0, rows.flat().length);
      index.addAll(ids, vectors);
      rows.assertUnchanged(index);
      float[] query = rows.query();
      List<Hit> expected = rows.nearest(query, 10);
      MemorySegment nativeQuery = arena.allocateFrom(ValueLayout.JAVA_FLOAT, query);
      for (MemorySegment segment : List.of(nativeQuery, MemorySegment.ofArray(query))) {
        assertThat(index.search(SearchRequest.of(segment, 10).exact()).hits()).isEqualTo(expected);
        assertThat(index.search(SearchRequest.of(segment, 10)).hits())
            .isEqualTo(index.search(query, 10).hits());
      }
      assertThat(ids.toArray(ValueLayout.JAVA_LONG)).isEqualTo(rows.ids());
      assertThat(vectors.toArray(ValueLayout.JAVA_FLOAT)).isEqualTo(rows.flat());
      assertThat(nativeQuery.toArray(ValueLayout.JAVA_FLOAT)).isEqualTo(query);
    }
  }

  @Contract("vectors.unchanged")
  @ParameterizedTest
  @MethodSource("shapes")
  void nativeInputIsNeverModified(Subject.Shape shape) {
    Rows rows = Rows.gaussian(shape.metric(), shape.dimension(), 5);
    try (VectorIndex index = create(shape.dimension(), shape.metric());
        Arena arena = Arena.ofConfined()) {
      MemorySegment sample = arena.allocateFrom(ValueLayout.JAVA_FLOAT, rows.queries(3));
      MemorySegment vectors = arena.allocateFrom(ValueLayout.JAVA_FLOAT, rows.flat());
      MemorySegment queries = arena.allocateFrom(ValueLayout.JAVA_FLOAT, rows.queries(20));
      SearchBuffer buffer = SearchBuffer.allocate(shape.dimension(), 2);
      buffer.setQuery(rows.query());
      List<MemorySegment> given = List.of(sample, vectors, queries, buffer.query());
      List<float[]> before =
          given.stream().map(each -> each.toArray(ValueLayout.JAVA_FLOAT)).toList();
      train(index, sample);
      index.addAll(MemorySegment.ofArray(rows.ids()), vectors);
      train(index, sample);
      for (SearchRequest request :
          List.of(SearchRequest.of(queries, 2), SearchRequest.of(queries, 2).exact())) {
        index.searchAll(request);
        index.search(request.query(buffer.query()), buffer);
        index.search(request.query(buffer.query()).filter(IdFilter.in(rows.every(2))), buffer);
      }
      for (int i = 0; i < given.size(); i++) {
        assertThat(given.get(i).toArray(ValueLayout.JAVA_FLOAT)).isEqualTo(before.get(i));
      }
    }
  }

  /** A sample may be too small to learn from. */
  private static void train(VectorIndex index, MemorySegment sample) {
    try {
      index.train(sample);
    } catch (IllegalArgumentException tooSmall) {
      assertThat(tooSmall).isNotInstanceOf(InvalidVectorException.class);
    }
  }

  @Contract("vectors.unchanged")
  @ParameterizedTest
  @MethodSource("shapes")
  void inputIsNeverModified(Subject.Shape shape) {
    Rows rows = Rows.gaussian(shape.metric(), shape.dimension(), 5);
    float[] batch = rows.flat();
    float[] row = rows.query();
    float[] queries = rows.queries(3);
    float[] query = rows.query();
    List<float[]> given = List.of(batch, row, queries, query);
    List<float[]> before = given.stream().map(float[]::clone).toList();
    try (VectorIndex index = create(shape.dimension(), shape.metric())) {
      index.addAll(rows.ids(), batch);
      index.add(1000, row);
      index.upsert(1000, row);
      index.search(query, 1);
      index.search(SearchRequest.of(query, 1).exact().filter(IdFilter.in(1)));
      index.searchAll(queries, 2);
    }
    for (int i = 0; i < given.size(); i++) {
      assertThat(given.get(i)).isEqualTo(before.get(i));
    }
  }

  @Contract("exact.norms")
  @ParameterizedTest
  @MethodSource("shapes")
  void smallAndLargeNormsKeepTheirBits(Subject.Shape shape) {
    float[] factors = {1e-4f, 1e-2f, 1, 1e2f, 1e4f};
    Rows rows = new Rows(shape.metric(), shape.dimension());
    for (int i = 0; i < ROWS; i++) {
      rows.put(i, TestVectors.scaled(rows.query(), factors[i % factors.length]));
    }
    try (VectorIndex index = rows.index(subject)) {
      for (float factor : factors) {
        float[] query = TestVectors.scaled(rows.query(), factor);
        // All of them: under DOT the short ones are never among the nearest.
        assertThat(index.search(SearchRequest.of(query, ROWS).exact()).hits())
            .isEqualTo(rows.nearest(query, ROWS));
        rows.assertDistances(query, index.search(query, ROWS));
      }
    }
  }

  @Contract("exact.zeros-and-denormals")
  @ParameterizedTest
  @MethodSource("shapes")
  void negativeZerosAndDenormalsKeepTheirBits(Subject.Shape shape) {
    int dimension = shape.dimension();
    Rows rows = Rows.gaussian(shape.metric(), dimension, 10);
    float[] denormals = new float[dimension];
    float[] negativeZeros = new float[dimension];
    for (int i = 0; i < dimension; i++) {
      denormals[i] = Float.MIN_VALUE * (1 + i);
      negativeZeros[i] = i % 2 == 1 ? -0.0f : 1;
    }
    rows.put(100, denormals);
    rows.put(101, negativeZeros);
    try (VectorIndex index = rows.index(subject)) {
      rows.assertUnchanged(index);
      for (float[] query : List.of(denormals, negativeZeros, rows.query())) {
        assertThat(index.search(SearchRequest.of(query, 12).exact()).hits())
            .isEqualTo(rows.nearest(query, 12));
        rows.assertDistances(query, index.search(query, 12));
      }
    }
  }

  @Contract({"filter.exact", "filter.only-matches"})
  @ParameterizedTest
  @MethodSource("shapes")
  void aFilteredExactSearchEqualsTheReference(Subject.Shape shape) {
    Rows rows = Rows.gaussian(shape.metric(), shape.dimension(), ROWS);
    IdFilter filter = IdFilter.in(rows.every(3));
    try (VectorIndex index = rows.index(subject)) {
      float[] query = rows.query();
      SearchRequest request = SearchRequest.of(query, 10);
      List<Hit> expected = rows.nearest(query, 10, filter::test);
      assertThat(index.search(request.filter(filter).exact()).hits()).isEqualTo(expected);
      // The filter was that call's alone.
      assertThat(index.search(request.exact()).hits()).isEqualTo(rows.nearest(query, 10));
      SearchResult plain = index.search(request.filter(filter));
      assertThat(plain.count()).isEqualTo(10);
      rows.assertDistances(query, plain);
      assertThat(plain.hits()).allMatch(hit -> filter.test(hit.id()));
    }
  }

  @Contract({
    "upsert.replaces",
    "remove.true-if-live",
    "remove.later-search-does-not-see",
    "add.duplicate-refused"
  })
  @ParameterizedTest
  @MethodSource("shapes")
  void writesShowInTheNextSearch(Subject.Shape shape) {
    Rows rows = Rows.gaussian(shape.metric(), shape.dimension(), 40);
    try (VectorIndex index = rows.index(subject)) {
      for (long id : rows.every(3)) {
        float[] replacement = rows.query();
        index.upsert(id, replacement);
        rows.put(id, replacement);
      }
      for (long id : rows.every(4)) {
        assertThat(index.remove(id)).isTrue();
        assertThat(index.remove(id)).isFalse();
        rows.remove(id);
      }
      long live = rows.ids()[0];
      assertThatThrownBy(() -> index.add(live, ones(shape.dimension())))
          .hasMessageContaining("id " + live);
      rows.assertUnchanged(index);
      float[] query = rows.query();
      assertThat(index.search(SearchRequest.of(query, 40).exact()).hits())
          .isEqualTo(rows.nearest(query, 40));
      assertThat(index.search(query, 40).ids()).containsExactlyInAnyOrder(rows.ids());
    }
  }

  @Contract({"vectors.finite", "errors.index-as-before"})
  @ParameterizedTest
  @MethodSource("shapes")
  void aBadComponentIsNamedWhereverItIs(Subject.Shape shape) {
    int dimension = shape.dimension();
    Rows rows = Rows.gaussian(shape.metric(), dimension, 12);
    try (VectorIndex index = rows.index(subject)) {
      for (int component : new int[] {0, dimension / 2, dimension - 1}) {
        float[] batch = rows.queries(3);
        batch[2 * dimension + component] = Float.NaN;
        assertThatThrownBy(() -> index.addAll(new long[] {1001, 1002, 1003}, batch))
            .isInstanceOf(InvalidVectorException.class)
            .hasMessageContaining("row 2")
            .hasMessageContaining("component " + component)
            .hasMessageContaining("NaN");
        float[] query = rows.query();
        query[component] = Float.NEGATIVE_INFINITY;
        for (SearchRequest request :
            List.of(SearchRequest.of(query, 3), SearchRequest.of(query, 3).exact())) {
          assertThatThrownBy(() -> index.search(request))
              .isInstanceOf(InvalidVectorException.class)
              .hasMessageContaining("component " + component)
              .hasMessageContaining("infinite");
        }
      }
      rows.assertUnchanged(index);
    }
  }

  /** Gaussian vectors would hide it: the order of a sum in double seldom shows in a float. */
  @Contract("exact.bit-for-bit")
  @ParameterizedTest
  @MethodSource("metrics")
  void sumsAreAddedInTheOrderOfTheContract(Metric metric) {
    Rows rows = new Rows(metric, SENSITIVE);
    float[] query =
        switch (metric) {
          case L2 -> new float[SENSITIVE];
          case COSINE -> rows.query();
          case DOT -> ones(SENSITIVE);
        };
    for (int i = 0; i < ROWS; i++) {
      rows.put(
          i,
          switch (metric) {
            case L2 -> nextToATie(i);
            case COSINE -> nearly(query, rows.random);
            case DOT -> cancelling(rows.random);
          });
    }
    try (VectorIndex index = rows.index(subject)) {
      assertThat(index.search(SearchRequest.of(query, ROWS).exact()).hits())
          .isEqualTo(rows.nearest(query, ROWS));
    }
  }

  /**
   * Distances so near each other that single precision orders them in another way: whatever chooses
   * the k nearest before the reference's sums rank them has to allow for its own error.
   */
  @Contract({"exact.bit-for-bit", "exact.k-smallest"})
  @ParameterizedTest
  @MethodSource("metrics")
  void theNearestOfManyNearTiesAreThoseOfTheReference(Metric metric) {
    Rows rows = new Rows(metric, SENSITIVE);
    float[] query = rows.query();
    for (int i = 0; i < NEAR_TIES; i++) {
      rows.put(i, nearTie(metric, query, rows.random));
    }
    try (VectorIndex index = rows.index(subject)) {
      for (int k : new int[] {1, 10, 40}) {
        assertThat(index.search(SearchRequest.of(query, k).exact()).hits())
            .as("k %d", k)
            .isEqualTo(rows.nearest(query, k));
      }
    }
  }

  /** Away from the query in a random direction; how near is the same but for about 1e-7. */
  private static float[] nearTie(Metric metric, float[] query, RandomGenerator random) {
    double[] across = new double[query.length];
    double along = 0;
    double squares = 0;
    for (int i = 0; i < query.length; i++) {
      across[i] = random.nextGaussian();
      along += across[i] * query[i];
      squares += (double) query[i] * query[i];
    }
    double left = 0;
    for (int i = 0; i < query.length; i++) {
      across[i] -= along / squares * query[i];
      left += across[i] * across[i];
    }
    double tiny = 1e-7 * random.nextGaussian();
    float[] row = new float[query.length];
    for (int i = 0; i < row.length; i++) {
      double unit = across[i] / Math.sqrt(left);
      row[i] =
          (float)
              switch (metric) {
                case L2 -> query[i] + (1 + tiny) * unit;
                case COSINE -> (0.99 + tiny) * query[i] / Math.sqrt(squares) + 0.141 * unit;
                case DOT -> across[i] + (0.01 + tiny) * query[i] / squares;
              };
    }
    return row;
  }

  /**
   * A product of parallel unit vectors is above 1 as often as not, by an error of rounding. (Of
   * opposite ones it is below −1, but 2 and so little more is 2 as a float.)
   */
  @Contract({"exact.bit-for-bit", "search.reported-distance"})
  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("cosineShapes")
  void parallelAndOppositeRowsAreNoNearerThanZeroAndNoFartherThanTwo(Subject.Shape shape) {
    Rows rows = Rows.gaussian(shape.metric(), shape.dimension(), 10);
    long[] ids = rows.ids();
    for (long id : ids) {
      rows.put(100 + id, TestVectors.scaled(rows.byId.get(id), -1));
      rows.put(200 + id, TestVectors.scaled(rows.byId.get(id), 3));
    }
    int count = 3 * ids.length;
    try (VectorIndex index = rows.index(subject)) {
      for (long id : ids) {
        float[] query = rows.byId.get(id);
        List<Hit> hits = index.search(SearchRequest.of(query, count).exact()).hits();
        assertThat(hits).isEqualTo(rows.nearest(query, count));
        assertThat(hits).allMatch(hit -> hit.distance() >= 0 && hit.distance() <= 2);
        rows.assertDistances(query, index.search(query, count));
      }
    }
  }

  final List<Subject.Shape> cosineShapes() {
    return shapes().stream().filter(shape -> shape.metric() == Metric.COSINE).toList();
  }

  /**
   * Its length is between two floats, and one of them is right only if small squares are added to
   * each other before they are added to the large ones, where they vanish one by one.
   */
  private static float[] nextToATie(int number) {
    float[] row = new float[SENSITIVE];
    Arrays.fill(row, 0x1p-4f);
    // (3u)² + (4u)² = (5u)², and 5u has 25 bits.
    int u = (1 << 22) + 1 + 4 * number;
    row[0] = 3 * u;
    row[4] = 4 * u;
    return row;
  }

  /** So that 1 − Σâᵢb̂ᵢ is small. */
  private static float[] nearly(float[] vector, RandomGenerator random) {
    float[] near = vector.clone();
    for (int i = 0; i < near.length; i++) {
      near[i] += (float) (1e-4 * random.nextGaussian());
    }
    return near;
  }

  /** Large components that sum to nothing, among small ones. */
  private static float[] cancelling(RandomGenerator random) {
    float[] row = TestVectors.gaussian(random, SENSITIVE);
    for (int i = 0; i + 3 < SENSITIVE; i += 4) {
      float large = (float) (0x1p40 * random.nextGaussian());
      row[i] = large;
      row[i + 3] = -large;
    }
    return row;
  }
}
