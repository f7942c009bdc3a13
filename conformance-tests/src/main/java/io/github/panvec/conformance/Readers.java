package io.github.panvec.conformance;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Threads that read over and over beside what a test does, and end with it: also when the test, or
 * one of them, fails.
 */
final class Readers {
  /**
   * Names the property with how many seconds to wait for what a correct index never keeps waiting;
   * for tests of this suite, whose faults are waited for in vain.
   */
  static final String PATIENCE = "panvec.conformance.patience";

  private static final int PATIENCE_SECONDS = 60;

  private final long[] rounds;
  private boolean stopped;
  private @Nullable Throwable failure;

  private Readers(int count) {
    rounds = new long[count];
  }

  /** What a reader does in a round, or a test beside them. */
  interface Step {
    void run() throws Exception;
  }

  /** What a test does beside readers. */
  interface Body {
    void run(Readers readers) throws Exception;
  }

  /** Runs {@code body} beside {@code count} threads that all do the same. */
  static void whileRunning(int count, Step reader, Body body) throws Exception {
    whileRunning(java.util.Collections.nCopies(count, reader), body);
  }

  /**
   * Runs {@code body} beside a thread for each of {@code readers}. It begins when each of them has
   * been through one round; when it ends, however it ends, so do they.
   *
   * @throws Exception what {@code body} threw, or else the first of them
   */
  static void whileRunning(List<Step> readers, Body body) throws Exception {
    Readers running = new Readers(readers.size());
    try (ExecutorService pool = Executors.newFixedThreadPool(readers.size())) {
      List<Future<?>> threads = new ArrayList<>();
      try {
        for (int t = 0; t < readers.size(); t++) {
          int self = t;
          threads.add(pool.submit(() -> running.loop(self, readers.get(self))));
        }
        running.awaitRounds(1);
        running.rethrow();
        body.run(running);
      } finally {
        running.stop();
      }
      for (Future<?> thread : threads) {
        thread.get();
      }
    }
    running.rethrow();
  }

  private void loop(int self, Step reader) {
    try {
      while (!isStopped()) {
        reader.run();
        synchronized (this) {
          rounds[self]++;
          notifyAll();
        }
      }
    } catch (Throwable thrown) {
      synchronized (this) {
        failure = failure == null ? thrown : failure;
        notifyAll();
      }
    }
  }

  private synchronized boolean isStopped() {
    return stopped;
  }

  private synchronized void stop() {
    stopped = true;
  }

  private synchronized void rethrow() throws Exception {
    if (failure instanceof Error error) {
      throw error;
    }
    if (failure != null) {
      throw (Exception) failure;
    }
  }

  /** Whether each has been through so many rounds, or one has failed: there is nothing to add. */
  synchronized boolean haveRun(long atLeast) {
    if (failure != null) {
      return true;
    }
    for (long each : rounds) {
      if (each < atLeast) {
        return false;
      }
    }
    return true;
  }

  private synchronized void awaitRounds(long atLeast) throws InterruptedException {
    while (!haveRun(atLeast)) {
      wait();
    }
  }

  /** Waits until each has been through a whole round that began after this call. */
  synchronized void awaitNextRound() throws InterruptedException {
    long[] before = rounds.clone();
    while (failure == null && !areAhead(before)) {
      wait();
    }
  }

  /**
   * As {@link #awaitNextRound}, for a moment in which the index may be what keeps them waiting.
   *
   * @return false when it has been long enough to say so
   */
  synchronized boolean goOn() throws InterruptedException {
    long[] before = rounds.clone();
    long left = TimeUnit.SECONDS.toNanos(Integer.getInteger(PATIENCE, PATIENCE_SECONDS));
    long end = System.nanoTime() + left;
    while (failure == null && !areAhead(before) && left > 0) {
      TimeUnit.NANOSECONDS.timedWait(this, left);
      left = end - System.nanoTime();
    }
    return failure != null || areAhead(before);
  }

  /** One round may have been under way. */
  private boolean areAhead(long[] before) {
    for (int t = 0; t < before.length; t++) {
      if (rounds[t] < before[t] + 2) {
        return false;
      }
    }
    return true;
  }
}
