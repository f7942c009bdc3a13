package io.github.panvec.bench.eval;

import io.github.panvec.Metric;

/**
 * The oracle's distance: in double, components added one after the other. The order matters: {@link
 * GroundTruth} adds in the same one, so that equal vectors have equal distances wherever they are
 * computed.
 *
 * <p>It is taken between vectors as an index keeps them, which {@link #asStored} makes of those of
 * the dataset: as they are for L2 and DOT, float32 unit vectors for COSINE. Rounding a unit vector
 * to float32 moves a cosine distance by up to about 1e-7. Among near duplicates, whose distances
 * are smaller than that, it decides who is near: measured on the vectors as given, an index that
 * keeps the contract to the bit would miss neighbours.
 */
final class TrueDistance {
  private TrueDistance() {}

  /**
   * Turns a vector of the dataset, in place, into what an index keeps of it. A unit vector is made
   * as the contract says, in plain Java: the norm is the square root of the sum of squares in
   * double, in eight sums of which number i mod 8 takes component i; each component is divided by
   * it in double and rounded to float once.
   */
  static void asStored(Metric metric, float[] vector) {
    if (metric != Metric.COSINE) {
      return;
    }
    double[] sums = new double[8];
    for (int i = 0; i < vector.length; i++) {
      sums[i & 7] += (double) vector[i] * (double) vector[i];
    }
    double norm =
        Math.sqrt(
            ((sums[0] + sums[4]) + (sums[2] + sums[6]))
                + ((sums[1] + sums[5]) + (sums[3] + sums[7])));
    for (int i = 0; i < vector.length; i++) {
      vector[i] = (float) (vector[i] / norm);
    }
  }

  /** The distance of two vectors as stored. */
  static double of(Metric metric, float[] a, float[] b) {
    double sum = 0;
    if (metric == Metric.L2) {
      for (int i = 0; i < a.length; i++) {
        double difference = (double) a[i] - (double) b[i];
        sum += difference * difference;
      }
    } else {
      for (int i = 0; i < a.length; i++) {
        sum += (double) a[i] * (double) b[i];
      }
    }
    return ofSum(metric, sum);
  }

  /** The distance from the sum over all components: of squared differences (L2) or of products. */
  static double ofSum(Metric metric, double sum) {
    return switch (metric) {
      case L2 -> Math.sqrt(sum);
      // Clamped as the contract clamps it: the product of equal float32 unit vectors is off 1 by
      // up to 1e-7 on either side, and all that is above 1 is one tie.
      case COSINE -> Math.clamp(1 - sum, 0.0, 2.0);
      case DOT -> -sum;
    };
  }

  /**
   * By how much two such distances may differ by nothing but the order in which their sums were
   * added, here and by the contract's reference. For COSINE it matters next to 0, where the
   * distance is what is left of 1 after a sum near 1: a relative tolerance there is smaller than
   * the rounding of that sum, at most n &middot; 2^-53 added one by one and (n/8 + 3) &middot;
   * 2^-53 in eight sums, once for each of the two distances. 2e-14 for 100 dimensions.
   */
  static double rounding(Metric metric, int dimension) {
    return metric == Metric.COSINE ? (1.125 * dimension + 4) * 0x1p-52 : 0;
  }
}
