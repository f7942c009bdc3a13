package io.github.panvec;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The nearest of several results, which come one after another. For one thread. */
final class Merge {
  private final int k;
  private long[] ids = {};
  private float[] distances = {};

  /** Which result each hit is from. */
  private int[] sources = {};

  private @Nullable SearchPath path;

  /**
   * An id in two results.
   *
   * @param one number of the result with the nearer hit
   * @param other number of the other one
   */
  record Twice(long id, int one, int other) {}

  Merge(int k) {
    this.k = k;
  }

  /**
   * Takes hits in.
   *
   * @param source number of the result
   */
  void add(SearchResult more, int source) {
    path = path == null ? more.path() : common(path, more.path());
    int count = (int) Math.min(k, (long) ids.length + more.count());
    long[] mergedIds = new long[count];
    float[] mergedDistances = new float[count];
    int[] mergedSources = new int[count];
    int mine = 0;
    int theirs = 0;
    for (int rank = 0; rank < count; rank++) {
      if (theirs == more.count() || mine < ids.length && isBefore(mine, more, theirs)) {
        mergedIds[rank] = ids[mine];
        mergedDistances[rank] = distances[mine];
        mergedSources[rank] = sources[mine++];
      } else {
        mergedIds[rank] = more.id(theirs);
        mergedDistances[rank] = more.distance(theirs++);
        mergedSources[rank] = source;
      }
    }
    ids = mergedIds;
    distances = mergedDistances;
    sources = mergedSources;
  }

  private boolean isBefore(int mine, SearchResult more, int theirs) {
    float distance = more.distance(theirs);
    return distances[mine] < distance
        || distances[mine] == distance && ids[mine] <= more.id(theirs);
  }

  /** A walk, if one of them was: what it missed is missing. */
  private static SearchPath common(SearchPath one, SearchPath other) {
    if (one == other) {
      return one;
    }
    boolean walked = one == SearchPath.WALK || other == SearchPath.WALK;
    return walked ? SearchPath.WALK : SearchPath.WALK_THEN_SCAN;
  }

  /** An id that is twice among the hits, or null. */
  @Nullable Twice twice() {
    long[] sorted = ids.clone();
    Arrays.sort(sorted);
    for (int i = 1; i < sorted.length; i++) {
      if (sorted[i] == sorted[i - 1]) {
        return twice(sorted[i]);
      }
    }
    return null;
  }

  private Twice twice(long id) {
    int one = 0;
    while (ids[one] != id) {
      one++;
    }
    int other = one + 1;
    while (ids[other] != id) {
      other++;
    }
    return new Twice(id, sources[one], sources[other]);
  }

  /** The hits so far. */
  SearchResult result() {
    return new SearchResult(ids, distances, path == null ? SearchPath.SCAN : path);
  }
}
