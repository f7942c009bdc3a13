package io.github.panvec.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;

/** Spreads the items of one call over a few threads, which end with the call. */
final class Workers {
  /** What a thread must have to do to be worth its start. */
  private static final long NANOS_PER_THREAD = 100_000;

  private Workers() {}

  /**
   * Runs {@code task} for 0 .. count - 1, on this thread and up to {@code threads - 1} others, as
   * many as its first items make worth starting. What the first failing item throws is thrown here,
   * after all threads have ended.
   */
  static void run(int count, int threads, IntConsumer task) {
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
    run(done, count, (int) Math.min(Math.min(threads - 1, left - 1), useful), task);
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
