package io.github.panvec.engine;

import io.github.panvec.InvalidVectorException;
import io.github.panvec.NativeMemoryException;
import io.github.panvec.spi.HitSegments;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Slots on the Java heap, one number each, that fail when told to: tests the engine without a
 * native library.
 */
final class JavaSlotIndex implements SlotIndex {
  private final List<Float> rows = new ArrayList<>();
  private long linked;

  /** The next {@link #link} stops after this many slots; negative: it does not fail. */
  long failAfter = -1;

  /** How many hits a walk finds at most. */
  int walkFinds = Integer.MAX_VALUE;

  boolean closed;

  @Override
  public void prepare(long capacity) {}

  @Override
  public void reserve(long capacity) {
    while (rows.size() < capacity) {
      rows.add(Float.NaN);
    }
  }

  @Override
  public void stage(long firstSlot, MemorySegment staged, long count, long firstRow) {
    for (int i = 0; i < count; i++) {
      float value = staged.getAtIndex(ValueLayout.JAVA_FLOAT, i);
      if (Float.isNaN(value)) {
        throw new InvalidVectorException("row " + (firstRow + i));
      }
      rows.set((int) firstSlot + i, value);
    }
  }

  @Override
  public Linked link(
      long firstSlot, long count, int threads, MemorySegment yield, long sliceNanos) {
    if (firstSlot != linked) {
      throw new IllegalStateException("slot " + firstSlot + " is not the next, " + linked + " is");
    }
    if (failAfter >= 0) {
      long slots = Math.min(failAfter, count);
      failAfter = -1;
      linked += slots;
      return new Linked(slots, new NativeMemoryException("enough"));
    }
    // In several slices, as a native library does when readers wait.
    long slots = Math.min(count, 3);
    linked += slots;
    return new Linked(slots, null);
  }

  @Override
  public int search(
      SlotView view, MemorySegment filter, MemorySegment query, int k, int ef, HitSegments hits) {
    return exact(view, 0, view.slotCount(), filter, query, Math.min(k, walkFinds), 0, true, hits);
  }

  @Override
  public int exact(
      SlotView view,
      long from,
      long to,
      MemorySegment filter,
      MemorySegment query,
      int k,
      int count,
      boolean finish,
      HitSegments hits) {
    Version version = (Version) view;
    int found = 0;
    for (long slot = from; slot < to && found < k; slot++) {
      if (version.isLive(slot)) {
        hits.ids().setAtIndex(ValueLayout.JAVA_LONG, found, idOf(view, slot));
        hits.distances().setAtIndex(ValueLayout.JAVA_FLOAT, found, rows.get((int) slot));
        found++;
      }
    }
    return found;
  }

  private static long idOf(SlotView view, long slot) {
    long page =
        view.idPages()
            .reinterpret(Long.BYTES * (Pages.page(slot) + 1L))
            .getAtIndex(ValueLayout.JAVA_LONG, Pages.page(slot));
    return MemorySegment.ofAddress(page)
        .reinterpret(Pages.ID_PAGE_BYTES)
        .getAtIndex(ValueLayout.JAVA_LONG, slot & Pages.SLOT_MASK);
  }

  @Override
  public int exactSlots(
      SlotView view,
      MemorySegment slots,
      long slotCount,
      MemorySegment query,
      int k,
      int count,
      boolean finish,
      HitSegments hits) {
    for (int i = 0; i < Math.min(k, slotCount); i++) {
      int slot = slots.getAtIndex(ValueLayout.JAVA_INT, i);
      hits.ids().setAtIndex(ValueLayout.JAVA_LONG, i, idOf(view, slot));
    }
    return (int) Math.min(k, slotCount);
  }

  @Override
  public void row(long slot, MemorySegment row) {
    row.set(ValueLayout.JAVA_FLOAT, 0, rows.get((int) slot));
  }

  @Override
  public long memoryBytes() {
    return rows.size() * 4L;
  }

  @Override
  public Map<String, Object> details() {
    return Map.of();
  }

  @Override
  public void close() {
    closed = true;
  }
}
