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

  SlotIds(Arena arena) {
    this.arena = arena;
  }

  /** Makes room for {@code slots} ids in all. */
  void reserve(long slots) {
    int count = Pages.count(slots);
    MemorySegment[] old = pages;
    boolean firstPageGrows = count == 1 && (old.length == 0 || old[0].byteSize() < slots * 8L);
    boolean firstPageCompletes =
        count > 1 && old.length == 1 && old[0].byteSize() < Pages.ID_PAGE_BYTES;
    if (count <= old.length && !firstPageGrows) {
      return;
    }
    MemorySegment[] grown = Arrays.copyOf(old, Math.max(count, old.length));
    // A small index does not pay for a whole page: the first one grows by doubling. What it
    // replaces stays readable
    // until the index closes, because searches may be on it.
    if (firstPageGrows) {
      grown[0] = copyOf(old.length == 0 ? null : old[0], firstPageSlots(slots) * 8L);
    } else if (firstPageCompletes) {
      grown[0] = copyOf(old[0], Pages.ID_PAGE_BYTES);
    }
    for (int i = Math.max(1, old.length); i < count; i++) {
      grown[i] = arena.allocate(Pages.ID_PAGE_BYTES, Long.BYTES);
    }
    if (grown[0] == null) {
      grown[0] = arena.allocate(Pages.ID_PAGE_BYTES, Long.BYTES);
    }
    MemorySegment pointers = table;
    if (pointers.byteSize() < count * 8L) {
      pointers =
          arena.allocate(ValueLayout.JAVA_LONG, Math.max(16, Integer.highestOneBit(count) * 2L));
    }
    for (int i = 0; i < count; i++) {
      pointers.setAtIndex(ValueLayout.JAVA_LONG, i, grown[i].address());
    }
    pages = grown;
    table = pointers;
  }

  private static long firstPageSlots(long slots) {
    long size = FIRST_PAGE_SLOTS;
    while (size < slots) {
      size *= 2;
    }
    return size;
  }

  private MemorySegment copyOf(MemorySegment page, long bytes) {
    MemorySegment larger = arena.allocate(bytes, Long.BYTES);
    if (page != null) {
      MemorySegment.copy(page, 0, larger, 0, page.byteSize());
    }
    return larger;
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

  long bytes() {
    long bytes = table.byteSize();
    for (MemorySegment page : pages) {
      bytes += page.byteSize();
    }
    return bytes;
  }
}
