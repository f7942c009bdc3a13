package io.github.panvec.engine;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Code of the caller that runs in the middle of a call on one index. What it calls there could wait
 * for the very call that waits for it: so it is refused.
 */
final class Guests {
  /** Who they are. */
  enum Guest {
    PREDICATE("the predicate of a filter"),
    LISTENER("the listener of a write");

    private final String words;

    Guest(String words) {
      this.words = words;
    }
  }

  private final ThreadLocal<@Nullable Guest> here = new ThreadLocal<>();

  /** How many there are: without any, no thread needs to be asked about its own. */
  private final AtomicInteger count = new AtomicInteger();

  /** Runs what may call {@code guest}. */
  <T> T host(Guest guest, Supplier<T> code) {
    Guest before = here.get();
    count.incrementAndGet();
    here.set(guest);
    try {
      return code.get();
    } finally {
      if (before == null) {
        here.remove();
      } else {
        here.set(before);
      }
      count.decrementAndGet();
    }
  }

  /**
   * Refuses a read by a predicate: its search holds the version that a compaction would wait for.
   */
  void refuseReads() {
    if (count.get() != 0 && here.get() == Guest.PREDICATE) {
      refuse(Guest.PREDICATE);
    }
  }

  /** Refuses any call that waits for others. */
  void refuseAll() {
    Guest guest = count.get() == 0 ? null : here.get();
    if (guest != null) {
      refuse(guest);
    }
  }

  private static void refuse(Guest guest) {
    throw new IllegalStateException(
        guest.words + " called the index that waits for it, which would wait for ever");
  }
}
