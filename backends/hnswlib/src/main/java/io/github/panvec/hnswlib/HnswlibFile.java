package io.github.panvec.hnswlib;

import io.github.panvec.IndexSpec;
import io.github.panvec.engine.ImportedGraph;
import io.github.panvec.engine.ImportedRows;
import io.github.panvec.snapshot.SnapshotContents;
import io.github.panvec.snapshot.SnapshotSink;
import io.github.panvec.spi.ForeignFile;
import io.github.panvec.spi.ForeignReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.BitSet;
import java.util.Map;

/**
 * A file of hnswlib's {@code saveIndex}: a header, then for each row the links of its base layer,
 * the row and its label, then for each row the links of its upper layers. Says nothing of the
 * metric. Becomes a graph file whose labels are slots; links are checked when that is opened.
 */
final class HnswlibFile {
  static final long HEADER_BYTES = 96;

  private static final long MOST_LINKS = 512;
  private static final long MOST_EF_CONSTRUCTION = 1_000_000;
  private static final long PIECE_BYTES = 4L << 20;

  /** In the word that begins a list of the base layer, above the number of links. */
  private static final int DELETED = 1 << 16;

  private static final int COUNT = 0xFFFF;

  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final ForeignFile file;
  private final IndexSpec spec;
  private final MemorySegment header;
  private final MemorySegment base;
  private final MemorySegment upper;
  private final long stride;
  private final long rowOffset;
  private final long[] ids;
  private final BitSet deleted = new BitSet();

  private HnswlibFile(ForeignFile file) {
    this.file = file;
    ForeignReader reader = file.reader();
    if (reader.left() < HEADER_BYTES) {
      throw file.foreign("it is no index of hnswlib's: it has " + reader.left() + " bytes");
    }
    long linksOffset = reader.takeLong();
    reader.takeLong(); // capacity
    long count = reader.takeLong();
    stride = reader.takeLong();
    long labelOffset = reader.takeLong();
    rowOffset = reader.takeLong();
    reader.takeInt(); // the highest layer, and
    reader.takeInt(); // where walks begin: checked when it is opened
    long mostUpper = reader.takeLong();
    long mostBase = reader.takeLong();
    long m = reader.takeLong();
    reader.takeDouble(); // for drawing layers
    long efConstruction = reader.takeLong();
    if (linksOffset != 0
        || m < 1
        || m > MOST_LINKS
        || mostUpper != m
        || mostBase != 2 * m
        || rowOffset != (2 * m + 1) * Integer.BYTES
        || labelOffset <= rowOffset
        || labelOffset > Integer.MAX_VALUE
        || (labelOffset - rowOffset) % Float.BYTES != 0
        || stride != labelOffset + Long.BYTES) {
      throw file.foreign("it is no index of hnswlib's with float32 vectors, or a damaged one");
    }
    int dimension = (int) ((labelOffset - rowOffset) / Float.BYTES);
    spec =
        file.spec(
            dimension,
            Map.of("m", m),
            Map.of("efConstruction", Math.max(1, Math.min(efConstruction, MOST_EF_CONSTRUCTION))));
    base = reader.take(ImportedGraph.checkCount(file, count), stride);
    upper = reader.take(reader.left(), 1);
    header = file.reader().take(1, HEADER_BYTES);
    ids = new long[(int) count];
    for (int slot = 0; slot < count; slot++) {
      long at = slot * stride;
      ids[slot] = ImportedGraph.checkLabel(file, base.get(LONG, at + labelOffset));
      int word = base.get(INT, at);
      if ((word & ~(COUNT | DELETED)) != 0) {
        throw file.corrupt("it has unknown marks at row " + slot);
      }
      deleted.set(slot, (word & DELETED) != 0);
    }
  }

  /** Bytes of a row with its base layer and label. */
  static long stride(int dimension, int m) {
    return (2L * m + 1) * Integer.BYTES + (long) dimension * Float.BYTES + Long.BYTES;
  }

  static SnapshotContents contents(ForeignFile file) {
    HnswlibFile read = new HnswlibFile(file);
    // Once to know what to say of the rows, before anything is written.
    ImportedRows rows = read.rows();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment row = arena.allocate(read.stride, Long.BYTES);
      for (int slot = 0; slot < read.ids.length; slot++) {
        row.copyFrom(read.base.asSlice(slot * read.stride, read.stride));
        rows.take(row, read.rowOffset, read.ids[slot]);
      }
    }
    return new ImportedGraph(
            read.spec,
            HnswlibBackend.UPSTREAM_VERSION,
            read.ids,
            read.deleted,
            rows.maxNorm(),
            read::write,
            null)
        .contents(file);
  }

  private ImportedRows rows() {
    return new ImportedRows(file, spec.dimension(), false);
  }

  private void write(SnapshotSink sink) {
    sink.write(header);
    ImportedRows rows = rows();
    try (Arena arena = Arena.ofConfined()) {
      long most = Math.max(1, PIECE_BYTES / stride);
      MemorySegment room = arena.allocate(most * stride, Long.BYTES);
      for (long first = 0; first < ids.length; first += most) {
        long count = Math.min(most, ids.length - first);
        MemorySegment piece = room.asSlice(0, count * stride);
        piece.copyFrom(base.asSlice(first * stride, count * stride));
        for (long i = 0; i < count; i++) {
          long at = i * stride;
          piece.set(INT, at, piece.get(INT, at) & COUNT);
          rows.take(piece, at + rowOffset, ids[(int) (first + i)]);
          piece.set(LONG, at + stride - Long.BYTES, first + i);
        }
        sink.write(piece);
      }
    }
    sink.write(upper);
  }
}
