package io.github.panvec.engine;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/**
 * Ids by slot, in pages of native memory that walks and scans read too. Written by the holder of
 * the writer mutex, only at slots that no version has published; read by anybody at slots of a
 * version.
 */
final class SlotIds {
  private static final int FIRST_PAGE_SLOTS = 64;

  private final Arena arena;
  private volatile MemorySegment[] pages = {};
  private volatile MemorySegment table = MemorySegment.NULL;
  private boolean isMapped;

  SlotIds(Arena arena) {
    this.arena = arena;
  }

  /**
   * Uses ids where they are; {@link #set} is not for these.
   *
   * @param saved int64 by slot, at an address that 8 divides
   */
  void map(MemorySegment saved) {
    MemorySegment[] mapped = new MemorySegment[Pages.count(saved.byteSize() / Long.BYTES)];
    for (int i = 0; i < mapped.length; i++) {
      long first = i * Pages.ID_PAGE_BYTES;
      mapped[i] = saved.asSlice(first, Math.min(Pages.ID_PAGE_BYTES, saved.byteSize() - first));
    }
    table = tableOf(mapped, true);
    pages = mapped;
    isMapped = true;
  }

  /** The ids of the slots of one page. */
  MemorySegment page(int page) {
    return pages[page];
  }

  /**
   * Makes room for {@code slots} ids in all. What it replaces stays readable: searches may be on
   * it.
   */
  void reserve(long slots) {
    int count = Pages.count(slots);
    MemorySegment[] old = pages;
    boolean firstPageGrows =
        old.length <= 1 && slots > 0 && bytesOfFirst(old) < firstPageBytes(slots);
    if (count <= old.length && !firstPageGrows) {
      return;
    }
    MemorySegment[] grown = Arrays.copyOf(old, count);
    if (firstPageGrows) {
      // A small index does not pay for a whole page: the first one grows by doubling.
      grown[0] = arena.allocate(firstPageBytes(slots), Long.BYTES);
      if (old.length == 1) {
        MemorySegment.copy(old[0], 0, grown[0], 0, old[0].byteSize());
      }
    }
    for (int i = Math.max(1, old.length); i < count; i++) {
      grown[i] = arena.allocate(Pages.ID_PAGE_BYTES, Long.BYTES);
    }
    table = tableOf(grown, firstPageGrows);
    pages = grown;
  }

  /**
   * Pointers to {@code grown}. Entries that a version may have published are never written again,
   * because native code reads them without any order; there is room for more behind them.
   */
  private MemorySegment tableOf(MemorySegment[] grown, boolean firstChanged) {
    MemorySegment pointers = table;
    int known = pages.length;
    if (firstChanged || pointers.byteSize() < grown.length * 8L) {
      pointers =
          arena.allocate(
              ValueLayout.JAVA_LONG, Math.max(16, Integer.highestOneBit(grown.length) * 2L));
      known = 0;
    }
    for (int i = known; i < grown.length; i++) {
      pointers.setAtIndex(ValueLayout.JAVA_LONG, i, grown[i].address());
    }
    return pointers;
  }

  private static long bytesOfFirst(MemorySegment[] pages) {
    return pages.length == 0 ? 0 : pages[0].byteSize();
  }

  private static long firstPageBytes(long slots) {
    long size = FIRST_PAGE_SLOTS;
    while (size < Math.min(slots, Pages.SLOTS)) {
      size *= 2;
    }
    return size * Long.BYTES;
  }

  /** Pointers to the pages, as native code reads them. */
  MemorySegment table() {
    return table;
  }

  long get(long slot) {
    return pages[Pages.page(slot)].getAtIndex(ValueLayout.JAVA_LONG, slot & Pages.SLOT_MASK);
  }

  void set(long slot, long id) {
    pages[Pages.page(slot)].setAtIndex(ValueLayout.JAVA_LONG, slot & Pages.SLOT_MASK, id);
  }

  /** Memory of its own. */
  long bytes() {
    long bytes = table.byteSize();
    if (isMapped) {
      return bytes;
    }
    for (MemorySegment page : pages) {
      bytes += page.byteSize();
    }
    return bytes;
  }
}
