package io.github.panvec.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;

/**
 * The threads that calls on one index start beside their callers: however many call, all of them
 * together no more than one index may use. They end with the call that started them.
 */
final class Workers {
  /** What a thread must have to do to be worth its start. */
  private static final long NANOS_PER_THREAD = 100_000;

  private final int threads;
  private final AtomicInteger free;

  /**
   * @param threads how many a call may use, that of its caller among them
   */
  Workers(int threads) {
    this.threads = threads;
    this.free = new AtomicInteger(threads - 1);
  }

  /** How many threads a call may use, that of its caller among them. */
  int threads() {
    return threads;
  }

  /**
   * Lends helpers for a call of native code that starts them itself, until {@link #giveBack}.
   *
   * @return how many: as many as other calls leave, no more than wanted
   */
  int take(int wanted) {
    while (true) {
      int seen = free.get();
      int taken = Math.min(wanted, seen);
      if (taken <= 0) {
        return 0;
      }
      if (free.compareAndSet(seen, seen - taken)) {
        return taken;
      }
    }
  }

  void giveBack(int helpers) {
    free.addAndGet(helpers);
  }

  /**
   * Runs {@code task} for 0 .. count - 1, on this thread and as many others as its first items make
   * worth starting and other calls leave. What the first failing item throws is thrown here, after
   * all threads have ended.
   */
  void run(int count, IntConsumer task) {
    int done = 0;
    long begin = System.nanoTime();
    long taken = 0;
    while (done < count && (threads == 1 || taken < NANOS_PER_THREAD)) {
      task.accept(done++);
      taken = System.nanoTime() - begin;
    }
    if (done == count) {
      return;
    }
    int left = count - done;
    long useful = taken / done * left / NANOS_PER_THREAD;
    int helpers = take((int) Math.min(left - 1, useful));
    try {
      run(done, count, helpers, task);
    } finally {
      giveBack(helpers);
    }
  }

  /** Items {@code from .. count - 1}, with {@code helpers} threads beside this one. */
  private static void run(int from, int count, int helpers, IntConsumer task) {
    AtomicInteger next = new AtomicInteger(from);
    AtomicReference<Failure> first = new AtomicReference<>();
    Runnable work =
        () -> {
          for (int i = next.getAndIncrement(); i < count; i = next.getAndIncrement()) {
            Failure known = first.get();
            if (known != null && known.item < i) {
              return;
            }
            try {
              task.accept(i);
            } catch (RuntimeException | Error thrown) {
              first.accumulateAndGet(new Failure(i, thrown), Failure::earlier);
              return;
            }
          }
        };
    List<Thread> others = new ArrayList<>();
    try {
      while (others.size() < helpers) {
        Thread other =
            Thread.ofPlatform()
                .name("panvec-search-" + (others.size() + 1))
                .daemon()
                .unstarted(work);
        other.start();
        others.add(other);
      }
    } catch (OutOfMemoryError noThread) {
      // Fewer threads, then; this one is always there.
    }
    work.run();
    boolean interrupted = false;
    for (Thread other : others) {
      while (other.isAlive()) {
        try {
          other.join();
        } catch (InterruptedException wait) {
          // The threads use memory of this call: it cannot end before them.
          interrupted = true;
        }
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
    if (first.get() != null) {
      throw first.get().unchecked();
    }
  }

  /** What an item threw. */
  private record Failure(int item, Throwable thrown) {
    static Failure earlier(Failure known, Failure other) {
      return known == null || other.item < known.item ? other : known;
    }

    RuntimeException unchecked() {
      if (thrown instanceof Error error) {
        throw error;
      }
      return (RuntimeException) thrown;
    }
  }
}
