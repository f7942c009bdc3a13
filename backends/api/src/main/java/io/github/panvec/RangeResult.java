package io.github.panvec;

import java.util.Objects;

/**
 * What lies within a distance.
 *
 * @param hits nearest first, equal distances in order of ids
 * @param truncated whether there are as many hits as the limit allows, so that there may be more
 * @param approximate whether the distances that decided are those of codes and not of the vectors,
 *     as in an index that keeps codes only ({@link Capabilities#codesOnly()})
 */
public record RangeResult(SearchResult hits, boolean truncated, boolean approximate) {
  public RangeResult {
    Objects.requireNonNull(hits, "hits");
  }

  /**
   * For backends: those of the nearest {@code limit} that lie within {@code radius}.
   *
   * @param nearest nearest first, as many as there are up to {@code limit}
   */
  public static RangeResult within(
      float radius, SearchResult nearest, int limit, boolean approximate) {
    int count = 0;
    while (count < nearest.count() && nearest.distance(count) <= radius) {
      count++;
    }
    return new RangeResult(nearest.first(count), count == limit, approximate);
  }
}
