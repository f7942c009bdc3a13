package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.github.panvec.DuplicateIdException;
import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What is left of the contract where an index keeps codes in place of its vectors. */
class CodesOnlyTest extends ConformanceTest {
  private static final int DIMENSION = 16;

  static Stream<Subject> subjects() {
    return Subjects.codesOnly();
  }

  private static Map<Long, float[]> gaussian(RandomGenerator random, int count) {
    return gaussian(random, DIMENSION, count);
  }

  private static Map<Long, float[]> gaussian(RandomGenerator random, int dimension, int count) {
    Map<Long, float[]> rows = new TreeMap<>();
    for (long id = 0; id < count; id++) {
      rows.put(id, TestVectors.gaussian(random, dimension));
    }
    return rows;
  }

  private VectorIndex index(Metric metric, Map<Long, float[]> rows) {
    VectorIndex index = create(rows.get(0L).length, metric);
    index.addAll(
        rows.keySet().stream().mapToLong(Long::longValue).toArray(),
        TestVectors.flat(rows.values().toArray(float[][]::new)));
    return index;
  }

  @Test
  @Contract("codes.capabilities-say-so")
  void capabilitiesSaySoBeforehand() {
    Metric metric = any(Metric.COSINE);
    assertThat(Panvec.capabilities(spec(DIMENSION, metric)).codesOnly()).isTrue();
    try (VectorIndex index = create(DIMENSION, metric)) {
      assertThat(index.capabilities()).isEqualTo(Panvec.capabilities(spec(DIMENSION, metric)));
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("codes.refuse-what-needs-vectors")
  void whatNeedsTheVectorsIsRefusedNamingTheSpec(Metric metric) {
    RandomGenerator random = TestVectors.random();
    float[] query = TestVectors.gaussian(random, DIMENSION);
    for (int count : new int[] {1, 100}) {
      try (VectorIndex index = index(metric, gaussian(random, count))) {
        SearchRequest exact = SearchRequest.of(query, 5).exact();
        SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 5);
        for (Runnable call :
            List.<Runnable>of(
                () -> index.get(0),
                () -> index.get(123_456),
                () -> index.search(exact),
                () -> index.search(exact.filter(IdFilter.in(0))),
                () -> index.search(exact, buffer),
                () -> index.searchAll(exact))) {
          assertThatThrownBy(call::run)
              .isInstanceOf(UnsupportedOperationException.class)
              .hasMessageContaining("float32 vectors")
              .hasMessageContaining("keepVectors=false");
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("codes.min-k-matches")
  void searchesReturnMinKMatchesAtAnySelectivity(Metric metric) {
    int count = 2000;
    RandomGenerator random = TestVectors.random();
    Map<Long, float[]> rows = gaussian(random, count);
    try (VectorIndex index = index(metric, rows)) {
      for (long id = 0; id < count; id += 5) {
        assertThat(index.remove(id)).isTrue();
        rows.remove(id);
      }
      for (int share : new int[] {1, 2, 20, 400, 3000}) {
        long[] ids = LongStream.range(0, count).filter(id -> id % share == share / 2).toArray();
        IdFilter filter = IdFilter.in(ids);
        int matches = (int) rows.keySet().stream().filter(filter::test).count();
        for (int k : new int[] {1, 10, 50, count}) {
          float[] query = TestVectors.gaussian(random, DIMENSION);
          SearchResult result = index.search(SearchRequest.of(query, k).filter(filter));
          assertThat(result.count()).as("k %d, 1 in %d", k, share).isEqualTo(Math.min(k, matches));
          assertThat(result.hits())
              .allMatch(hit -> filter.test(hit.id()) && rows.containsKey(hit.id()));
          assertThat(result.ids()).doesNotHaveDuplicates();
          assertInOrder(result);
        }
      }
    }
  }

  /** By distance, then by id. */
  static void assertInOrder(SearchResult result) {
    for (int i = 1; i < result.count(); i++) {
      float before = result.distance(i - 1);
      assertThat(result.distance(i)).isFinite().isGreaterThanOrEqualTo(before);
      if (result.distance(i) == before) {
        assertThat(result.id(i)).isGreaterThan(result.id(i - 1));
      }
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("codes.one-distance")
  void anIdHasOneDistanceWhateverWayItWasFound(Metric metric) {
    assertOneDistance(metric, DIMENSION, 1000);
  }

  @ParameterizedTest
  @MethodSource("shapes")
  @Contract({"codes.one-distance", "codes.min-k-matches"})
  void anIdHasOneDistanceInEveryDimension(Subject.Shape shape) {
    assertOneDistance(shape.metric(), shape.dimension(), 80);
  }

  private void assertOneDistance(Metric metric, int dimension, int count) {
    RandomGenerator random = TestVectors.random();
    try (VectorIndex index = index(metric, gaussian(random, dimension, count))) {
      for (int q = 0; q < 5; q++) {
        float[] query = TestVectors.gaussian(random, dimension);
        SearchResult all = index.search(query, count);
        assertThat(all.count()).isEqualTo(count);
        assertThat(all.ids()).doesNotHaveDuplicates();
        assertInOrder(all);
        Map<Long, Float> scanned = new TreeMap<>();
        for (Hit hit : all.hits()) {
          scanned.put(hit.id(), hit.distance());
        }
        for (Hit hit : index.search(query, 10).hits()) {
          assertThat(hit.distance()).isEqualTo(scanned.get(hit.id()));
          SearchRequest alone = SearchRequest.of(query, 1).filter(IdFilter.in(hit.id()));
          assertThat(index.search(alone).hits()).containsExactly(hit);
        }
        assertThat(index.searchAll(query, 10).get(0).hits())
            .isEqualTo(index.search(query, 10).hits());
      }
    }
  }

  /**
   * {@code -Dpanvec.conformance.measureRecall=FILE} appends lines of {@code code-errors.csv} to the
   * file beside it whose name begins with {@code code-}.
   */
  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("codes.distances-follow")
  void reportedDistancesAreNearThoseOfTheVectors(Metric metric) {
    RecallMeasurement.Sample measured = CodeErrors.of(subject, metric);
    Optional<Path> file = RecallFloors.measuring();
    file.map(each -> each.resolveSibling("code-" + each.getFileName()))
        .ifPresent(beside -> CodeErrors.append(beside, subject, metric, measured));
    assumeFalse(file.isPresent(), "measured in place of a check");
    assertThat(measured.mean())
        .as("mean of |reported - reference| / spread of the reference")
        .isLessThanOrEqualTo(CodeErrors.bound(subject, metric));
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract({
    "codes.writes",
    "add.duplicate-refused",
    "add.all-or-nothing",
    "vectors.finite",
    "upsert.replaces",
    "remove.true-if-live",
    "remove.later-search-does-not-see"
  })
  void writesKeepTheirContract(Metric metric) {
    RandomGenerator random = TestVectors.random();
    Map<Long, float[]> rows = gaussian(random, 300);
    try (VectorIndex index = index(metric, rows)) {
      assertThatThrownBy(() -> index.add(7, rows.get(7L))).isInstanceOf(DuplicateIdException.class);
      float[] bad = TestVectors.gaussian(random, 2 * DIMENSION);
      bad[DIMENSION + 3] = Float.NaN;
      assertThatThrownBy(() -> index.addAll(new long[] {1000, 1001}, bad))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("row 1")
          .hasMessageContaining("component 3");
      assertThat(index.size()).isEqualTo(300);
      assertThat(index.contains(1000)).isFalse();
      index.upsert(7, rows.get(8L));
      float[] query = TestVectors.gaussian(random, DIMENSION);
      assertThat(distance(index, query, 7)).isEqualTo(distance(index, query, 8));
      index.add(1000, rows.get(9L));
      assertThat(index.size()).isEqualTo(301);
      assertThat(index.search(rows.get(7L), 301).ids()).contains(7, 1000).doesNotHaveDuplicates();
      for (long id = 0; id < 300; id++) {
        assertThat(index.remove(id)).isTrue();
      }
      assertThat(index.remove(0)).isFalse();
      assertThat(index.search(rows.get(9L), 5).ids()).containsExactly(1000);
    }
  }

  private static float distance(VectorIndex index, float[] query, long id) {
    return index.search(SearchRequest.of(query, 1).filter(IdFilter.in(id))).distance(0);
  }
}
