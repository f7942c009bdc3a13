package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchPath;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Filtered search. */
class FilterTest extends ConformanceTest {

  static Stream<Subject> subjects() {
    return Subjects.all().stream();
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract({"filter.min-k-matches", "filter.only-matches"})
  void filteredSearchReturnsEveryMatchAtAnySelectivity(Metric metric) {
    int count = subject.keepsVectors() ? 4000 : 1500;
    Rows rows = Rows.gaussian(metric, 16, count);
    try (VectorIndex index = create(16, metric)) {
      rows.addTo(index);
      for (long id : rows.every(3)) {
        index.remove(id);
        rows.remove(id);
      }
      for (double share : new double[] {1, 0.5, 0.1, 0.01, 0.001, 0}) {
        List<Long> shuffled = new ArrayList<>(rows.byId.keySet());
        Collections.shuffle(shuffled, new java.util.Random(TestVectors.seed()));
        int matches = (int) Math.ceil(share * shuffled.size());
        long[] chosen = shuffled.subList(0, matches).stream().mapToLong(Long::longValue).toArray();
        assertFiltered(index, rows, IdFilter.in(chosen), matches);
        BitSet bits = new BitSet();
        for (long id : chosen) {
          bits.set((int) (id + 1000));
        }
        assertFiltered(index, rows, IdFilter.bitmap(-1000, bits), matches);
      }
    }
  }

  /** That plain hits are the nearest of the matches is held by {@link RecallTest}. */
  private void assertFiltered(VectorIndex index, Rows rows, IdFilter filter, int matches) {
    float[] query = rows.query();
    for (int k : new int[] {1, 10, 50}) {
      SearchRequest request = SearchRequest.of(query, k).filter(filter);
      SearchResult plain = index.search(request);
      assertThat(plain.count()).as("k %d, %s", k, filter).isEqualTo(Math.min(k, matches));
      assertThat(plain.hits())
          .allMatch(hit -> filter.test(hit.id()) && rows.byId.containsKey(hit.id()));
      if (subject.keepsVectors()) {
        rows.assertDistances(query, plain);
        List<Hit> nearest = rows.nearest(query, k, filter::test);
        assertThat(index.search(request.exact()).hits())
            .as("exact, k %d, %s", k, filter)
            .isEqualTo(nearest);
        if (!subject.capabilities().approximate()) {
          assertThat(plain.hits()).as("k %d, %s", k, filter).isEqualTo(nearest);
        }
      } else {
        CodesOnlyTest.assertInOrder(plain);
      }
    }
  }

  /**
   * Graphs are walked where many rows match, and their walks keep to the filter: where few match,
   * and all rows are looked at, no test would notice a walk that does not.
   */
  @Test
  @Contract({"filter.min-k-matches", "filter.only-matches"})
  void aGraphIsWalkedThroughItsFilterWhereManyRowsMatch() {
    assumeTrue(subject.hasGraph(), () -> subject + " has no graph");
    Rows rows = Rows.gaussian(any(Metric.L2), 16, 5000);
    try (VectorIndex index = rows.index(subject)) {
      for (long id : rows.every(10)) {
        index.remove(id);
        rows.remove(id);
      }
      long[] half = LongStream.of(rows.ids()).filter(id -> id % 2 == 0).toArray();
      long[] few = LongStream.of(half).filter(id -> id % 250 == 0).toArray();
      BitSet bits = new BitSet();
      LongStream.of(half).forEach(id -> bits.set((int) (id + 1000)));
      assertWalked(index, rows, IdFilter.in(half), half.length);
      assertWalked(index, rows, IdFilter.bitmap(-1000, bits), half.length);
      assertWalked(index, rows, IdFilter.matching(id -> id % 2 == 0), half.length);
      assertWalked(index, rows, index.prepare(IdFilter.matching(id -> id % 2 == 0)), half.length);
      for (IdFilter filter : List.of(IdFilter.in(few), index.prepare(IdFilter.in(few)))) {
        SearchPath path = index.search(low(rows.query()).filter(filter)).path();
        // Where engines are told to search for themselves, they do.
        assertThat(path == SearchPath.SCAN).isNotEqualTo(Conformance.WALKING);
      }
    }
  }

  /** So little is asked of a walk that it costs less than a scan. */
  private static SearchRequest low(float[] query) {
    return SearchRequest.of(query, 5).efSearch(5);
  }

  private void assertWalked(VectorIndex index, Rows rows, IdFilter filter, int matches) {
    SearchBuffer buffer = SearchBuffer.allocate(16, 5);
    int walks = 0;
    for (int i = 0; i < 20; i++) {
      SearchRequest request = low(rows.query()).filter(filter);
      List<SearchResult> results = new ArrayList<>(index.searchAll(request));
      results.add(index.search(request));
      index.search(request, buffer);
      results.add(buffer.toResult());
      for (SearchResult result : results) {
        // A walk that found too few is completed by a scan.
        assertThat(result.path())
            .as("path through %d matches", matches)
            .isNotEqualTo(SearchPath.SCAN);
        assertThat(result.hits())
            .as("hits of a %s", result.path())
            .hasSize(5)
            .allMatch(hit -> hit.id() % 2 == 0 && rows.byId.containsKey(hit.id()));
        walks += result.path() == SearchPath.WALK ? 1 : 0;
      }
    }
    assertThat(walks).as("walks that found enough").isGreaterThan(30);
  }

  @Test
  @Contract({"filter.min-k-matches", "filter.unknown-ids"})
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
}
