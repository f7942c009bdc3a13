package io.github.panvec.faiss;

import io.github.panvec.Metric;
import io.github.panvec.engine.GraphExport;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;
import java.util.function.LongUnaryOperator;

/** What {@code faiss.write_index} writes of an {@code IndexIDMap} over an index. */
final class FaissExport extends GraphExport {
  private static final int IDS_AT_ONCE = 1 << 16;

  /** Where a header says by what the rows were scaled, which FAISS knows nothing of. */
  private static final long SCALE_AT = 16;

  private final Metric metric;
  private final int dimension;

  FaissExport(Metric metric, int dimension, long slotCount, LongUnaryOperator ids) {
    super(slotCount, ids);
    this.metric = metric;
    this.dimension = dimension;
  }

  /** -1 stands for no hit. */
  @Override
  public void check(long id) {
    if (id < 0) {
      throw new IllegalArgumentException(
          "id " + id + " cannot be exported: FAISS's ids are not negative");
    }
  }

  @Override
  public void before(Consumer<MemorySegment> out) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment head = arena.allocate(FaissFile.NAME_BYTES + FaissFile.HEADER_BYTES);
      head.setString(0, "IxMp");
      head.set(FaissFile.INT, 4, dimension);
      head.set(FaissFile.LONG, 8, slotCount());
      head.set(FaissFile.LONG, 16, FaissFile.DUMMY);
      head.set(FaissFile.LONG, 24, FaissFile.DUMMY);
      head.set(ValueLayout.JAVA_BYTE, 32, (byte) 1);
      head.set(FaissFile.INT, 33, FaissFile.metricNumber(metric));
      out.accept(head);
    }
  }

  @Override
  protected void see(MemorySegment piece, long from) {
    if (from == 0 && piece.get(FaissFile.LONG, SCALE_AT) != FaissFile.DUMMY) {
      throw new IllegalStateException(
          "the vectors are so large or small that they were scaled before they became codes; FAISS"
              + " has no place for that in its files");
    }
  }

  @Override
  public void after(Consumer<MemorySegment> out) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment numbers = arena.allocate((long) IDS_AT_ONCE * Long.BYTES, Long.BYTES);
      numbers.set(FaissFile.LONG, 0, slotCount());
      out.accept(numbers.asSlice(0, Long.BYTES));
      for (long first = 0; first < slotCount(); first += IDS_AT_ONCE) {
        long count = Math.min(IDS_AT_ONCE, slotCount() - first);
        for (long i = 0; i < count; i++) {
          numbers.setAtIndex(FaissFile.LONG, i, id(first + i));
        }
        out.accept(numbers.asSlice(0, count * Long.BYTES));
      }
    }
  }
}
