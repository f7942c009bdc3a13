package io.github.panvec.engine;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The published version and those that searches still hold. Publishing is one volatile write, by
 * the holder of the writer mutex; what an older version alone needs is used again once nobody holds
 * it.
 *
 * <p>It is also the index's lifetime: after {@link #close()} nothing can be retained, and close
 * waits for those who have.
 */
final class Versions {
  private final Arena arena;
  private final SlotIds ids;
  private volatile @Nullable Version current;

  /**
   * Versions that were replaced, oldest first, each with the pages that only it and older ones use.
   * Writer mutex.
   */
  private final Deque<Retired> retired = new ArrayDeque<>();

  private final List<MemorySegment> freePages = new ArrayList<>();
  private final List<MemorySegment> freeTables = new ArrayList<>();
  private long nativeBytes;

  private final ReentrantLock closing = new ReentrantLock();
  private final Condition released = closing.newCondition();
  private volatile boolean closed;

  private record Retired(
      Version version, List<MemorySegment> pages, @Nullable MemorySegment table) {}

  Versions(Arena arena, SlotIds ids) {
    this.arena = arena;
    this.ids = ids;
    current = new Version(0, ids.table());
  }

  /**
   * The current version, held until {@link #release}.
   *
   * @throws IllegalStateException after {@link #close}
   */
  Version retain() {
    while (true) {
      Version version = current;
      if (version == null) {
        throw new IllegalStateException("the index is closed");
      }
      if (version.tryRetain()) {
        return version;
      }
    }
  }

  void release(Version version) {
    if (version.release() && closed) {
      closing.lock();
      try {
        released.signalAll();
      } finally {
        closing.unlock();
      }
    }
  }

  /** The current version, for the holder of the writer mutex. */
  Version current() {
    Version version = current;
    if (version == null) {
      throw new IllegalStateException("the index is closed");
    }
    return version;
  }

  /** Whether a search holds a version older than the current one. */
  boolean olderInUse() {
    reclaim();
    return !retired.isEmpty();
  }

  /**
   * Publishes a version with {@code slotCount} slots, in which {@code dead} slots are dead besides
   * those that were.
   *
   * @param dead slots below {@code slotCount}, each live in the current version or not yet in it;
   *     no duplicates
   */
  void publish(long slotCount, int... dead) {
    reclaim();
    Version old = current();
    long liveCount = old.liveCount() + slotCount - old.slotCount() - dead.length;
    MemorySegment[] oldPages = old.deadPageSegments();
    if (dead.length == 0 && oldPages.length == 0) {
      replace(old, new Version(slotCount, ids.table()), List.of(), null);
      return;
    }
    int pageCount = Pages.count(slotCount);
    MemorySegment[] pages = Arrays.copyOf(oldPages, pageCount);
    List<MemorySegment> outdated = new ArrayList<>();
    for (int slot : dead) {
      int page = Pages.page(slot);
      boolean shared =
          page < oldPages.length && pages[page] != null && pages[page] == oldPages[page];
      if (pages[page] == null || shared) {
        MemorySegment copy = takePage();
        if (shared) {
          copy.copyFrom(pages[page]);
          outdated.add(pages[page]);
        } else {
          copy.fill((byte) 0);
        }
        pages[page] = copy;
      }
      int bit = slot & Pages.SLOT_MASK;
      long word = pages[page].getAtIndex(ValueLayout.JAVA_LONG, bit >>> 6);
      pages[page].setAtIndex(ValueLayout.JAVA_LONG, bit >>> 6, word | 1L << bit);
    }
    MemorySegment table = takeTable(pageCount);
    for (int i = 0; i < pageCount; i++) {
      table.setAtIndex(ValueLayout.JAVA_LONG, i, pages[i] == null ? 0 : pages[i].address());
    }
    Version next = new Version(slotCount, liveCount, ids.table(), table, pages);
    replace(old, next, outdated, oldPages.length == 0 ? null : old.deadPages());
  }

  private void replace(
      Version old,
      Version next,
      List<MemorySegment> outdatedPages,
      @Nullable MemorySegment outdatedTable) {
    retired.addLast(new Retired(old, outdatedPages, outdatedTable));
    current = next;
    old.release();
  }

  /** Takes back what only unused versions needed; stops at the oldest that is in use. */
  private void reclaim() {
    while (!retired.isEmpty() && retired.peekFirst().version().isUnused()) {
      Retired oldest = retired.removeFirst();
      freePages.addAll(oldest.pages());
      if (oldest.table() != null) {
        freeTables.add(oldest.table());
      }
    }
  }

  private MemorySegment takePage() {
    if (!freePages.isEmpty()) {
      return freePages.remove(freePages.size() - 1);
    }
    nativeBytes += Pages.DEAD_PAGE_BYTES;
    return arena.allocate(Pages.DEAD_PAGE_BYTES, Long.BYTES);
  }

  private MemorySegment takeTable(int pageCount) {
    while (!freeTables.isEmpty()) {
      MemorySegment table = freeTables.remove(freeTables.size() - 1);
      if (table.byteSize() >= pageCount * 8L) {
        return table;
      }
      // Too small for good, since an index never has fewer slots: left to the arena.
    }
    // Sizes double, so that few are outgrown.
    long pointers = Math.max(16, Integer.highestOneBit(pageCount) * 2L);
    nativeBytes += pointers * 8;
    return arena.allocate(ValueLayout.JAVA_LONG, pointers);
  }

  long nativeBytes() {
    return nativeBytes;
  }

  boolean isClosed() {
    return current == null;
  }

  /**
   * Ends the index's life: nothing can be retained from now on; returns when nothing is. By the
   * holder of the writer mutex, once.
   */
  void close() {
    Version last = current();
    closed = true;
    current = null;
    last.release();
    retired.addLast(new Retired(last, List.of(), null));
    closing.lock();
    try {
      for (Retired one : retired) {
        while (!one.version().isUnused()) {
          released.awaitUninterruptibly();
        }
      }
    } finally {
      closing.unlock();
    }
  }
}
