package io.github.panvec.faiss;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.engine.ImportedGraph;
import io.github.panvec.engine.ImportedRows;
import io.github.panvec.snapshot.SnapshotContent;
import io.github.panvec.snapshot.SnapshotContents;
import io.github.panvec.snapshot.SnapshotSink;
import io.github.panvec.spi.ForeignFile;
import io.github.panvec.spi.ForeignReader;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * A file of {@code faiss.write_index}: an index, perhaps within an {@code IndexIDMap}. Becomes a
 * graph file, which is the same but for ids in lists, and for vectors that become unit vectors;
 * what is in it is checked when that is opened.
 */
final class FaissFile {
  static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  static final int NAME_BYTES = 4;
  static final int HEADER_BYTES = 33;

  /** What FAISS writes for a number that it does not use. */
  static final long DUMMY = 1L << 20;

  /** FAISS's QT_8bit. */
  private static final int EIGHT_BITS = 0;

  private static final long MOST_EF_CONSTRUCTION = 1_000_000;
  private static final long PIECE_BYTES = 4L << 20;

  private final ForeignFile file;
  private final ForeignReader reader;

  /** What the graph file is made of, in order. */
  private final List<SnapshotContent.Writer> parts = new ArrayList<>();

  private final List<Rows> rows = new ArrayList<>();
  private final Map<String, Object> fixed = new HashMap<>();
  private final Map<String, Object> suggested = new HashMap<>();
  private final int dimension;
  private final long[] ids;

  /** Where the bytes begin that are taken over as they are, up to where is read. */
  private long copied;

  /**
   * What every index begins with.
   *
   * @param name its kind, four characters
   */
  private record Header(String name, int dimension, int count) {}

  private FaissFile(ForeignFile file) {
    this.file = file;
    reader = file.reader();
    if (reader.left() < NAME_BYTES + HEADER_BYTES) {
      throw file.foreign("it is no index of FAISS's: it has " + reader.left() + " bytes");
    }
    Header outer = header();
    boolean named = outer.name().equals("IxMp") || outer.name().equals("IxM2");
    if (named) {
      copied = reader.position();
    }
    Header index = named ? header() : outer;
    dimension = index.dimension();
    // A byte of code each, at the least.
    if (index.count() > reader.left()) {
      throw file.corrupt(
          "it has " + reader.left() + " bytes left for " + index.count() + " vectors");
    }
    ids = new long[index.count()];
    for (int slot = 0; slot < ids.length; slot++) {
      ids[slot] = slot;
    }
    read(index);
    copy();
    if (named) {
      if (outer.dimension() != dimension || outer.count() != ids.length) {
        throw file.corrupt("its map of ids is for another index");
      }
      readMap();
    }
    reader.expectEnd();
    for (long id : ids) {
      ImportedGraph.checkLabel(file, id);
    }
  }

  static SnapshotContents contents(ForeignFile file) {
    FaissFile read = new FaissFile(file);
    IndexSpec spec = file.spec(read.dimension, read.fixed, read.suggested);
    return new ImportedGraph(
            spec,
            FaissBackend.UPSTREAM_VERSION,
            read.ids,
            new BitSet(),
            read.checkRows(),
            read::write,
            null)
        .contents(file);
  }

  static int metricNumber(Metric metric) {
    return metric == Metric.L2 ? 1 : 0;
  }

  private Header header() {
    String name = reader.takeText(NAME_BYTES);
    int components = reader.takeInt();
    long count = reader.takeLong();
    long first = reader.takeLong();
    long second = reader.takeLong();
    int trained = reader.takeByte();
    int metric = reader.takeInt();
    if (components < 1 || first != DUMMY || second != DUMMY || trained > 1) {
      throw file.foreign("it is no index of FAISS's (" + name + "), or a damaged one");
    }
    if (metric != metricNumber(file.metric())) {
      throw file.foreign(
          "its metric is " + metricName(metric) + ", not what " + file.metric() + " ranks by");
    }
    if (trained == 0) {
      throw file.foreign("it is not trained, so there are no vectors in it");
    }
    return new Header(name, components, ImportedGraph.checkCount(file, count));
  }

  private static String metricName(int number) {
    return switch (number) {
      case 0 -> "the inner product (DOT, or COSINE of unit vectors)";
      case 1 -> "L2";
      default -> "number " + number;
    };
  }

  // -------------------------------------------------------------------------- kinds of index

  private void read(Header index) {
    switch (index.name()) {
      case "IxF2", "IxFI" -> {
        fixed.put("type", FaissType.FLAT.toString());
        readFlatRows(index);
      }
      case "IHNf" -> {
        fixed.put("type", FaissType.HNSW.toString());
        readLinks();
        readStorage(index, flatName());
        readRows(index.count());
      }
      case "IHNs" -> {
        codes(FaissType.HNSW_SQ8);
        readLinks();
        readStorage(index, "IxSQ");
        readScalarQuantizer();
        reader.take(reader.takeLong(), 1);
      }
      case "IxSQ" -> {
        codes(FaissType.SQ8);
        readScalarQuantizer();
        reader.take(reader.takeLong(), 1);
      }
      case "IxPq" -> {
        codes(FaissType.PQ);
        readProductQuantizer();
        reader.take(reader.takeLong(), 1);
        reader.take(1, 2 * Integer.BYTES + 1); // how FAISS is to search it
      }
      case "IwFl" -> {
        fixed.put("type", FaissType.IVF_FLAT.toString());
        readLists(index, (long) index.dimension() * Float.BYTES, true);
      }
      case "IwSq" -> {
        codes(FaissType.IVF_SQ8);
        readLists(index, 0, false);
      }
      case "IwPQ" -> {
        codes(FaissType.IVF_PQ);
        readLists(index, 0, false);
      }
      default ->
          throw file.foreign(
              "its kind of index is \""
                  + index.name()
                  + "\"; IndexFlat, IndexHNSWFlat, IndexHNSWSQ, IndexScalarQuantizer, IndexPQ,"
                  + " IndexIVFFlat, IndexIVFScalarQuantizer and IndexIVFPQ are read, with 8 bits in"
                  + " a scalar quantizer");
    }
  }

  /** There is nothing but codes in such a file. */
  private void codes(FaissType type) {
    fixed.put("type", type.toString());
    fixed.put("keepVectors", "false");
  }

  private String flatName() {
    return file.metric() == Metric.L2 ? "IxF2" : "IxFI";
  }

  private void readStorage(Header index, String name) {
    Header storage = header();
    if (!storage.name().equals(name)) {
      throw file.foreign("its vectors are in a \"" + storage.name() + "\", not in \"" + name + '"');
    }
    if (storage.count() != index.count() || storage.dimension() != index.dimension()) {
      throw file.corrupt("it has other vectors than links");
    }
  }

  private void readLinks() {
    reader.take(reader.takeLong(), Double.BYTES);
    ForeignReader room = at(reader.position());
    long layers = reader.takeLong();
    reader.take(layers, Integer.BYTES);
    room.takeLong();
    int most = layers < 2 ? 0 : (int) (room.takeLong() >>> 32); // the second, after a 0
    if (most < 2 || most % 2 != 0) {
      throw file.foreign("it has room for " + most + " neighbours of a row");
    }
    fixed.put("m", most / 2L);
    reader.take(reader.takeLong(), Integer.BYTES); // layers of rows
    reader.take(reader.takeLong(), Long.BYTES); // where their links begin
    reader.take(reader.takeLong(), Integer.BYTES); // links
    reader.take(2, Integer.BYTES); // where walks begin, on which layer
    long efConstruction = reader.takeInt();
    suggested.put("efConstruction", Math.max(1, Math.min(MOST_EF_CONSTRUCTION, efConstruction)));
    reader.take(2, Integer.BYTES); // efSearch, 16 by default, is for those who search
  }

  private ForeignReader at(long position) {
    ForeignReader other = file.reader();
    other.take(position, 1);
    return other;
  }

  private void readScalarQuantizer() {
    int kind = reader.takeInt();
    if (kind != EIGHT_BITS) {
      throw file.foreign(
          "its scalar quantizer is of kind " + kind + "; 8 bits, " + EIGHT_BITS + ", are read");
    }
    reader.take(1, 2 * Integer.BYTES + 2 * Long.BYTES);
    reader.take(reader.takeLong(), Float.BYTES);
  }

  private void readProductQuantizer() {
    reader.takeLong();
    fixed.put("pqM", reader.takeLong());
    fixed.put("pqBits", reader.takeLong());
    reader.take(reader.takeLong(), Float.BYTES);
  }

  private void readFlatRows(Header index) {
    if (!index.name().equals(flatName())) {
      throw file.corrupt("it is said to be of two metrics");
    }
    readRows(index.count());
  }

  // ------------------------------------------------------------------------------------- vectors

  /** Vectors one after another, those of the slots from {@code first} on. */
  private record Rows(MemorySegment bytes, long[] ids, int first, int count) {}

  private void readRows(int count) {
    long components = reader.takeLong();
    if (components != (long) count * dimension) {
      throw file.corrupt("it has " + components + " components for " + count + " vectors");
    }
    addRows(reader.take(components, Float.BYTES), 0, count);
  }

  private void addRows(MemorySegment bytes, int first, int count) {
    copyUpTo(reader.position() - bytes.byteSize());
    Rows added = new Rows(bytes, ids, first, count);
    rows.add(added);
    parts.add(sink -> write(added, sink));
    copied = reader.position();
  }

  /** Before anything is written; the largest norm. */
  private double checkRows() {
    ImportedRows checked = new ImportedRows(file, dimension, false);
    long rowBytes = (long) dimension * Float.BYTES;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment row = arena.allocate(rowBytes, Long.BYTES);
      for (Rows each : rows) {
        for (int i = 0; i < each.count(); i++) {
          row.copyFrom(each.bytes().asSlice(i * rowBytes, rowBytes));
          checked.take(row, 0, each.ids()[each.first() + i]);
        }
      }
    }
    return checked.maxNorm();
  }

  private void write(Rows from, SnapshotSink sink) {
    if (file.metric() != Metric.COSINE) {
      sink.write(from.bytes());
      return;
    }
    ImportedRows checked = new ImportedRows(file, dimension, false);
    long rowBytes = (long) dimension * Float.BYTES;
    int most = (int) Math.max(1, PIECE_BYTES / rowBytes);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment room = arena.allocate(most * rowBytes, Long.BYTES);
      for (int first = 0; first < from.count(); first += most) {
        int count = Math.min(most, from.count() - first);
        MemorySegment piece = room.asSlice(0, count * rowBytes);
        piece.copyFrom(from.bytes().asSlice(first * rowBytes, count * rowBytes));
        for (int i = 0; i < count; i++) {
          checked.take(piece, i * rowBytes, from.ids()[from.first() + first + i]);
        }
        sink.write(piece);
      }
    }
  }

  // --------------------------------------------------------------------------------------- lists

  private void readLists(Header index, long rowBytes, boolean vectors) {
    long lists = reader.takeLong();
    reader.takeLong(); // nprobe: one, unless somebody has said otherwise
    Header quantizer = header();
    if (!quantizer.name().equals(flatName())) {
      throw file.foreign(
          "it finds its lists by a \"" + quantizer.name() + "\"; \"" + flatName() + "\" is read");
    }
    if (lists != quantizer.count() || lists < 1) {
      throw file.corrupt("it has " + lists + " lists, and " + quantizer.count() + " centroids");
    }
    fixed.put("nlist", lists);
    long components = reader.takeLong();
    if (components != lists * quantizer.dimension()) {
      throw file.corrupt("it has " + components + " components for " + lists + " centroids");
    }
    reader.take(components, Float.BYTES);
    readDirectMap();
    long codeBytes = rowBytes;
    if (index.name().equals("IwSq")) {
      readScalarQuantizer();
      codeBytes = reader.takeLong();
      requireResiduals();
    } else if (index.name().equals("IwPQ")) {
      requireResiduals();
      codeBytes = reader.takeLong();
      readProductQuantizer();
    }
    readInvertedLists((int) lists, codeBytes, vectors);
  }

  private void requireResiduals() {
    if (reader.takeByte() != 1) {
      throw file.foreign("its codes are of vectors, not of residuals (by_residual)");
    }
  }

  /** Tells where a row is, which follows from the lists. It is left out. */
  private void readDirectMap() {
    copyUpTo(reader.position());
    int kind = reader.takeByte();
    reader.take(reader.takeLong(), Long.BYTES);
    if (kind == 2) {
      reader.take(reader.takeLong(), 2L * Long.BYTES);
    }
    parts.add(sink -> sink.write(MemorySegment.ofArray(new byte[1 + Long.BYTES])));
    copied = reader.position();
  }

  private void readInvertedLists(int lists, long codeBytes, boolean vectors) {
    String name = reader.takeText(NAME_BYTES);
    if (!name.equals("ilar")) {
      throw file.foreign("its lists are a \"" + name + "\"; those in the file, \"ilar\", are read");
    }
    if (reader.takeLong() != lists || reader.takeLong() != codeBytes) {
      throw file.corrupt("it has other lists than it says");
    }
    long[] sizes = readSizes(lists);
    int slot = 0;
    long[] found = new long[ids.length];
    for (int list = 0; list < lists; list++) {
      if (sizes[list] < 0 || sizes[list] > ids.length - slot) {
        throw file.corrupt("its lists have more than " + ids.length + " entries");
      }
      int count = (int) sizes[list];
      MemorySegment codes = reader.take(count, codeBytes);
      if (vectors) {
        addRows(codes, slot, count);
      }
      copyUpTo(reader.position());
      MemorySegment labels = reader.take(count, Long.BYTES);
      for (int i = 0; i < count; i++) {
        found[slot + i] = labels.getAtIndex(LONG, i);
      }
      int first = slot;
      parts.add(sink -> writeSlots(first, count, sink));
      copied = reader.position();
      slot += count;
    }
    if (slot != ids.length) {
      throw file.corrupt("its lists have " + slot + " entries, not " + ids.length);
    }
    System.arraycopy(found, 0, ids, 0, found.length);
  }

  private long[] readSizes(int lists) {
    String kind = reader.takeText(NAME_BYTES);
    long numbers = reader.takeLong();
    MemorySegment read = reader.take(numbers, Long.BYTES);
    boolean full = kind.equals("full");
    if (!full && !kind.equals("sprs") || full && numbers != lists || !full && numbers % 2 != 0) {
      throw file.corrupt("the sizes of its lists are wrong");
    }
    long[] sizes = new long[lists]; // as many as there are centroids, which are in the file
    for (long i = 0; i < numbers; i += full ? 1 : 2) {
      long list = full ? i : read.getAtIndex(LONG, i);
      if (list < 0 || list >= lists) {
        throw file.corrupt("it has a list " + list + ", which is not there");
      }
      sizes[(int) list] = read.getAtIndex(LONG, full ? i : i + 1);
    }
    return sizes;
  }

  private static void writeSlots(int first, int count, SnapshotSink sink) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment slots = arena.allocate(Math.max(1L, count) * Long.BYTES, Long.BYTES);
      for (int i = 0; i < count; i++) {
        slots.setAtIndex(LONG, i, first + i);
      }
      sink.write(slots.asSlice(0, (long) count * Long.BYTES));
    }
  }

  /** The ids of what the index numbers from 0 on. */
  private void readMap() {
    long count = reader.takeLong();
    if (count != ids.length) {
      throw file.corrupt("it has " + count + " ids for " + ids.length + " vectors");
    }
    MemorySegment map = reader.take(count, Long.BYTES);
    for (int slot = 0; slot < ids.length; slot++) {
      long number = ids[slot];
      if (number < 0 || number >= count) {
        throw file.corrupt("it has vector " + number + " of " + count);
      }
      ids[slot] = map.getAtIndex(LONG, number);
    }
  }

  // -------------------------------------------------------------------------------- bytes as is

  private void copy() {
    copyUpTo(reader.position());
    copied = reader.position();
  }

  private void copyUpTo(long position) {
    if (position > copied) {
      ForeignReader other = at(copied);
      MemorySegment bytes = other.take(position - copied, 1);
      parts.add(sink -> sink.write(bytes));
    }
    copied = position;
  }

  private void write(SnapshotSink sink) {
    parts.forEach(part -> part.writeTo(sink));
  }
}
