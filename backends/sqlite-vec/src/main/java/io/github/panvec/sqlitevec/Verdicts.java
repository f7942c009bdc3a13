package io.github.panvec.sqlitevec;

import io.github.panvec.IdFilter;
import io.github.panvec.Limits;
import io.github.panvec.engine.Turns;
import java.util.Arrays;

/**
 * What a filter with a predicate in it says about ids: asked once for each, and remembered.
 * Thread-safe.
 */
final class Verdicts {
  /** Below this many, ids of rows that are gone are not worth forgetting. */
  private static final int FEW = 4096;

  /**
   * @param known the ids that have been asked about, ascending
   * @param accepted those of them that pass, ascending
   */
  record State(long[] known, long[] accepted) {
    boolean isKnown(long id) {
      return Arrays.binarySearch(known, id) >= 0;
    }

    boolean isAccepted(long id) {
      return Arrays.binarySearch(accepted, id) >= 0;
    }
  }

  private final IdFilter filter;
  private final Turns turn = new Turns(1);
  private volatile State state = new State(new long[0], new long[0]);

  Verdicts(IdFilter filter) {
    this.filter = filter;
  }

  /** What is known by now; later states know more. */
  State state() {
    return state;
  }

  /**
   * Asks about ids, except those that another thread has asked about meanwhile. What it has learnt
   * it keeps also when the predicate throws, or a limit.
   *
   * @param ids ascending
   */
  void learn(long[] ids, Limits limits) {
    turn.acquire(limits, "the search");
    try {
      State before = state;
      long[] known = new long[ids.length];
      long[] accepted = new long[ids.length];
      int asked = 0;
      int passed = 0;
      try {
        for (long id : ids) {
          if (!before.isKnown(id)) {
            limits.check("the search");
            if (filter.test(id)) {
              accepted[passed++] = id;
            }
            known[asked++] = id;
          }
        }
      } finally {
        state =
            new State(merge(before.known, known, asked), merge(before.accepted, accepted, passed));
      }
    } finally {
      turn.release();
    }
  }

  /** Whether it would pay to {@link #retain} the ids of an index of {@code size} rows alone. */
  boolean isBloated(long size) {
    return state.known.length > 2 * size + FEW;
  }

  /**
   * Forgets all other ids, unless somebody is learning just now.
   *
   * @param ids ascending
   */
  void retain(long[] ids) {
    if (!turn.tryAcquire()) {
      return;
    }
    try {
      State before = state;
      state = new State(common(before.known, ids), common(before.accepted, ids));
    } finally {
      turn.release();
    }
  }

  private static long[] merge(long[] sorted, long[] more, int count) {
    long[] merged = new long[sorted.length + count];
    int left = 0;
    int right = 0;
    for (int i = 0; i < merged.length; i++) {
      boolean takeLeft = right == count || (left < sorted.length && sorted[left] <= more[right]);
      merged[i] = takeLeft ? sorted[left++] : more[right++];
    }
    return merged;
  }

  private static long[] common(long[] one, long[] other) {
    return Arrays.stream(one).filter(id -> Arrays.binarySearch(other, id) >= 0).toArray();
  }
}
