package io.github.panvec.bench.eval;

import io.github.panvec.Metric;

/**
 * The contract's distance in plain Java, to the last bit: eight double accumulators, of which
 * number i mod 8 takes component i, summed as ((c0+c4)+(c2+c6))+((c1+c5)+(c3+c7)), and one rounding
 * to float. What every index reports.
 */
final class Reference {
  private Reference() {}

  /** The distance of two vectors as stored, see {@link TrueDistance#asStored}. */
  static float distance(Metric metric, float[] a, float[] b) {
    double c0 = 0;
    double c1 = 0;
    double c2 = 0;
    double c3 = 0;
    double c4 = 0;
    double c5 = 0;
    double c6 = 0;
    double c7 = 0;
    boolean l2 = metric == Metric.L2;
    int i = 0;
    for (; i + 8 <= a.length; i += 8) {
      c0 += term(l2, a[i], b[i]);
      c1 += term(l2, a[i + 1], b[i + 1]);
      c2 += term(l2, a[i + 2], b[i + 2]);
      c3 += term(l2, a[i + 3], b[i + 3]);
      c4 += term(l2, a[i + 4], b[i + 4]);
      c5 += term(l2, a[i + 5], b[i + 5]);
      c6 += term(l2, a[i + 6], b[i + 6]);
      c7 += term(l2, a[i + 7], b[i + 7]);
    }
    for (; i < a.length; i++) {
      double term = term(l2, a[i], b[i]);
      switch (i & 7) {
        case 0 -> c0 += term;
        case 1 -> c1 += term;
        case 2 -> c2 += term;
        case 3 -> c3 += term;
        case 4 -> c4 += term;
        case 5 -> c5 += term;
        default -> c6 += term;
      }
    }
    double sum = ((c0 + c4) + (c2 + c6)) + ((c1 + c5) + (c3 + c7));
    return switch (metric) {
      case L2 -> (float) Math.sqrt(sum);
      case COSINE -> (float) Math.clamp(1 - sum, 0.0, 2.0);
      // Plus 0.0: no negative zero, which would sort first.
      case DOT -> (float) (-sum + 0.0);
    };
  }

  private static double term(boolean l2, float a, float b) {
    if (l2) {
      double difference = (double) a - (double) b;
      return difference * difference;
    }
    return (double) a * (double) b;
  }
}
