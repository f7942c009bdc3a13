package io.github.panvec.bench.data;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Goes through a set in parts, each in the same native memory, so that a large set is never in
 * memory twice. For one thread; begins before the first part.
 */
public final class Batches implements AutoCloseable {
  private static final long BYTES = 64L << 20;

  private final VectorSet set;
  private final long @Nullable [] ids;
  private final long rowBytes;
  private final int rowsOfOne;
  private final Arena arena = Arena.ofConfined();
  private final MemorySegment idRoom;
  private final MemorySegment rowRoom;
  private int first;
  private int end;

  /**
   * @param ids one for each row; null when rows are numbered from 0
   */
  public Batches(VectorSet set, long @Nullable [] ids) {
    if (ids != null) {
      Objects.checkFromIndexSize(0, set.rows(), ids.length);
    }
    this.set = set;
    this.ids = ids;
    this.rowBytes = 4L * set.dimension();
    this.rowsOfOne = Math.clamp(BYTES / rowBytes, 1, Math.max(1, set.rows()));
    this.idRoom = arena.allocate(ValueLayout.JAVA_LONG, rowsOfOne);
    this.rowRoom = arena.allocate(rowsOfOne * rowBytes, 64);
  }

  /** Goes to the next part; false when there is none. */
  public boolean next() {
    first = end;
    end = (int) Math.min((long) first + rowsOfOne, set.rows());
    if (first == end) {
      return false;
    }
    set.copyRows(first, count(), rowRoom);
    for (int i = 0; i < count(); i++) {
      idRoom.setAtIndex(ValueLayout.JAVA_LONG, i, ids == null ? first + i : ids[first + i]);
    }
    return true;
  }

  /** The part's first row. */
  public int first() {
    return first;
  }

  /** How many rows it has. */
  public int count() {
    return end - first;
  }

  /** Their ids, valid until {@link #next}. */
  public MemorySegment ids() {
    return idRoom.asSlice(0, count() * (long) Long.BYTES);
  }

  /** The rows as float32, valid until {@link #next}. */
  public MemorySegment rows() {
    return rowRoom.asSlice(0, count() * rowBytes);
  }

  @Override
  public void close() {
    arena.close();
  }
}
