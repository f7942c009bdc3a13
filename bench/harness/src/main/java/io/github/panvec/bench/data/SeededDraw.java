package io.github.panvec.bench.data;

import java.util.BitSet;
import java.util.Random;

/**
 * Which rows of a set become queries. {@link Random}'s generator and {@code nextInt(bound)} are
 * specified to the bit, so every machine draws the same.
 */
final class SeededDraw {
  /** The seed of every draw. */
  static final long SEED = 20261120;

  private SeededDraw() {}

  /** {@code count} distinct numbers below {@code bound}, in the order drawn. */
  static int[] draw(int count, int bound) {
    if (count < 0 || count > bound) {
      throw new IllegalArgumentException("cannot draw " + count + " of " + bound);
    }
    Random random = new Random(SEED);
    BitSet taken = new BitSet(bound);
    int[] drawn = new int[count];
    for (int i = 0; i < count; ) {
      int candidate = random.nextInt(bound);
      if (!taken.get(candidate)) {
        taken.set(candidate);
        drawn[i++] = candidate;
      }
    }
    return drawn;
  }

  /** The numbers below {@code bound} that were not drawn, ascending. */
  static int[] rest(int[] drawn, int bound) {
    BitSet taken = new BitSet(bound);
    for (int row : drawn) {
      taken.set(row);
    }
    int[] rest = new int[bound - drawn.length];
    int at = 0;
    for (int row = taken.nextClearBit(0); row < bound; row = taken.nextClearBit(row + 1)) {
      rest[at++] = row;
    }
    return rest;
  }
}
