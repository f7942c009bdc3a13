package io.github.panvec.sqlitevec;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The rows of a batch, some at a time, as native memory: in place where they are native and aligned
 * already, else copied.
 */
final class Slices {
  /** What an int64 needs, the widest element there is. */
  private static final long ALIGNMENT = Long.BYTES;

  private final MemorySegment rows;
  private final long rowBytes;
  private final boolean inPlace;
  private final MemorySegment copy;

  Slices(MemorySegment rows, long rowBytes, long rowsPerSlice, long count, Arena arena) {
    this.rows = rows;
    this.rowBytes = rowBytes;
    inPlace =
        rows.isNative()
            && rows.address() % ALIGNMENT == 0
            && rowBytes * rowsPerSlice % ALIGNMENT == 0;
    copy =
        inPlace
            ? MemorySegment.NULL
            : arena.allocate(Math.min(rowsPerSlice, count) * rowBytes, ALIGNMENT);
  }

  /** Rows {@code first .. first + count - 1}, until the next call. */
  MemorySegment at(long first, long count) {
    MemorySegment slice = rows.asSlice(first * rowBytes, count * rowBytes);
    return inPlace ? slice : copy.copyFrom(slice).asSlice(0, count * rowBytes);
  }
}
