package io.github.panvec.bench.eval;

import java.util.Arrays;

/** Every single latency of one thread, in nanoseconds. */
final class LatencyLog {
  private long[] nanos;
  private int count;

  LatencyLog(int expected) {
    nanos = new long[Math.max(16, expected)];
  }

  void add(long value) {
    if (count == nanos.length) {
      nanos = Arrays.copyOf(nanos, count + (count >> 1));
    }
    nanos[count++] = value;
  }

  int count() {
    return count;
  }

  /** All latencies of several logs, ascending. */
  static long[] sorted(Iterable<LatencyLog> logs) {
    int total = 0;
    for (LatencyLog log : logs) {
      total += log.count;
    }
    long[] all = new long[total];
    int at = 0;
    for (LatencyLog log : logs) {
      System.arraycopy(log.nanos, 0, all, at, log.count);
      at += log.count;
    }
    Arrays.sort(all);
    return all;
  }

  /** The nearest-rank percentile, in microseconds; {@code share} is in (0, 1]. */
  static double micros(long[] sorted, double share) {
    if (sorted.length == 0) {
      return Double.NaN;
    }
    int rank = (int) Math.ceil(share * sorted.length);
    return sorted[Math.max(1, rank) - 1] / 1e3;
  }
}
