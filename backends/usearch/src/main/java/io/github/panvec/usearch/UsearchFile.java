package io.github.panvec.usearch;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
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
import java.util.Locale;
import java.util.Map;

/**
 * A file of usearch's {@code save}: the vectors, a head that says what they are, the shape of the
 * graph, the highest layer of each node, and the nodes, each with its key. Becomes a graph file
 * whose keys are slots; links are checked when that is opened.
 */
final class UsearchFile {
  static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private static final String MAGIC = "usearch";
  private static final int MAJOR = 2;
  private static final long SHAPE_BYTES = 8;
  private static final long HEAD_BYTES = 64;
  private static final long HEADER_BYTES = 40;
  private static final int KEY_U64 = 14;
  private static final int SLOT_U32 = 15;

  /** What a deleted node has for a key. */
  private static final long FREE_KEY = -1;

  /** Codes of vectors whose length is nearer to 1 than that rank as those of unit vectors. */
  private static final double NEARLY_UNIT = 1e-2f;

  private static final float LARGEST_F16 = 65_504;

  /** How a component is stored. */
  private enum Kind {
    F32(11, Float.BYTES),
    F16(12, Short.BYTES),
    BF16(4, Short.BYTES),
    I8(23, Byte.BYTES);

    private final int number;
    private final int bytes;

    Kind(int number, int bytes) {
      this.number = number;
      this.bytes = bytes;
    }

    /** As the parameter has it. */
    String quantization() {
      return name().toLowerCase(Locale.ROOT);
    }

    float decode(MemorySegment codes, long at) {
      return switch (this) {
        case F32 -> codes.get(FLOAT, at);
        case F16 -> Float.float16ToFloat(codes.get(SHORT, at));
        case BF16 -> Float.intBitsToFloat(codes.get(SHORT, at) << 16);
        case I8 -> codes.get(ValueLayout.JAVA_BYTE, at);
      };
    }

    void encode(float component, MemorySegment codes, long at) {
      switch (this) {
        case F32 -> codes.set(FLOAT, at, component);
        case F16 -> {
          float within = Math.max(-LARGEST_F16, Math.min(LARGEST_F16, component));
          codes.set(SHORT, at, Float.floatToFloat16(within));
        }
        case BF16 -> {
          // To the nearest, ties to even; a unit vector's components are far from infinity.
          int bits = Float.floatToRawIntBits(component);
          codes.set(SHORT, at, (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16));
        }
        case I8 -> {
          // Whatever its length, it has the same direction.
        }
      }
    }
  }

  private final ForeignFile file;
  private final IndexSpec spec;
  private final Kind kind;
  private final long codeBytes;
  private final MemorySegment vectors;
  private final MemorySegment head;
  private final MemorySegment header;
  private final MemorySegment levels;
  private final MemorySegment nodes;
  private final int m;
  private final long[] ids;
  private final BitSet deleted = new BitSet();

  private UsearchFile(ForeignFile file) {
    this.file = file;
    ForeignReader reader = file.reader();
    if (reader.left() < SHAPE_BYTES + HEAD_BYTES + HEADER_BYTES) {
      throw file.foreign("it is no index of usearch's: it has " + reader.left() + " bytes");
    }
    long count = Integer.toUnsignedLong(reader.takeInt());
    codeBytes = Integer.toUnsignedLong(reader.takeInt());
    if (codeBytes == 0 || count > reader.left() / codeBytes) {
      throw file.foreign("it is no index of usearch's with its vectors, or a damaged one");
    }
    vectors = reader.take(ImportedGraph.checkCount(file, count), codeBytes);
    head = reader.take(1, HEAD_BYTES);
    checkHead(count);
    kind = kind();
    int dimension = dimension();
    header = reader.take(1, HEADER_BYTES);
    if (header.get(LONG, 0) != count) {
      throw file.corrupt("it has " + count + " vectors, and " + header.get(LONG, 0) + " nodes");
    }
    long upperLinks = header.get(LONG, 8);
    long baseLinks = header.get(LONG, 16);
    if (upperLinks < 1 || upperLinks > 1 << 16 || baseLinks != 2 * upperLinks) {
      throw file.foreign(
          "its nodes have up to "
              + baseLinks
              + " neighbours on the base layer and "
              + upperLinks
              + " above; twice as many on the base layer is what is read");
    }
    m = (int) upperLinks;
    spec =
        file.spec(
            dimension, Map.of("quantization", kind.quantization(), "m", upperLinks), Map.of());
    levels = reader.take(count, Short.BYTES);
    nodes = reader.take(reader.left(), 1);
    ids = new long[(int) count];
    readKeys();
  }

  /** Where the levels begin. */
  static long levelsAt(long codeBytes, long slotCount) {
    return SHAPE_BYTES + slotCount * codeBytes + HEAD_BYTES + HEADER_BYTES;
  }

  /** Bytes of a node. */
  static long nodeBytes(int m, int level) {
    return Long.BYTES + Short.BYTES + Integer.BYTES * (1 + 2L * m + level * (1L + m));
  }

  private void checkHead(long count) {
    ForeignReader reader = file.reader();
    reader.take(1, SHAPE_BYTES + count * codeBytes);
    if (!reader.takeText(MAGIC.length()).equals(MAGIC)) {
      throw file.foreign("it is no index of usearch's with its vectors, or a damaged one");
    }
    int major = reader.takeShort();
    if (major != MAJOR) {
      throw file.foreign("it is of usearch " + major + "; files of " + MAJOR + " are read");
    }
    reader.take(2, Short.BYTES); // minor versions have the same files
    int metric = reader.takeByte();
    reader.takeByte();
    if (metric != metricKind(file.metric())) {
      throw file.foreign(
          "its metric is " + metricName(metric) + ", not " + metricName(metricKind(file.metric())));
    }
    int keys = reader.takeByte();
    int slots = reader.takeByte();
    if (keys != KEY_U64 || slots != SLOT_U32) {
      throw file.foreign("its keys are not of 64 bits, or its nodes are not numbered by 32");
    }
    long present = reader.takeLong();
    long gone = reader.takeLong();
    if (present + gone != count) {
      throw file.corrupt(
          "it has " + count + " vectors, and says " + present + " and " + gone + " deleted ones");
    }
  }

  private static int metricKind(Metric metric) {
    return switch (metric) {
      case L2 -> 'e';
      case COSINE -> 'c';
      case DOT -> 'i';
    };
  }

  private static String metricName(int kind) {
    return switch (kind) {
      case 'e' -> "l2sq (L2)";
      case 'c' -> "cos (COSINE)";
      case 'i' -> "ip (DOT)";
      default -> "number " + kind;
    };
  }

  private Kind kind() {
    int number = Byte.toUnsignedInt(head.get(ValueLayout.JAVA_BYTE, 14));
    for (Kind each : Kind.values()) {
      if (each.number == number) {
        return each;
      }
    }
    throw file.foreign("its components are of kind " + number + "; f32, f16, bf16 and i8 are read");
  }

  private int dimension() {
    long said = head.get(LONG, 33);
    if (said < 1 || said > Integer.MAX_VALUE || said * kind.bytes != codeBytes) {
      throw file.corrupt(
          "it says its dimension is " + said + ", and has " + codeBytes + " bytes for a vector");
    }
    return (int) said;
  }

  private void readKeys() {
    long at = 0;
    for (int slot = 0; slot < ids.length; slot++) {
      int level = levels.getAtIndex(SHORT, slot);
      long bytes = nodeBytes(m, Math.max(0, level));
      if (level < 0 || bytes > nodes.byteSize() - at) {
        throw file.corrupt("it ends within its nodes, or a layer of row " + slot + " is wrong");
      }
      long key = nodes.get(LONG, at);
      deleted.set(slot, key == FREE_KEY);
      ids[slot] = key == FREE_KEY ? 0 : ImportedGraph.checkLabel(file, key);
      at += bytes;
    }
    if (at != nodes.byteSize()) {
      throw file.corrupt("it has " + (nodes.byteSize() - at) + " bytes too many");
    }
  }

  static SnapshotContents contents(ForeignFile file) {
    UsearchFile read = new UsearchFile(file);
    // Once to know what to say of the vectors, before anything is written.
    ImportedRows rows = read.rows();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment row = arena.allocate((long) read.spec.dimension() * Float.BYTES, 8);
      for (int slot = 0; slot < read.ids.length; slot++) {
        read.decode(slot, row, rows);
      }
    }
    boolean besides =
        read.kind != Kind.F32 && !"false".equals(read.spec.parameters().get("keepVectors"));
    return new ImportedGraph(
            read.spec,
            UsearchBackend.UPSTREAM_VERSION,
            read.ids,
            read.deleted,
            rows.maxNorm(),
            read::writeGraph,
            besides ? read::writeRows : null)
        .contents(file);
  }

  private ImportedRows rows() {
    return new ImportedRows(file, spec.dimension(), true);
  }

  /** The vector of a slot as it is to be stored. */
  private void decode(int slot, MemorySegment row, ImportedRows rows) {
    for (int i = 0; i < spec.dimension(); i++) {
      row.setAtIndex(FLOAT, i, kind.decode(vectors, slot * codeBytes + (long) i * kind.bytes));
    }
    rows.take(row, 0, ids[slot]);
  }

  private void writeRows(SnapshotSink sink) {
    ImportedRows rows = rows();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment row = arena.allocate((long) spec.dimension() * Float.BYTES, 8);
      for (int slot = 0; slot < ids.length; slot++) {
        decode(slot, row, rows);
        sink.write(row);
      }
    }
  }

  private void writeGraph(SnapshotSink sink) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment number = arena.allocate(Long.BYTES, Long.BYTES);
      number.set(INT, 0, ids.length);
      number.set(INT, Integer.BYTES, (int) codeBytes);
      sink.write(number);
      writeVectors(sink, arena);
      MemorySegment all = arena.allocate(HEAD_BYTES, Long.BYTES).copyFrom(head);
      all.set(LONG, 17, ids.length); // nothing is deleted, and
      all.set(LONG, 25, 0);
      all.set(ValueLayout.JAVA_BYTE, 41, (byte) 0); // no key has several vectors
      sink.write(all);
      sink.write(header);
      sink.write(levels);
      long at = 0;
      for (int slot = 0; slot < ids.length; slot++) {
        long bytes = nodeBytes(m, levels.getAtIndex(SHORT, slot));
        number.set(LONG, 0, slot);
        sink.write(number);
        sink.write(nodes.asSlice(at + Long.BYTES, bytes - Long.BYTES));
        at += bytes;
      }
    }
  }

  private void writeVectors(SnapshotSink sink, Arena arena) {
    if (spec.metric() != Metric.COSINE || kind == Kind.I8) {
      sink.write(vectors);
      return;
    }
    ImportedRows rows = rows();
    MemorySegment row = arena.allocate((long) spec.dimension() * Float.BYTES, 8);
    MemorySegment code = arena.allocate(codeBytes, 8);
    for (int slot = 0; slot < ids.length; slot++) {
      MemorySegment as = vectors.asSlice(slot * codeBytes, codeBytes);
      decode(slot, row, rows);
      if (kind == Kind.F32 || isFar(as)) {
        for (int i = 0; i < spec.dimension(); i++) {
          kind.encode(row.getAtIndex(FLOAT, i), code, (long) i * kind.bytes);
        }
        sink.write(code);
      } else {
        sink.write(as);
      }
    }
  }

  /** Whether the code is that of another length than a unit vector's. */
  private boolean isFar(MemorySegment code) {
    double square = 0;
    for (int i = 0; i < spec.dimension(); i++) {
      double component = kind.decode(code, (long) i * kind.bytes);
      square += component * component;
    }
    return Math.abs(Math.sqrt(square) - 1) > NEARLY_UNIT;
  }
}
