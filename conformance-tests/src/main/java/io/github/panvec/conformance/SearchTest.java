package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchPath;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a search returns. */
class SearchTest extends ConformanceTest {

  static Stream<Subject> subjects() {
    return Subjects.all().stream();
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("search.order")
  void hitsComeByDistanceThenIdEachIdOnce(Metric metric) {
    Rows rows = Rows.gaussian(metric, 24, 500);
    long[] ids = rows.ids();
    for (int i = 0; i < 20; i++) {
      rows.put(ids[ids.length - 1 - i], rows.byId.get(ids[0]));
    }
    try (VectorIndex index = rows.index(subject)) {
      for (int k : new int[] {1, 30, 500}) {
        SearchResult result = index.search(rows.byId.get(ids[0]), k);
        assertThat(result.count()).isEqualTo(k);
        assertThat(result.ids()).doesNotHaveDuplicates();
        CodesOnlyTest.assertInOrder(result);
        if (Conformance.WALKING && subject.capabilities().approximate()) {
          assertThat(result.path()).isNotEqualTo(SearchPath.SCAN);
        }
      }
    }
  }

  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("metricsOfTheZeroVector")
  @Contract("vectors.zero-elsewhere")
  void theZeroVectorIsARowAndAQuery(Metric metric) {
    Rows rows = Rows.gaussian(metric, 5, 30);
    rows.put(100, new float[5]);
    try (VectorIndex index = rows.index(subject)) {
      for (float[] query : List.of(new float[5], rows.query())) {
        SearchResult result = index.search(query, 31);
        assertThat(result.count()).isEqualTo(31);
        if (subject.keepsVectors()) {
          assertThat(result.hits()).isEqualTo(rows.nearest(query, 31));
        }
      }
    }
  }

  final List<Metric> metricsOfTheZeroVector() {
    return metrics().stream().filter(metric -> metric != Metric.COSINE).toList();
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
      if (subject.keepsVectors()) {
        assertThat(index.search(query, Integer.MAX_VALUE).hits())
            .isEqualTo(rows.nearest(query, 60));
      }
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
      if (subject.keepsVectors()) {
        assertThat(index.search(SearchRequest.of(query, 4500).exact()).hits())
            .isEqualTo(rows.nearest(query, 4500));
      }
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
      assertThat(index.search(SearchRequest.of(query, 5).filter(IdFilter.in(1, 2))).count())
          .isZero();
      if (subject.keepsVectors()) {
        assertThat(index.search(SearchRequest.of(query, 5).exact()).count()).isZero();
        assertThat(index.get(1)).isEmpty();
      }
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
