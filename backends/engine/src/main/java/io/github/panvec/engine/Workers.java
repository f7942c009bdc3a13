package io.github.panvec.engine;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;

/** Spreads the items of one call over a few threads, which end with the call. */
final class Workers {
  /** A thread must be worth its start. */
  private static final int ITEMS_PER_THREAD = 2;

  private Workers() {}

  /**
   * Runs {@code task} for 0 .. count - 1, on this thread and up to {@code threads - 1} others. What
   * the first failing item throws is thrown here, after all threads have ended.
   */
  static void run(int count, int threads, IntConsumer task) {
    int useful = Math.max(1, Math.min(threads, count / ITEMS_PER_THREAD));
    AtomicInteger next = new AtomicInteger();
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
      while (others.size() < useful - 1) {
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
