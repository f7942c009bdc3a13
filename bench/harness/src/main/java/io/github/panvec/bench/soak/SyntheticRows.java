package io.github.panvec.bench.soak;

import java.util.SplittableRandom;

/**
 * Clustered rows that follow from a seed, an id and the number of a version: what an index must
 * hold is computed when it is compared, and takes no memory. A row is a centre and, for each
 * component, a number from -{@value #SPREAD} to {@value #SPREAD}; a hundred centres lie twice as
 * far apart as that. Distances are L2. Thread-safe.
 */
final class SyntheticRows {
  /** Versions that no id has: queries near rows, but none of them. */
  static final int QUERY = -1;

  private static final int CENTRES = 100;
  private static final float SPREAD = 1;
  private static final float SCALE = SPREAD * 0x1p-31f;

  private final long seed;
  private final int dimension;
  private final float[] centres;

  SyntheticRows(long seed, int dimension) {
    this.seed = seed;
    this.dimension = dimension;
    this.centres = new float[CENTRES * dimension];
    SplittableRandom random = new SplittableRandom(seed);
    for (int i = 0; i < centres.length; i++) {
      centres[i] = (float) random.nextDouble(-2 * SPREAD, 2 * SPREAD);
    }
  }

  int dimension() {
    return dimension;
  }

  /** Writes the row of {@code id} in its {@code version}, {@code dimension} components. */
  void fill(long id, int version, float[] row) {
    long state = mixed(mixed(seed + id) + version);
    int centre = (int) Long.remainderUnsigned(state, CENTRES) * dimension;
    for (int i = 0; i < dimension; i += 2) {
      state += 0x9E3779B97F4A7C15L;
      long bits = mixed(state);
      row[i] = centres[centre + i] + SCALE * (int) bits;
      if (i + 1 < dimension) {
        row[i + 1] = centres[centre + i + 1] + SCALE * (int) (bits >>> 32);
      }
    }
  }

  /** The last steps of SplitMix64. */
  private static long mixed(long bits) {
    bits = (bits ^ (bits >>> 30)) * 0xBF58476D1CE4E5B9L;
    bits = (bits ^ (bits >>> 27)) * 0x94D049BB133111EBL;
    return bits ^ (bits >>> 31);
  }

  /**
   * The distance that the contract asks for, to the last bit.
   *
   * @param sums room for eight sums
   */
  static float distance(float[] a, float[] b, double[] sums) {
    for (int lane = 0; lane < 8; lane++) {
      sums[lane] = 0;
    }
    for (int i = 0; i < a.length; i++) {
      double difference = (double) a[i] - (double) b[i];
      sums[i & 7] += difference * difference;
    }
    return (float)
        Math.sqrt(
            ((sums[0] + sums[4]) + (sums[2] + sums[6]))
                + ((sums[1] + sums[5]) + (sums[3] + sums[7])));
  }
}
