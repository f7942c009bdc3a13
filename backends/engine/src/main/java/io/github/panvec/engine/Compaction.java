package io.github.panvec.engine;

import io.github.panvec.Limits;
import io.github.panvec.WriteOptions;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Copies what is live in one generation into the next, while the first is read and written. Each
 * {@link #step} brings the copy from one published version to a later one, for the slots it has
 * come to so far: what died in between is removed from the copy, and some more slots are added.
 */
final class Compaction implements AutoCloseable {
  private static final long PART_ROWS = 4096;

  private final Generation from;
  private final Generation to;
  private final int threads;

  /** Of the first, when the copy began. */
  private final Generation.Learnt learnt;

  /** Slots below have been copied, or were dead when their turn came. */
  private long reached;

  /** The version that the copy of those slots is at; held. */
  private @Nullable Version seen;

  /**
   * By the holder of the writer mutex.
   *
   * @param to empty
   * @param threads the most to use
   */
  Compaction(Generation from, Generation to, int threads) {
    this.from = from;
    this.to = to;
    this.threads = threads;
    learnt = from.learnt();
    to.trainLike(from);
    to.ensureCapacity(from.versions().current().liveCount());
  }

  Generation from() {
    return from;
  }

  Generation to() {
    return to;
  }

  /**
   * Whether the old generation was trained after the copy began, which has learnt nothing, or has
   * dropped the rows that were copied. Writer.
   */
  boolean isOutdated() {
    return !from.learnt().equals(learnt);
  }

  /**
   * Goes on.
   *
   * @param rows how many more rows to copy, at most
   * @return whether the copy is that of the version current when the step began
   */
  boolean step(long rows, Limits limits) {
    Version now = from.versions().retain();
    if (now == null) {
      throw new IllegalStateException("the index is closed");
    }
    boolean kept = false;
    try {
      removeWhatDied(now);
      long next = copy(now, rows, limits);
      reached = next;
      release();
      seen = now;
      kept = true;
      return reached == now.slotCount();
    } finally {
      if (!kept) {
        from.versions().release(now);
      }
    }
  }

  private void removeWhatDied(Version now) {
    Version before = seen;
    if (before == null || before.number() == now.number()) {
      return;
    }
    List<Long> died = new ArrayList<>();
    for (long word = 0; word << 6 < reached; word++) {
      if (now.hasSamePage(before, word)) {
        word |= Pages.SLOT_MASK >>> 6;
        continue;
      }
      long bits = now.deadWord(word) & ~before.deadWord(word);
      for (; bits != 0; bits &= bits - 1) {
        long slot = (word << 6) + Long.numberOfTrailingZeros(bits);
        if (slot < reached) {
          died.add(from.ids().get(slot));
        }
      }
    }
    if (!died.isEmpty()) {
      to.remove(died.stream().mapToLong(Long::longValue).toArray());
    }
  }

  /** Copies live slots from {@link #reached} on; where it has come to. */
  private long copy(Version now, long rows, Limits limits) {
    return copy(now, reached, rows, to, threads, limits);
  }

  private static long copy(
      Version now, long first, long rows, Generation to, int threads, Limits limits) {
    long room = Math.min(rows, now.slotCount() - first);
    if (room <= 0) {
      return first;
    }
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment slots = scratch.allocate(ValueLayout.JAVA_INT, room);
      int count = 0;
      long slot = first;
      for (; slot < now.slotCount() && count < room; slot++) {
        if (now.isLive(slot)) {
          slots.setAtIndex(ValueLayout.JAVA_INT, count++, (int) slot);
        }
      }
      to.copy(now.home(), slots, count, threads, limits);
      return slot;
    }
  }

  /** How many slots of the old generation it has come to. */
  long reached() {
    return reached;
  }

  /** How many slots have not been looked at yet. */
  long behind() {
    return from.versions().current().slotCount() - reached;
  }

  /** Tells how far it has come, in slots of the old generation. */
  void report(WriteOptions options) {
    options.report(reached, from.versions().current().slotCount());
  }

  /** Copies what is live in one version into an empty generation. */
  static void copy(Version version, Generation to, int threads) {
    to.ensureCapacity(version.liveCount());
    long slot = 0;
    while (slot < version.slotCount()) {
      slot = copy(version, slot, PART_ROWS, to, threads, Limits.NONE);
    }
  }

  private void release() {
    if (seen != null) {
      from.versions().release(seen);
      seen = null;
    }
  }

  /** Lets go of the old generation. */
  @Override
  public void close() {
    release();
  }
}
