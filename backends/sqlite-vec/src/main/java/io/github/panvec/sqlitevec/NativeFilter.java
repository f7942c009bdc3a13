package io.github.panvec.sqlitevec;

import io.github.panvec.IdFilter;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.jspecify.annotations.Nullable;

/**
 * A filter as the native search takes it: sorted ids, or a bitmap, or neither.
 *
 * @param ids int64, or NULL
 * @param bitmap words of 64 bits, or NULL
 */
record NativeFilter(
    MemorySegment ids, long idCount, MemorySegment bitmap, long firstId, long words) {

  /** Everything may be returned. */
  static final NativeFilter NONE =
      new NativeFilter(MemorySegment.NULL, 0, MemorySegment.NULL, 0, 0);

  /** Copies a filter into {@code arena}. One without any id is still not NULL. */
  static NativeFilter of(@Nullable IdFilter filter, Arena arena) {
    if (filter instanceof IdFilter.In in) {
      MemorySegment ids = arena.allocate(ValueLayout.JAVA_LONG, Math.max(1, in.count()));
      for (int rank = 0; rank < in.count(); rank++) {
        ids.setAtIndex(ValueLayout.JAVA_LONG, rank, in.id(rank));
      }
      return new NativeFilter(ids, in.count(), MemorySegment.NULL, 0, 0);
    }
    if (filter instanceof IdFilter.Bitmap bits) {
      MemorySegment words = arena.allocate(ValueLayout.JAVA_LONG, Math.max(1, bits.wordCount()));
      for (int index = 0; index < bits.wordCount(); index++) {
        words.setAtIndex(ValueLayout.JAVA_LONG, index, bits.word(index));
      }
      return new NativeFilter(MemorySegment.NULL, 0, words, bits.firstId(), bits.wordCount());
    }
    return NONE;
  }
}
