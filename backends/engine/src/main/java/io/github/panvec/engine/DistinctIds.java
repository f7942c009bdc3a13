package io.github.panvec.engine;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;

/** Finds an id that comes twice in a batch. */
public final class DistinctIds {

  private DistinctIds() {}

  /** The first row whose id an earlier row has, or -1. */
  public static int firstRepeated(long[] batch) {
    if (batch.length < 2 || isAscending(batch)) {
      return -1;
    }
    long[] sorted = batch.clone();
    Arrays.sort(sorted);
    if (isAscending(sorted)) {
      return -1;
    }
    // Rare: somebody is about to read the message, so find the very row.
    Set<Long> seen = new HashSet<>();
    for (int row = 0; row < batch.length; row++) {
      if (!seen.add(batch[row])) {
        return row;
      }
    }
    throw new AssertionError("a repeated id vanished");
  }

  private static boolean isAscending(long[] values) {
    for (int i = 1; i < values.length; i++) {
      if (values[i] <= values[i - 1]) {
        return false;
      }
    }
    return true;
  }
}
