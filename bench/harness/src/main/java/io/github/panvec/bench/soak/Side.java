package io.github.panvec.bench.soak;

import io.github.panvec.IndexStats;
import io.github.panvec.VectorIndex;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;

/** One of the two indexes, what is written to it, and whether it is compacting. */
final class Side {
  /** How the threads are named on which indexes compact by themselves. */
  private static final String COMPACTING_THREAD = "panvec-compact";

  /** More threads may have come since they were counted. */
  private static final int SOME = 16;

  private static final long POLL_NANOS = 50_000_000L;

  private final VectorIndex index;
  private final Ledger ledger;
  private final WriteStream stream;
  private final int compactAt;
  private long polled;
  private boolean isCompacting;
  private long done;

  /**
   * @param compactAt at how many percent of dead rows the index compacts by itself; 0: never
   */
  Side(VectorIndex index, Ledger ledger, WriteStream stream, int compactAt) {
    this.index = index;
    this.ledger = ledger;
    this.stream = stream;
    this.compactAt = compactAt;
  }

  VectorIndex index() {
    return index;
  }

  Ledger ledger() {
    return ledger;
  }

  WriteStream stream() {
    return stream;
  }

  /** Compactions that it has done by itself, or on demand. */
  long compactions() {
    return compactAt > 0 ? compactions(index.stats()) : stream.compactions();
  }

  private static long compactions(IndexStats stats) {
    return stats.details().get("compactions") instanceof Number number ? number.longValue() : 0;
  }

  /** A phase of writing begins; before the first operation. */
  void beginPhase() {
    done = compactions();
    isCompacting = false;
    polled = System.nanoTime();
  }

  /** Whether the first compaction since the phase began is under way; now and then it looks. */
  boolean isCompacting() {
    if (compactAt > 0 && System.nanoTime() - polled >= POLL_NANOS) {
      isCompacting = isCompactionUnderWay() && compactions() == done;
      polled = System.nanoTime();
    }
    return isCompacting;
  }

  /** Waits until no compaction is under way, up to {@code nanos}. */
  void settle(long nanos) {
    long end = System.nanoTime() + nanos;
    while (compactAt > 0 && isCompactionUnderWay() && System.nanoTime() < end) {
      LockSupport.parkNanos(POLL_NANOS);
    }
  }

  /** Of either index; but the one that is not written to has settled. */
  private static boolean isCompactionUnderWay() {
    Thread[] threads = new Thread[Thread.activeCount() + SOME];
    int count = Thread.enumerate(threads);
    return Arrays.stream(threads, 0, count)
        .anyMatch(thread -> thread.getName().startsWith(COMPACTING_THREAD));
  }
}
