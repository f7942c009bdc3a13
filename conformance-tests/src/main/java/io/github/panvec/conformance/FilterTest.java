package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
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
