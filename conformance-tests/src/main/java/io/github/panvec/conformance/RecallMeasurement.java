package io.github.panvec.conformance;

import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongPredicate;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Recall@10 of one index, before and after every row was replaced once.
 *
 * <p>A hit counts when its distance is no larger than that of the tenth nearest row, by the
 * reference, so that ties are no misses.
 *
 * @param filtered that of filtered searches before, by the share of rows that pass; empty where
 *     {@link RecallCell#isFiltered} says so
 */
record RecallMeasurement(Sample fresh, Sample replaced, Map<Double, Sample> filtered) {
  /** So few that a graph is walked for half of the rows: with the default they are scanned. */
  private static final int FILTERED_EF_SEARCH = 16;

  private static final int CHUNK = 1000;

  /** Every so many rows one is replaced by {@code upsert}, the others in chunks. */
  private static final int UPSERT_EVERY = 50;

  /**
   * Recall over queries.
   *
   * @param mean from 0 to 1
   * @param standardError of the mean
   */
  record Sample(double mean, double standardError) {

    static Sample of(double[] values) {
      double mean = Arrays.stream(values).average().orElseThrow();
      double squares = Arrays.stream(values).map(value -> (value - mean) * (value - mean)).sum();
      return new Sample(mean, Math.sqrt(squares / (values.length - 1) / values.length));
    }

    /**
     * What several runs over the same queries say of one more: to the error over queries comes the
     * spread of the runs.
     */
    static Sample of(List<Sample> runs) {
      double mean = runs.stream().mapToDouble(Sample::mean).average().orElseThrow();
      double variance =
          runs.stream()
              .mapToDouble(run -> run.standardError * run.standardError)
              .average()
              .orElseThrow();
      if (runs.size() > 1) {
        variance +=
            runs.stream().mapToDouble(run -> (run.mean - mean) * (run.mean - mean)).sum()
                / (runs.size() - 1);
      }
      return new Sample(mean, Math.sqrt(variance));
    }
  }

  /** Makes an index of this spec, fills it, trains it where it learns, and measures. */
  static RecallMeasurement of(Subject subject, IndexSpec spec, RecallData data) {
    Metric metric = spec.metric();
    try (VectorIndex index = subject.create(spec)) {
      forEachChunk(data.rows, index::addAll);
      // Kinds that wait for more rows would answer by exact scan.
      index.train(TestVectors.flat(data.rows));
      Sample fresh = recall(index, data.queries, data.rows, data.truth(metric), metric);
      Map<Double, Sample> filtered = new TreeMap<>();
      if (RecallCell.isFiltered(spec.dimension())) {
        RecallData.SHARES.forEach(
            share -> filtered.put(share, filteredRecall(index, data, share, metric)));
      }
      replaceEveryRow(index, data);
      Sample replaced =
          recall(index, data.queries, data.replacements, data.truthAfterReplacing(metric), metric);
      return new RecallMeasurement(fresh, replaced, filtered);
    }
  }

  /** Several measurements as one, see {@link Sample#of(List)}. */
  static RecallMeasurement of(List<RecallMeasurement> runs) {
    return new RecallMeasurement(
        Sample.of(runs.stream().map(RecallMeasurement::fresh).toList()),
        Sample.of(runs.stream().map(RecallMeasurement::replaced).toList()),
        runs.get(0).filtered().keySet().stream()
            .collect(
                Collectors.toMap(
                    share -> share,
                    share ->
                        Sample.of(runs.stream().map(run -> run.filtered().get(share)).toList()),
                    (one, other) -> one,
                    TreeMap::new)));
  }

  private interface Write {
    void write(long[] ids, float[] vectors);
  }

  private static void forEachChunk(float[][] rows, Write write) {
    for (int from = 0; from < rows.length; from += CHUNK) {
      int to = Math.min(rows.length, from + CHUNK);
      write.write(
          LongStream.range(from, to).toArray(),
          TestVectors.flat(Arrays.copyOfRange(rows, from, to)));
    }
  }

  private static void replaceEveryRow(VectorIndex index, RecallData data) {
    float[][] rows = data.replacements;
    for (int from = 0; from < rows.length; from += CHUNK) {
      int to = Math.min(rows.length, from + CHUNK);
      long[] ids = LongStream.range(from, to).filter(id -> id % UPSERT_EVERY != 0).toArray();
      for (long id : ids) {
        index.remove(id);
      }
      index.addAll(
          ids,
          TestVectors.flat(
              LongStream.of(ids).mapToObj(id -> rows[(int) id]).toArray(float[][]::new)));
      for (int id = from; id < to; id += UPSERT_EVERY) {
        index.upsert(id, rows[id]);
      }
    }
  }

  private static Sample recall(
      VectorIndex index, float[][] queries, float[][] rows, float[] truth, Metric metric) {
    SearchRequest request = SearchRequest.of(TestVectors.flat(queries), RecallData.K);
    return recall(index.searchAll(request), queries, rows, truth, metric, id -> true);
  }

  private static Sample filteredRecall(
      VectorIndex index, RecallData data, double share, Metric metric) {
    IdFilter filter = data.filter(share);
    SearchRequest request =
        SearchRequest.of(TestVectors.flat(data.queries), RecallData.K)
            .filter(filter)
            .efSearch(FILTERED_EF_SEARCH);
    float[] truth = data.truth(metric, share);
    return recall(index.searchAll(request), data.queries, data.rows, truth, metric, filter::test);
  }

  private static Sample recall(
      List<SearchResult> results,
      float[][] queries,
      float[][] rows,
      float[] truth,
      Metric metric,
      LongPredicate passing) {
    return Sample.of(
        IntStream.range(0, queries.length)
            .mapToDouble(q -> recall(results.get(q), queries[q], rows, truth[q], metric, passing))
            .toArray());
  }

  private static double recall(
      SearchResult result,
      float[] query,
      float[][] rows,
      float kth,
      Metric metric,
      LongPredicate passing) {
    float[] stored = Reference.stored(metric, query);
    long found =
        LongStream.of(result.ids())
            .distinct()
            .filter(passing)
            .filter(
                id ->
                    Reference.distance(metric, stored, Reference.stored(metric, rows[(int) id]))
                        <= kth)
            .limit(RecallData.K)
            .count();
    return (double) found / RecallData.K;
  }
}
