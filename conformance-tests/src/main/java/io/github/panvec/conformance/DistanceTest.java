package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Vectors and distances, bit for bit, at every metric and dimension. */
class DistanceTest extends ConformanceTest {
  private static final int ROWS = 80;

  /** The dimension of vectors that tell in which order sums were added. */
  private static final int SENSITIVE = 104;

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
        assertThat(hits(index.searchAll(request))).isEqualTo(plain.subList(0, count));
        assertThat(hits(index.searchAll(request.exact()))).isEqualTo(exact.subList(0, count));
      }
    }
  }

  private static List<List<Hit>> hits(List<SearchResult> results) {
    return results.stream().map(SearchResult::hits).toList();
  }

  @Contract("vectors.heap-and-native-alike")
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
        assertThat(index.search(SearchRequest.of(query, 20).exact()).hits())
            .isEqualTo(rows.nearest(query, 20));
        rows.assertDistances(query, index.search(query, 20));
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
