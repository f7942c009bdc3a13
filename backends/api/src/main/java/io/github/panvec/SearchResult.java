package io.github.panvec;

import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * The hits of one search, nearest first; equal distances are in order of ids. Immutable; never
 * padded: {@link #count()} is how many there are.
 */
public final class SearchResult {
  private final long[] ids;
  private final float[] distances;
  private final SearchPath path;

  /**
   * Takes both arrays over; hits of a scan.
   *
   * @throws IllegalArgumentException when their lengths differ
   */
  public SearchResult(long[] ids, float[] distances) {
    this(ids, distances, SearchPath.SCAN);
  }

  /**
   * Takes both arrays over.
   *
   * @throws IllegalArgumentException when their lengths differ
   */
  public SearchResult(long[] ids, float[] distances, SearchPath path) {
    if (ids.length != distances.length) {
      throw new IllegalArgumentException(
          ids.length + " ids but " + distances.length + " distances");
    }
    this.ids = ids;
    this.distances = distances;
    this.path = Objects.requireNonNull(path, "path");
  }

  /** How many hits: at most k, fewer only when fewer vectors are live or match the filter. */
  public int count() {
    return ids.length;
  }

  /** Id of hit {@code rank}, 0 being the nearest. */
  public long id(int rank) {
    return ids[Objects.checkIndex(rank, ids.length)];
  }

  /** Distance of hit {@code rank}, 0 being the nearest. */
  public float distance(int rank) {
    return distances[Objects.checkIndex(rank, distances.length)];
  }

  /** A copy of all ids, nearest first. */
  public long[] ids() {
    return ids.clone();
  }

  /** A copy of all distances, ascending. */
  public float[] distances() {
    return distances.clone();
  }

  /** The first {@code count} hits alone. */
  public SearchResult first(int count) {
    return count == ids.length
        ? this
        : new SearchResult(Arrays.copyOf(ids, count), Arrays.copyOf(distances, count), path);
  }

  /** How the search came to its hits. */
  public SearchPath path() {
    return path;
  }

  /** The hits as an unmodifiable list. */
  public List<Hit> hits() {
    return new AbstractList<>() {
      @Override
      public Hit get(int rank) {
        return new Hit(id(rank), distance(rank));
      }

      @Override
      public int size() {
        return count();
      }
    };
  }

  /** For example {@code [7: 0.0, 441: 0.25]}. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("[");
    for (int i = 0; i < ids.length; i++) {
      text.append(i == 0 ? "" : ", ").append(ids[i]).append(": ").append(distances[i]);
    }
    return text.append(']').toString();
  }
}
