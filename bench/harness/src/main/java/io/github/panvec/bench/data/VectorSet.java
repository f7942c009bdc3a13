package io.github.panvec.bench.data;

import io.github.panvec.Metric;
import io.github.panvec.bench.InputException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Vectors as they lie in a file: rows at a fixed distance in a segment, usually a mapped one,
 * decoded to float32 when they are read. A large set so takes no memory beyond the pages of its
 * file.
 *
 * <p>Immutable; any number of threads may read.
 */
public final class VectorSet {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfFloat NATIVE_FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

  /** How a component is written; little-endian. */
  public enum Element {
    FLOAT32(4),
    FLOAT16(2),
    INT32(4);

    private final int bytes;

    Element(int bytes) {
      this.bytes = bytes;
    }

    /** Bytes of one component. */
    public int bytes() {
      return bytes;
    }
  }

  private final String source;
  private final MemorySegment data;
  private final long offset;
  private final long stride;
  private final Element element;
  private final int rows;
  private final int dimension;
  private final int @Nullable [] selection;

  /**
   * @param source the file, for messages
   * @param data what holds the rows
   * @param offset byte of {@code data} at which the first row's first component lies
   * @param stride bytes from one row to the next
   */
  public VectorSet(
      String source,
      MemorySegment data,
      long offset,
      long stride,
      Element element,
      int rows,
      int dimension) {
    this(source, data, offset, stride, element, rows, dimension, null);
    if (rows > 0) {
      Objects.checkFromIndexSize(
          offset, (rows - 1L) * stride + (long) dimension * element.bytes, data.byteSize());
    }
  }

  private VectorSet(
      String source,
      MemorySegment data,
      long offset,
      long stride,
      Element element,
      int rows,
      int dimension,
      int @Nullable [] selection) {
    this.source = source;
    this.data = data;
    this.offset = offset;
    this.stride = stride;
    this.element = element;
    this.rows = rows;
    this.dimension = dimension;
    this.selection = selection;
  }

  /** How many vectors. */
  public int rows() {
    return rows;
  }

  /** Components of each. */
  public int dimension() {
    return dimension;
  }

  /** How its file writes components. */
  public Element element() {
    return element;
  }

  /** The first {@code count} rows, or all when there are fewer. */
  public VectorSet head(int count) {
    return new VectorSet(
        source, data, offset, stride, element, Math.min(count, rows), dimension, selection);
  }

  /** Those rows, in that order. */
  public VectorSet select(int[] chosen) {
    int[] original = new int[chosen.length];
    for (int i = 0; i < chosen.length; i++) {
      original[i] = fileRow(Objects.checkIndex(chosen[i], rows));
    }
    return new VectorSet(source, data, offset, stride, element, chosen.length, dimension, original);
  }

  /** Row {@code row} as float32. */
  public float[] row(int row) {
    float[] copy = new float[dimension];
    copyRow(row, copy, 0);
    return copy;
  }

  /** Copies row {@code row} to {@code target[at ..]}. */
  public void copyRow(int row, float[] target, int at) {
    long from = position(Objects.checkIndex(row, rows));
    switch (element) {
      case FLOAT32 -> MemorySegment.copy(data, FLOAT, from, target, at, dimension);
      case FLOAT16 -> {
        for (int i = 0; i < dimension; i++) {
          target[at + i] = Float.float16ToFloat(data.get(SHORT, from + 2L * i));
        }
      }
      case INT32 -> {
        for (int i = 0; i < dimension; i++) {
          target[at + i] = data.get(INT, from + 4L * i);
        }
      }
    }
  }

  /**
   * Copies {@code count} rows from {@code from} on to the start of {@code target}, as float32 in
   * native byte order.
   */
  public void copyRows(int from, int count, MemorySegment target) {
    float[] row = new float[dimension];
    for (int i = 0; i < count; i++) {
      copyRow(from + i, row, 0);
      MemorySegment.copy(row, 0, target, NATIVE_FLOAT, 4L * i * dimension, dimension);
    }
  }

  /**
   * Reads every row once: refuses what no index can take, and returns the SHA-256 of shape and
   * float32 values in hexadecimal. Equal vectors hash alike whatever the file's format.
   *
   * @throws InputException as {@link #check}
   */
  public String verify(Metric metric) {
    MessageDigest digest = sha256();
    byte[] bytes = new byte[4 * dimension];
    MemorySegment littleEndian = MemorySegment.ofArray(bytes);
    float[] values = new float[dimension];
    digest.update((rows + " x " + dimension + "\n").getBytes(StandardCharsets.US_ASCII));
    for (int row = 0; row < rows; row++) {
      check(row, values, metric);
      MemorySegment.copy(values, 0, littleEndian, FLOAT, 0, dimension);
      digest.update(bytes);
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /**
   * Refuses what no index can take.
   *
   * @param from the first row to look at
   * @throws InputException naming file, row and byte of a component that is not finite, of an
   *     integer that float32 cannot hold, or, under COSINE, of a row that is zero
   */
  public void check(int from, int count, Metric metric) {
    float[] values = new float[dimension];
    for (int row = from; row < from + count; row++) {
      check(row, values, metric);
    }
  }

  private void check(int row, float[] values, Metric metric) {
    copyRow(row, values, 0);
    boolean zero = true;
    for (int i = 0; i < dimension; i++) {
      if (!Float.isFinite(values[i])) {
        throw new InputException(
            where(row, i) + " is " + (Float.isNaN(values[i]) ? "NaN" : "infinite"));
      }
      if (element == Element.INT32 && (double) values[i] != data.get(INT, position(row) + 4L * i)) {
        throw new InputException(where(row, i) + " does not fit a float32 exactly");
      }
      zero &= values[i] == 0;
    }
    if (zero && metric == Metric.COSINE) {
      throw new InputException(
          where(row, 0) + ": the whole row is zero, which has no direction under COSINE");
    }
  }

  private String where(int row, int component) {
    long at = position(row) + (long) component * element.bytes;
    return source + ": row " + fileRow(row) + ", component " + component + " (byte " + at + ")";
  }

  private int fileRow(int row) {
    return selection == null ? row : selection[row];
  }

  private long position(int row) {
    return offset + fileRow(row) * stride;
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new AssertionError(impossible);
    }
  }

  @Override
  public String toString() {
    return source
        + " ("
        + rows
        + " x "
        + dimension
        + ", "
        + element
        + (selection == null ? "" : ", " + Arrays.hashCode(selection))
        + ")";
  }
}
