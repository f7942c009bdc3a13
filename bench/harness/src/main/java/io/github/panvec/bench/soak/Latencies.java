package io.github.panvec.bench.soak;

/**
 * Counts latencies of one thread in buckets no wider than 0.4 % of their value; it never allocates.
 * Others may read once that thread has ended.
 */
final class Latencies {
  private static final int PRECISION_BITS = 8;
  private static final int PRECISION = 1 << PRECISION_BITS;

  private final long[] counts = new long[(Long.SIZE - PRECISION_BITS + 1) << PRECISION_BITS];
  private long count;
  private long max;

  void add(long nanos) {
    counts[bucket(nanos)]++;
    count++;
    max = Math.max(max, nanos);
  }

  /** Up to twice the precision one bucket for each value, then as many for each power of two. */
  private static int bucket(long nanos) {
    int shift = Math.max(0, Long.SIZE - 1 - PRECISION_BITS - Long.numberOfLeadingZeros(nanos));
    return (shift << PRECISION_BITS) + (int) (nanos >>> shift);
  }

  private static long largest(int bucket) {
    int shift = Math.max(0, (bucket >>> PRECISION_BITS) - 1);
    long mantissa = bucket - ((long) shift << PRECISION_BITS);
    return ((mantissa + 1) << shift) - 1;
  }

  long count() {
    return count;
  }

  /** The longest, in microseconds; NaN when there is none. */
  double maxMicros() {
    return count == 0 ? Double.NaN : max / 1e3;
  }

  /** The nearest-rank percentile, in microseconds; {@code share} is in (0, 1]. NaN for none. */
  double micros(double share) {
    long rank = Math.max(1, (long) Math.ceil(share * count));
    long seen = 0;
    for (int bucket = 0; bucket < counts.length; bucket++) {
      seen += counts[bucket];
      if (seen >= rank) {
        return Math.min(max, largest(bucket)) / 1e3;
      }
    }
    return Double.NaN;
  }
}
