package io.github.panvec.engine;

import io.github.panvec.VectorIndexException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;

/**
 * From ids to slots, for every version that is still in use. Open addressing over slots; the ids
 * themselves lie in {@link SlotIds}.
 *
 * <p>One writer at a time, any number of readers beside it, without locks. An entry points to the
 * newest slot of an id, and each slot to the one it replaced, so that a reader with an older
 * version finds the slot that was live in it. Entries of removed ids stay: slots are not used twice
 * either, and both go when the index is rebuilt.
 */
final class IdMap implements SlotLookup {
  private static final VarHandle SLOT = MethodHandles.arrayElementVarHandle(int[].class);
  private static final int NONE = -1;

  private final SlotIds ids;

  /** {@code slot + 1}, or 0 where free. At most half full. */
  private volatile int[] table = new int[64];

  private int entries;

  /** By page: {@code 1 +} the slot that a slot replaced, or 0. Pages without an upsert are null. */
  private volatile int[][] replaced = {};

  IdMap(SlotIds ids) {
    this.ids = ids;
  }

  @Override
  public int find(long id, Version version) {
    int slot = newest(id);
    while (slot != NONE && !version.isLive(slot)) {
      slot = predecessor(slot);
    }
    return slot;
  }

  private int newest(long id) {
    int[] slots = table;
    int mask = slots.length - 1;
    for (int i = home(id, mask); ; i = i + 1 & mask) {
      int entry = (int) SLOT.getAcquire(slots, i);
      if (entry == 0) {
        return NONE;
      }
      if (ids.get(entry - 1) == id) {
        return entry - 1;
      }
    }
  }

  private int predecessor(int slot) {
    int[][] pages = replaced;
    int page = Pages.page(slot);
    return page >= pages.length || pages[page] == null
        ? NONE
        : pages[page][slot & Pages.SLOT_MASK] - 1;
  }

  /**
   * Points {@code id} to {@code slot}, whose id is set in {@link SlotIds} already, ahead of the
   * version that publishes the slot.
   *
   * @param live the slot that is live under {@code id} in the current version, or -1
   * @param olderInUse whether a version older than the current one is still in use
   */
  void put(long id, int slot, int live, boolean olderInUse) {
    ensureRoom();
    int[] slots = table;
    int mask = slots.length - 1;
    for (int i = home(id, mask); ; i = i + 1 & mask) {
      int entry = slots[i];
      if (entry == 0) {
        SLOT.setRelease(slots, i, slot + 1);
        entries++;
        return;
      }
      if (ids.get(entry - 1) == id) {
        if (olderInUse) {
          setPredecessor(slot, entry - 1);
        } else {
          // Nobody asks for more than the live slot: chains stay short under churn, and slots of
          // writes that failed drop out of them.
          setPredecessor(slot, live);
          if (live != NONE) {
            setPredecessor(live, NONE);
          }
        }
        SLOT.setRelease(slots, i, slot + 1);
        return;
      }
    }
  }

  private void setPredecessor(int slot, int predecessor) {
    int page = Pages.page(slot);
    int[][] pages = replaced;
    if (page >= pages.length || pages[page] == null) {
      if (predecessor == NONE) {
        return;
      }
      pages = Arrays.copyOf(pages, Math.max(page + 1, pages.length));
      pages[page] = new int[Pages.SLOTS];
      pages[page][slot & Pages.SLOT_MASK] = predecessor + 1;
      replaced = pages;
    } else {
      pages[page][slot & Pages.SLOT_MASK] = predecessor + 1;
    }
  }

  /** Makes room for {@code more} ids at once, so that a batch grows the table once. */
  void reserve(long more) {
    long needed = (entries + more) * 2;
    if (needed > table.length) {
      rehash(needed);
    }
  }

  private void ensureRoom() {
    if ((entries + 1) * 2L > table.length) {
      rehash(table.length * 2L);
    }
  }

  private void rehash(long atLeast) {
    long size = Long.highestOneBit(Math.max(64, atLeast - 1)) << 1;
    if (size > 1 << 30) {
      throw new VectorIndexException("an index holds at most " + (1 << 29) + " ids");
    }
    int[] old = table;
    int[] grown = new int[(int) size];
    int mask = grown.length - 1;
    for (int entry : old) {
      if (entry != 0) {
        int i = home(ids.get(entry - 1), mask);
        while (grown[i] != 0) {
          i = i + 1 & mask;
        }
        grown[i] = entry;
      }
    }
    table = grown;
  }

  /**
   * Fibonacci hashing after folding the high half in: dense, strided and negative ids all spread.
   */
  private static int home(long id, int mask) {
    long mixed = (id ^ id >>> 32) * 0x9E3779B97F4A7C15L;
    return (int) (mixed >>> 33) & mask;
  }

  long bytes() {
    long bytes = table.length * 4L;
    for (int[] page : replaced) {
      bytes += page == null ? 0 : page.length * 4L;
    }
    return bytes;
  }
}
