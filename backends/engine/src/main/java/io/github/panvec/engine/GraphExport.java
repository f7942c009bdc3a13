package io.github.panvec.engine;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;

/**
 * Makes the engine's own file, as its other users write it, of the graph file of a snapshot: the
 * same bytes, with ids where there were slots, and perhaps some before and behind. For one thread.
 */
public abstract class GraphExport {
  private final long slotCount;
  private final LongUnaryOperator ids;
  private long position;

  /** The slot whose label comes next. */
  private long slot;

  /** Where that label is, or {@link Long#MAX_VALUE}. */
  private long label = Long.MAX_VALUE;

  /**
   * Of an index without dead slots.
   *
   * @param ids the id of each slot
   */
  protected GraphExport(long slotCount, LongUnaryOperator ids) {
    this.slotCount = slotCount;
    this.ids = ids;
  }

  /** How many slots there are. */
  protected final long slotCount() {
    return slotCount;
  }

  /** The id of a slot. */
  protected final long id(long ofSlot) {
    return ids.applyAsLong(ofSlot);
  }

  /**
   * Refuses an id that the format has no place for.
   *
   * @throws IllegalArgumentException naming it
   */
  public abstract void check(long id);

  /** What comes before the graph file. */
  public void before(Consumer<MemorySegment> out) {}

  /** What comes behind it. */
  public void after(Consumer<MemorySegment> out) {}

  /** Sees the next bytes of the graph file, before labels are looked for in them. */
  protected void see(MemorySegment piece, long from) {}

  /**
   * Where the label of {@code ofSlot} is in the graph file, as far as that is known by now; else
   * {@link Long#MAX_VALUE}. Asked for each slot in turn. 8 bytes.
   */
  protected long labelOf(long ofSlot) {
    return Long.MAX_VALUE;
  }

  /** Puts ids into the next bytes of the graph file. */
  public final void pass(MemorySegment piece) {
    see(piece, position);
    long end = position + piece.byteSize();
    while (slot < slotCount) {
      if (label == Long.MAX_VALUE) {
        label = labelOf(slot);
      }
      if (label >= end) {
        break;
      }
      long id = id(slot);
      for (long at = Math.max(label, position); at < Math.min(label + Long.BYTES, end); at++) {
        byte part = (byte) (id >>> 8 * (at - label));
        piece.set(ValueLayout.JAVA_BYTE, at - position, part);
      }
      if (label + Long.BYTES > end) {
        break;
      }
      slot++;
      label = Long.MAX_VALUE;
    }
    position = end;
  }
}
