package io.github.panvec;

import java.util.Arrays;
import java.util.Locale;

/**
 * What "near" means. Smaller is nearer, always; the numbers are those of pgvector's operators.
 *
 * <p>The distance that a search reports is computed from the stored float32 row by one reference
 * formula in double with a fixed order of additions, then rounded once to float. It has the same
 * bits on every backend, CPU and batch size: eight accumulators, accumulator {@code i % 8} takes
 * component {@code i}, summed as {@code ((c0+c4)+(c2+c6))+((c1+c5)+(c3+c7))}.
 */
public enum Metric {
  /** Euclidean distance {@code sqrt(sum((a[i]-b[i])^2))}, from 0 up; pgvector's {@code <->}. */
  L2,
  /**
   * Cosine distance {@code 1 - sum(a[i]*b[i])} of unit vectors, clamped to 0 .. 2; pgvector's
   * {@code <=>}. Rows are normalised when they are added, and {@link VectorIndex#get} returns the
   * unit vector. The zero vector has no direction and is refused.
   */
  COSINE,
  /** Negative inner product {@code -sum(a[i]*b[i])}; pgvector's {@code <#>}. */
  DOT;

  /**
   * The metric of that name, whatever its case.
   *
   * @throws IllegalArgumentException naming the metrics and the nearest name
   */
  public static Metric of(String name) {
    for (Metric metric : values()) {
      if (metric.name().equalsIgnoreCase(name)) {
        return metric;
      }
    }
    throw new IllegalArgumentException(
        Names.unknown(
            "metric",
            name,
            Arrays.stream(values()).map(m -> m.name().toLowerCase(Locale.ROOT)).toList()));
  }
}
