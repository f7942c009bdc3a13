package io.github.panvec.bench.data;

import io.github.panvec.Metric;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Vectors to index and vectors to ask with.
 *
 * @param name for people
 * @param origin where the rows and the queries come from, for people
 * @param metric the one it is made for; null when it does not say
 * @param baseNames one name per row, or null; may be longer than {@code base} when that was limited
 * @param queryNames one name per query, or null
 * @param neighbors true neighbours that came with it, nearest first, for its first queries; null
 *     when none came
 */
public record Dataset(
    String name,
    String origin,
    VectorSet base,
    VectorSet queries,
    @Nullable Metric metric,
    @Nullable List<String> baseNames,
    @Nullable List<String> queryNames,
    int @Nullable [][] neighbors) {

  /**
   * The first {@code rows} rows, and the first {@code count} queries. Given neighbours go when rows
   * do.
   */
  public Dataset limit(int rows, int count) {
    return new Dataset(
        name,
        origin,
        base.head(rows),
        queries.head(count),
        metric,
        baseNames,
        queryNames,
        rows < base.rows() ? null : neighbors);
  }
}
