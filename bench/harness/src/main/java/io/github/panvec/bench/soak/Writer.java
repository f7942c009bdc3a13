package io.github.panvec.bench.soak;

import java.util.Locale;

/**
 * Writes the same operations to both indexes, in turns: a phase on the one, then as many operations
 * on the other. Which one is first alternates, so that what drifts hits both.
 *
 * <p>A phase goes on while a compaction that it started does, so that the searches beside it are
 * counted where it belongs; what is then still under way ends before the next phase, uncounted.
 */
final class Writer implements Runnable {
  private static final long PHASE_NANOS = 5_000_000_000L;
  private static final int LEAST_PAIRS = 10;
  private static final long COMPACTION_NANOS = 120_000_000_000L;

  /** A writer that needs that much longer beside searches than elsewhere is starved. */
  private static final int PATIENCE = 10;

  private static final long LEAST_PATIENCE_NANOS = 60_000_000_000L;

  private final Side searched;
  private final Side other;
  private final Stage stage;
  private final Stage.Activity activity;
  private final Failures failures;
  private final long nanos;
  private final Latencies besideWriter = new Latencies();
  private final Latencies besideWriterElsewhere = new Latencies();
  private final Latencies uncounted = new Latencies();

  private volatile long counted;
  private volatile boolean isFinished;
  private volatile String stoppedBy = "";

  // By the writer alone, for others once it has ended:
  private long nanosSearched;
  private long nanosOther;

  /**
   * @param searched the index that the searcher searches
   * @param nanos how long to write, both phases together
   */
  Writer(
      Side searched,
      Side other,
      Stage stage,
      Stage.Activity activity,
      Failures failures,
      long nanos) {
    this.searched = searched;
    this.other = other;
    this.stage = stage;
    this.activity = activity;
    this.failures = failures;
    this.nanos = nanos;
  }

  @Override
  public void run() {
    try {
      long phase = Math.min(PHASE_NANOS, nanos / (2 * LEAST_PAIRS));
      // What the JVM compiles, it compiles before the first phase that counts.
      boolean going = pair(searched, uncounted, other, uncounted, phase);
      counted = 0;
      for (int pair = 0; going && counted < nanos && !stage.isOver(); pair++) {
        going =
            pair % 2 == 0
                ? pair(searched, besideWriter, other, besideWriterElsewhere, phase)
                : pair(other, besideWriterElsewhere, searched, besideWriter, phase);
      }
      if (going) {
        searched.stream().checkAll();
        other.stream().checkAll();
        isFinished = true;
      }
    } catch (RuntimeException | Error thrown) {
      failures.add(activity.what() + ": " + thrown);
      stoppedBy = "stopped by " + thrown.getClass().getSimpleName();
    }
  }

  /** Whether the second took no unreasonable time longer than the first. */
  private boolean pair(
      Side first, Latencies besideFirst, Side second, Latencies besideSecond, long phase) {
    long start = begin(first, besideFirst);
    long operations = 0;
    long passed;
    do {
      first.stream().next();
      operations++;
      passed = System.nanoTime() - start;
    } while (passed < phase || (first.isCompacting() && passed < phase + COMPACTION_NANOS));
    end(first, passed);
    long limit = Math.max(LEAST_PATIENCE_NANOS, PATIENCE * passed);

    start = begin(second, besideSecond);
    for (long operation = 1; operation <= operations; operation++) {
      second.stream().next();
      passed = System.nanoTime() - start;
      if (passed > limit && operation < operations) {
        stage.count(uncounted);
        stoppedBy =
            String.format(
                Locale.ROOT,
                "%,d of %,d operations done in %.0f s",
                operation,
                operations,
                passed / 1e9);
        return false;
      }
    }
    end(second, passed);
    return true;
  }

  private long begin(Side side, Latencies latencies) {
    // Nobody searches the other one, and what died there may be forgotten.
    other.ledger().beginSearch();
    side.beginPhase();
    stage.count(latencies);
    return System.nanoTime();
  }

  private void end(Side side, long passed) {
    stage.count(uncounted);
    counted += passed;
    if (side == searched) {
      nanosSearched += passed;
    } else {
      nanosOther += passed;
    }
    activity.begin("waiting for a compaction");
    side.settle(COMPACTION_NANOS);
  }

  /** How much of the time has passed, in nanoseconds. */
  long counted() {
    return counted;
  }

  /** Whether it came to the end, and everything could be compared there. */
  boolean isFinished() {
    return isFinished;
  }

  /** Why it did not finish; empty when it did, or hangs. */
  String stoppedBy() {
    return stoppedBy;
  }

  Latencies besideWriter() {
    return besideWriter;
  }

  Latencies besideWriterElsewhere() {
    return besideWriterElsewhere;
  }

  /** How long it has written to the index that is searched, and to the other, in seconds. */
  double secondsSearched() {
    return nanosSearched / 1e9;
  }

  double secondsOther() {
    return nanosOther / 1e9;
  }
}
