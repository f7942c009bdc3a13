package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a search returns. */
class SearchTest extends ConformanceTest {

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

  @Test
  @Contract("search.min-k-live")
  void fewerThanKHitsComeOnlyWhenFewerAreLive() {
    Metric metric = any(Metric.COSINE);
    Rows rows = Rows.gaussian(metric, 16, 60);
    try (VectorIndex index = create(16, metric)) {
      rows.addTo(index);
      float[] query = TestVectors.gaussian(rows.random, 16);
      assertThat(index.search(query, 59).count()).isEqualTo(59);
      assertThat(index.search(query, 61).count()).isEqualTo(60);
      assertThat(index.search(query, Integer.MAX_VALUE).count()).isEqualTo(60);
      assertThat(index.search(query, Integer.MAX_VALUE).hits()).isEqualTo(rows.nearest(query, 60));
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("search.large-k")
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
  @Contract("search.k-at-least-one")
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
  @Contract("search.empty-index")
  void anEmptyIndexAnswersWithNothing() {
    try (VectorIndex index = create(3, any(Metric.COSINE))) {
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

  @Test
  @Contract("search.buffer")
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

  @Test
  @Contract("stats.live")
  void statsCountLiveRows() {
    try (VectorIndex index = create(4, any(Metric.L2))) {
      index.addAll(new long[] {1, 2, 3}, ones(12));
      index.remove(2);
      assertThat(index.stats().size()).isEqualTo(2);
      // A backend in plain Java has none.
      boolean isNative = Panvec.backend(subject.backend()).availability().library() != null;
      assertThat(index.stats().nativeBytes()).isGreaterThanOrEqualTo(isNative ? 1 : 0);
    }
  }
}
