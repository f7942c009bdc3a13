package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.RangeResult;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Everything within a distance. */
class RangeTest extends ConformanceTest {
  private static final int ROWS = 3000;

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("range.all-within")
  void aRangeHasEverythingWithinTheRadiusAndNothingElse(Metric metric) {
    Rows rows = Rows.gaussian(metric, 8, ROWS);
    try (VectorIndex index = rows.index(subject)) {
      for (long id : rows.every(7)) {
        index.remove(id);
        rows.remove(id);
      }
      int live = rows.byId.size();
      float[] query = rows.query();
      List<Hit> all = rows.nearest(query, live);
      // Those at the very radius belong to it.
      for (int within : new int[] {1, 10, 1023, 1024, 1025, live}) {
        float radius = all.get(within - 1).distance();
        int expected = (int) all.stream().filter(hit -> hit.distance() <= radius).count();
        RangeResult found = index.searchRange(query, radius, live + 1);
        assertThat(found.hits().hits()).isEqualTo(all.subList(0, expected));
        assertThat(found.truncated()).isFalse();
        assertThat(found.approximate()).isFalse();
      }
      RangeResult everything = index.searchRange(query, Float.POSITIVE_INFINITY, live + 1);
      assertThat(everything.hits().hits()).isEqualTo(all);
      float below = Math.nextDown(all.get(0).distance());
      if (below >= 0 || metric == Metric.DOT) {
        assertThat(index.searchRange(query, below, live).hits().count()).isZero();
      }
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("range.limit")
  void aLimitKeepsTheNearestAndSaysSo(Metric metric) {
    Rows rows = Rows.gaussian(metric, 8, 500);
    try (VectorIndex index = rows.index(subject)) {
      float[] query = rows.query();
      List<Hit> all = rows.nearest(query, 500);
      float radius = all.get(99).distance();
      for (int limit : new int[] {1, 50, 99}) {
        RangeResult found = index.searchRange(query, radius, limit);
        assertThat(found.hits().hits()).isEqualTo(all.subList(0, limit));
        assertThat(found.truncated()).isTrue();
      }
      IdFilter filter = IdFilter.in(IntStream.range(0, 100).mapToLong(i -> 2L * i).toArray());
      List<Hit> filtered = rows.nearest(query, 500, filter::test);
      SearchRequest request = SearchRequest.of(query, 400).filter(filter);
      assertThat(index.searchRange(request, Float.POSITIVE_INFINITY).hits().hits())
          .isEqualTo(filtered);
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("range.radius")
  void aRadiusThatIsNoDistanceIsRefused(Metric metric) {
    try (VectorIndex index = create(3, metric)) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> index.searchRange(ones(3), Float.NaN, 5))
          .withMessageContaining("radius")
          .withMessageContaining("NaN");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> index.searchRange(ones(3), 1, 0))
          .withMessageContaining("0");
      if (metric == Metric.DOT) {
        assertThat(index.searchRange(ones(3), -1, 5).hits().count()).isZero();
      } else {
        assertThatIllegalArgumentException()
            .isThrownBy(() -> index.searchRange(ones(3), -0.5f, 5))
            .withMessageContaining("radius")
            .withMessageContaining("-0.5");
      }
      index.add(1, ones(3));
      assertThat(index.searchRange(ones(3), 0, 5).truncated()).isFalse();
    }
  }
}
