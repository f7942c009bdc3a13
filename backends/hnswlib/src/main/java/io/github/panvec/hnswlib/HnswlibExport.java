package io.github.panvec.hnswlib;

import io.github.panvec.engine.GraphExport;
import java.util.function.LongUnaryOperator;

/** What hnswlib's {@code saveIndex} writes. */
final class HnswlibExport extends GraphExport {
  private final long stride;

  HnswlibExport(int dimension, int m, long slotCount, LongUnaryOperator ids) {
    super(slotCount, ids);
    stride = HnswlibFile.stride(dimension, m);
  }

  @Override
  public void check(long id) {
    if (id < 0) {
      throw new IllegalArgumentException(
          "id " + id + " cannot be exported: hnswlib's labels are not negative");
    }
  }

  @Override
  protected long labelOf(long slot) {
    return HnswlibFile.HEADER_BYTES + (slot + 1) * stride - Long.BYTES;
  }
}
