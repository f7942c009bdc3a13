package io.github.panvec.engine;

import io.github.panvec.IdFilter;
import io.github.panvec.Limits;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A filter in terms of one version's slots: a list of live slots when the filter names ids, a
 * bitmap by slot otherwise. Its native memory lives as long as the arena it was resolved with.
 */
final class SlotFilter {
  /** Looking at the clock costs as much as some rows, but for a predicate no more than one. */
  private static final int ROWS_PER_LOOK = 4096;

  private final long slotCount;
  private final Arena arena;
  private final long count;
  private final @Nullable MemorySegment list;

  /** Made of the list when it is first asked for. */
  private @Nullable MemorySegment bitmap;

  private SlotFilter(
      long slotCount,
      Arena arena,
      long count,
      @Nullable MemorySegment list,
      @Nullable MemorySegment bitmap) {
    this.slotCount = slotCount;
    this.arena = arena;
    this.count = count;
    this.list = list;
    this.bitmap = bitmap;
  }

  /**
   * The live slots of {@code version} whose ids pass.
   *
   * @param arena for its memory
   */
  static SlotFilter resolve(IdFilter filter, Version version, Arena arena, Limits limits) {
    if (filter instanceof PreparedFilter prepared && prepared.isOf(version.home())) {
      return prepared.resolve(version, arena, limits);
    }
    if (filter instanceof IdFilter.Prepared foreign) {
      return resolve(foreign.source(), version, arena, limits);
    }
    if (filter instanceof IdFilter.In in) {
      return ofIds(in, List.of(), version, arena, limits);
    }
    if (filter instanceof IdFilter.And and) {
      IdFilter.In fewest = fewestIds(and);
      if (fewest != null) {
        List<IdFilter> others = new ArrayList<>(and.parts());
        others.remove(fewest);
        return ofIds(fewest, others, version, arena, limits);
      }
    }
    return ofSlots(filter, version, arena, limits);
  }

  /** How many ids to test between two looks at the limits. */
  static int rowsPerLook(IdFilter filter) {
    return asksCaller(filter) ? 1 : ROWS_PER_LOOK;
  }

  /** Whether there is a predicate in it, which takes as long as it pleases. */
  private static boolean asksCaller(IdFilter filter) {
    // Loops instead of streams: a deep filter is to need little of the stack.
    if (filter instanceof IdFilter.And and) {
      return anyAsksCaller(and.parts());
    }
    if (filter instanceof IdFilter.Or or) {
      return anyAsksCaller(or.parts());
    }
    if (filter instanceof IdFilter.Not not) {
      return asksCaller(not.refused());
    }
    if (filter instanceof IdFilter.Prepared prepared) {
      return asksCaller(prepared.source());
    }
    return filter instanceof IdFilter.Matching;
  }

  private static boolean anyAsksCaller(List<IdFilter> parts) {
    for (IdFilter part : parts) {
      if (asksCaller(part)) {
        return true;
      }
    }
    return false;
  }

  private static IdFilter.@Nullable In fewestIds(IdFilter.And and) {
    IdFilter.In fewest = null;
    for (IdFilter part : and.parts()) {
      if (part instanceof IdFilter.In in && (fewest == null || in.count() < fewest.count())) {
        fewest = in;
      }
    }
    return fewest;
  }

  /** Those of a list of ids that pass the other filters too. */
  private static SlotFilter ofIds(
      IdFilter.In in, List<IdFilter> others, Version version, Arena arena, Limits limits) {
    MemorySegment list = arena.allocate(ValueLayout.JAVA_INT, Math.max(1, in.count()));
    long count = 0;
    int perLook = anyAsksCaller(others) ? 1 : ROWS_PER_LOOK;
    for (int rank = 0; rank < in.count(); rank++) {
      if (rank % perLook == 0) {
        limits.check("the search");
      }
      long id = in.id(rank);
      int slot = version.home().find(id, version);
      if (slot >= 0 && others.stream().allMatch(other -> other.test(id))) {
        list.setAtIndex(ValueLayout.JAVA_INT, count++, slot);
      }
    }
    return new SlotFilter(version.slotCount(), arena, count, list, null);
  }

  private static SlotFilter ofSlots(IdFilter filter, Version version, Arena arena, Limits limits) {
    MemorySegment bitmap = allocateBitmap(version.slotCount(), arena);
    SlotIds ids = version.home().ids();
    long count = 0;
    int perLook = rowsPerLook(filter);
    for (long slot = 0; slot < version.slotCount(); slot++) {
      if (slot % perLook == 0) {
        limits.check("the search");
      }
      if (version.isLive(slot) && filter.test(ids.get(slot))) {
        setBit(bitmap, slot);
        count++;
      }
    }
    return new SlotFilter(version.slotCount(), arena, count, null, bitmap);
  }

  /**
   * A bitmap that was made before.
   *
   * @param count how many live slots of the version it lets through
   */
  static SlotFilter of(MemorySegment bitmap, long count, Version version, Arena arena) {
    return new SlotFilter(version.slotCount(), arena, count, null, bitmap);
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

  /** Bitmap by slot, a bit for each slot of the version at least. */
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

  static MemorySegment allocateBitmap(long slotCount, Arena arena) {
    return arena.allocate(ValueLayout.JAVA_LONG, Math.max(1, (slotCount + 63) >>> 6));
  }

  static void setBit(MemorySegment bitmap, long slot) {
    long word = bitmap.getAtIndex(ValueLayout.JAVA_LONG, slot >>> 6);
    bitmap.setAtIndex(ValueLayout.JAVA_LONG, slot >>> 6, word | 1L << slot);
  }
}
