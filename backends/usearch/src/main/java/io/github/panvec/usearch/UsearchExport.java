package io.github.panvec.usearch;

import io.github.panvec.engine.GraphExport;
import java.lang.foreign.MemorySegment;
import java.util.function.LongUnaryOperator;

/** What usearch's {@code save} writes. Where its keys are follows from the layers of all nodes. */
final class UsearchExport extends GraphExport {
  private final int m;
  private final long levelsAt;
  private final short[] levels;
  private int seen;

  // The node that was asked for last, and where it begins.
  private int node;
  private long nodeAt;

  /**
   * @param codeBytes of a vector, as the file has it
   */
  UsearchExport(long codeBytes, int m, long slotCount, LongUnaryOperator ids) {
    super(slotCount, ids);
    this.m = m;
    levels = new short[Math.toIntExact(slotCount)];
    levelsAt = UsearchFile.levelsAt(codeBytes, slotCount);
    nodeAt = levelsAt + slotCount * Short.BYTES;
  }

  /** -1, as an unsigned number, marks what usearch has deleted. */
  @Override
  public void check(long id) {
    if (id < 0) {
      throw new IllegalArgumentException(
          "id " + id + " cannot be exported: usearch's keys are not negative");
    }
  }

  @Override
  protected void see(MemorySegment piece, long from) {
    // Savers write whole numbers.
    while (seen < levels.length) {
      long at = levelsAt + (long) seen * Short.BYTES - from;
      if (at < 0 || at + Short.BYTES > piece.byteSize()) {
        return;
      }
      levels[seen++] = piece.get(UsearchFile.SHORT, at);
    }
  }

  @Override
  protected long labelOf(long slot) {
    if (seen < levels.length) {
      return Long.MAX_VALUE;
    }
    for (; node < slot; node++) {
      nodeAt += UsearchFile.nodeBytes(m, levels[node]);
    }
    return nodeAt;
  }
}
