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
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Batches of queries. */
class BatchTest extends ConformanceTest {

  static Stream<Subject> subjects() {
    return Subjects.all().stream();
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("batch.as-one-by-one")
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
        float[] queries = rows.queries(count);
        MemorySegment inNative = arena.allocateFrom(ValueLayout.JAVA_FLOAT, queries);
        assertAsOneByOne(index, SearchRequest.of(queries, 10), count);
        assertAsOneByOne(index, SearchRequest.of(inNative, 10).efSearch(20), count);
        if (subject.keepsVectors()) {
          assertAsOneByOne(index, SearchRequest.of(queries, 10).exact(), count);
        }
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
  @Contract("batch.empty")
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
  @Contract("batch.bad-query-named")
  void aBadQueryOfABatchIsNamed() {
    Metric metric = any(Metric.COSINE);
    Rows rows = Rows.gaussian(metric, 17, 500);
    try (VectorIndex index = create(17, metric)) {
      rows.addTo(index);
      for (boolean exact : subject.keepsVectors() ? new boolean[] {false, true} : new boolean[1]) {
        float[] queries = rows.queries(64);
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
      assertThat(index.size()).isEqualTo(500);
    }
  }

  @Test
  @Contract({"batch.as-one-by-one", "threads.searches-together"})
  void batchesOfQueriesRunTogether() throws Exception {
    Metric metric = any(Metric.DOT);
    Rows rows = Rows.gaussian(metric, 16, 2000);
    try (VectorIndex index = create(16, metric);
        ExecutorService pool = Executors.newFixedThreadPool(4)) {
      rows.addTo(index);
      SearchRequest batch = SearchRequest.of(rows.queries(40), 10);
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

  static List<List<Hit>> hits(List<SearchResult> results) {
    return results.stream().map(SearchResult::hits).toList();
  }
}
