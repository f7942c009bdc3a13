package io.github.panvec.engine;

import io.github.panvec.engine.Version.DeadPage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The published version and those that searches still hold. Publishing is one volatile write, by
 * the holder of the writer mutex; memory that only unused versions need is used again.
 *
 * <p>It is also the index's lifetime: after {@link #close()} nothing can be retained, and close
 * waits for those who have.
 */
final class Versions {
  private final Arena arena;
  private final SlotIds ids;
  private final @Nullable Generation home;
  private volatile @Nullable Version current;

  // Under the writer mutex:
  /** Versions that were replaced while somebody held them. */
  private final ArrayList<Version> held = new ArrayList<>();

  /** What such versions may still read. */
  private final ArrayList<Outdated> outdated = new ArrayList<>();

  private final List<MemorySegment> freePages = new ArrayList<>();
  private final List<MemorySegment> freeTables = new ArrayList<>();
  private volatile long nativeBytes;

  private final ReentrantLock closing = new ReentrantLock();
  private final Condition released = closing.newCondition();
  private volatile boolean closed;

  /**
   * Memory that the versions {@code first .. last} read, both included, and that goes back to
   * {@code home} when none of them is held.
   */
  private record Outdated(MemorySegment memory, long first, long last, List<MemorySegment> home) {}

  Versions(Arena arena, SlotIds ids, @Nullable Generation home) {
    this.arena = arena;
    this.ids = ids;
    this.home = home;
    current = new Version(home, 0, 0, ids.table());
  }

  /** The current version, held until {@link #release}; null after {@link #close}. */
  @Nullable Version retain() {
    while (true) {
      Version version = current;
      if (version == null || version.tryRetain()) {
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

  /**
   * The current version; nothing keeps it but the writer mutex.
   *
   * @throws IllegalStateException after {@link #close}
   */
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
    return !held.isEmpty();
  }

  /**
   * Publishes a version with {@code slotCount} slots, in which {@code dead} slots are dead besides
   * those that were. When it throws, the current version is as before.
   *
   * @param dead slots below {@code slotCount}, each live in the current version or not yet in it;
   *     no duplicates
   */
  void publish(long slotCount, int... dead) {
    reclaim();
    Version old = current();
    DeadPage[] oldPages = old.pages();
    long number = old.number() + 1;
    if (dead.length == 0 && oldPages.length == 0) {
      replace(old, new Version(home, number, slotCount, ids.table()));
      return;
    }
    DeadPage[] pages = Arrays.copyOf(oldPages, Pages.count(slotCount));
    for (int slot : dead) {
      int page = Pages.page(slot);
      if (pages[page] == null || pages[page].born() != number) {
        pages[page] = new DeadPage(copyOf(pages[page]), number);
      }
      MemorySegment bits = pages[page].bits();
      int bit = slot & Pages.SLOT_MASK;
      long word = bits.getAtIndex(ValueLayout.JAVA_LONG, bit >>> 6);
      bits.setAtIndex(ValueLayout.JAVA_LONG, bit >>> 6, word | 1L << bit);
    }
    MemorySegment table = takeTable(pages.length);
    for (int i = 0; i < pages.length; i++) {
      table.setAtIndex(ValueLayout.JAVA_LONG, i, pages[i] == null ? 0 : pages[i].bits().address());
    }
    long liveCount = old.liveCount() + slotCount - old.slotCount() - dead.length;
    replace(old, new Version(home, number, slotCount, liveCount, ids.table(), table, pages));
  }

  private void replace(Version old, Version next) {
    List<Outdated> more = new ArrayList<>();
    DeadPage[] before = old.pages();
    if (before.length > 0) {
      more.add(new Outdated(old.deadPages(), old.number(), old.number(), freeTables));
    }
    for (int i = 0; i < before.length; i++) {
      if (before[i] != null && before[i] != next.pages()[i]) {
        more.add(new Outdated(before[i].bits(), before[i].born(), old.number(), freePages));
      }
    }
    held.ensureCapacity(held.size() + 1);
    outdated.ensureCapacity(outdated.size() + more.size());
    // All that can fail for want of memory has been done.
    held.add(old);
    for (Outdated one : more) {
      outdated.add(one);
    }
    current = next;
    old.release();
  }

  /** Takes back what no version in use reads. */
  private void reclaim() {
    held.removeIf(Version::isUnused);
    for (int i = outdated.size() - 1; i >= 0; i--) {
      Outdated one = outdated.get(i);
      if (!isRead(one)) {
        one.home().add(one.memory());
        outdated.set(i, outdated.get(outdated.size() - 1));
        outdated.remove(outdated.size() - 1);
      }
    }
  }

  private boolean isRead(Outdated one) {
    for (Version version : held) {
      if (version.number() >= one.first() && version.number() <= one.last()) {
        return true;
      }
    }
    return false;
  }

  private MemorySegment copyOf(@Nullable DeadPage page) {
    MemorySegment copy;
    if (freePages.isEmpty()) {
      copy = arena.allocate(Pages.DEAD_PAGE_BYTES, Long.BYTES);
      nativeBytes += Pages.DEAD_PAGE_BYTES;
    } else {
      copy = freePages.remove(freePages.size() - 1);
    }
    return page == null ? copy.fill((byte) 0) : copy.copyFrom(page.bits());
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
    MemorySegment table = arena.allocate(ValueLayout.JAVA_LONG, pointers);
    nativeBytes += pointers * 8;
    return table;
  }

  /** Any thread. */
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
    held.add(last);
    closed = true;
    current = null;
    last.release();
    closing.lock();
    try {
      for (Version version : held) {
        while (!version.isUnused()) {
          released.awaitUninterruptibly();
        }
      }
    } finally {
      closing.unlock();
    }
  }
}
