package io.github.panvec.engine;

import io.github.panvec.CorruptIndexException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Function;

/**
 * Finds slots by id in a snapshot's files, which are as they were saved: a binary search over the
 * slots in the order of their ids. Takes no memory of its own.
 *
 * @param ids of slots
 * @param order int32 live slots, sorted by id
 * @param corrupt what is wrong with the order, as an exception that names its file
 */
record SavedOrder(SlotIds ids, MemorySegment order, Function<String, CorruptIndexException> corrupt)
    implements SlotLookup {
  private static final ValueLayout.OfInt INT = SnapshotFiles.INT;

  @Override
  public int find(long id, Version version) {
    long low = 0;
    long high = order.byteSize() / Integer.BYTES - 1;
    while (low <= high) {
      long middle = (low + high) >>> 1;
      int slot = order.getAtIndex(INT, middle);
      if (slot < 0 || slot >= version.slotCount()) {
        throw corrupt.apply("holds slot " + slot + " of " + version.slotCount());
      }
      long found = ids.get(slot);
      if (found == id) {
        return version.isLive(slot) ? slot : -1;
      }
      if (found < id) {
        low = middle + 1;
      } else {
        high = middle - 1;
      }
    }
    return -1;
  }
}
