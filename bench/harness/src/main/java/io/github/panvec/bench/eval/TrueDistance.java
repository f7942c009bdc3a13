package io.github.panvec.bench.eval;

import io.github.panvec.Metric;

/**
 * The oracle's distance: in double, from the vectors as the dataset has them, components added one
 * after the other. The order matters: {@link GroundTruth} adds in the same one, so that equal
 * vectors have equal distances wherever they are computed.
 */
final class TrueDistance {
  /**
   * A cosine distance below this is the rounding of the double sums themselves, and counts as 0:
   * otherwise scaled copies of one vector would differ by noise.
   */
  private static final double COSINE_NOISE = 0x1p-45;

  private TrueDistance() {}

  static double of(Metric metric, float[] a, float[] b) {
    double sum = 0;
    if (metric == Metric.L2) {
      for (int i = 0; i < a.length; i++) {
        double difference = (double) a[i] - (double) b[i];
        sum += difference * difference;
      }
      return l2(sum);
    }
    for (int i = 0; i < a.length; i++) {
      sum += (double) a[i] * (double) b[i];
    }
    return metric == Metric.DOT ? -sum : cosine(sum, norm(a), norm(b));
  }

  /** The Euclidean length. */
  static double norm(float[] vector) {
    double sum = 0;
    for (float component : vector) {
      sum += (double) component * (double) component;
    }
    return Math.sqrt(sum);
  }

  static double l2(double squares) {
    return Math.sqrt(squares);
  }

  static double cosine(double dot, double normA, double normB) {
    double distance = 1 - dot / (normA * normB);
    return Math.abs(distance) < COSINE_NOISE ? 0 : distance;
  }
}
