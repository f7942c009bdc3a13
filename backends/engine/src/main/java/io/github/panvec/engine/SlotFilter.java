package io.github.panvec.engine;

import io.github.panvec.IdFilter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * A filter in terms of one version's slots: a list of live slots when the filter names ids, a
 * bitmap by slot otherwise. Its native memory lives as long as the arena it was resolved with.
 */
final class SlotFilter {
  private final long slotCount;
  private final Arena arena;
  private final long count;
  private final @Nullable MemorySegment list;

  /** Made of the list when it is first asked for. */
  private @Nullable MemorySegment bitmap;

  private SlotFilter(
      Version version,
      Arena arena,
      long count,
      @Nullable MemorySegment list,
      @Nullable MemorySegment bitmap) {
    this.slotCount = version.slotCount();
    this.arena = arena;
    this.count = count;
    this.list = list;
    this.bitmap = bitmap;
  }

  /** The live slots of {@code version} whose ids pass. */
  static SlotFilter resolve(IdFilter filter, Version version, IdMap map, SlotIds ids, Arena arena) {
    if (filter instanceof IdFilter.In in) {
      return ofIds(in, version, map, arena);
    }
    return ofSlots(filter, version, ids, arena);
  }

  private static SlotFilter ofIds(IdFilter.In in, Version version, IdMap map, Arena arena) {
    MemorySegment list = arena.allocate(ValueLayout.JAVA_INT, Math.max(1, in.count()));
    long count = 0;
    for (int rank = 0; rank < in.count(); rank++) {
      int slot = map.find(in.id(rank), version);
      if (slot >= 0) {
        list.setAtIndex(ValueLayout.JAVA_INT, count++, slot);
      }
    }
    return new SlotFilter(version, arena, count, list, null);
  }

  private static SlotFilter ofSlots(IdFilter filter, Version version, SlotIds ids, Arena arena) {
    MemorySegment bitmap = allocateBitmap(version.slotCount(), arena);
    long count = 0;
    for (long slot = 0; slot < version.slotCount(); slot++) {
      if (version.isLive(slot) && filter.test(ids.get(slot))) {
        setBit(bitmap, slot);
        count++;
      }
    }
    return new SlotFilter(version, arena, count, null, bitmap);
  }

  /** How many live slots pass. */
  long count() {
    return count;
  }

  boolean isList() {
    return list != null;
  }

  /** The slots {@code from .. to} of the list, int32 each; only when {@link #isList}. */
  MemorySegment list(long from, long to) {
    if (list == null) {
      throw new IllegalStateException("the filter is a bitmap");
    }
    return list.asSlice(from * Integer.BYTES, (to - from) * Integer.BYTES);
  }

  /** Bitmap by slot, a bit for each slot of the version. */
  synchronized MemorySegment bitmap() {
    if (bitmap == null) {
      MemorySegment bits = allocateBitmap(slotCount, arena);
      MemorySegment slots = list(0, count);
      for (long i = 0; i < count; i++) {
        setBit(bits, slots.getAtIndex(ValueLayout.JAVA_INT, i));
      }
      bitmap = bits;
    }
    return bitmap;
  }

  private static MemorySegment allocateBitmap(long slotCount, Arena arena) {
    return arena.allocate(ValueLayout.JAVA_LONG, Math.max(1, (slotCount + 63) >>> 6));
  }

  private static void setBit(MemorySegment bitmap, long slot) {
    long word = bitmap.getAtIndex(ValueLayout.JAVA_LONG, slot >>> 6);
    bitmap.setAtIndex(ValueLayout.JAVA_LONG, slot >>> 6, word | 1L << slot);
  }
}
