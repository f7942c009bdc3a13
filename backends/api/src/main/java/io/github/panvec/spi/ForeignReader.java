package io.github.panvec.spi;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Reads little-endian numbers of a file one after another, never beyond its end. */
public final class ForeignReader {
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfDouble DOUBLE =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  private final ForeignFile file;
  private final MemorySegment bytes;
  private long position;

  ForeignReader(ForeignFile file, MemorySegment bytes) {
    this.file = file;
    this.bytes = bytes;
  }

  /** How many bytes have been read. */
  public long position() {
    return position;
  }

  /** How many bytes are left. */
  public long left() {
    return bytes.byteSize() - position;
  }

  /** A byte, 0 to 255. */
  public int takeByte() {
    return Byte.toUnsignedInt(take(1, 1).get(ValueLayout.JAVA_BYTE, 0));
  }

  /** An int16. */
  public short takeShort() {
    return take(1, Short.BYTES).get(SHORT, 0);
  }

  /** An int32. */
  public int takeInt() {
    return take(1, Integer.BYTES).get(INT, 0);
  }

  /** An int64. */
  public long takeLong() {
    return take(1, Long.BYTES).get(LONG, 0);
  }

  /** A float64. */
  public double takeDouble() {
    return take(1, Double.BYTES).get(DOUBLE, 0);
  }

  /** As many characters; what is not printable ASCII becomes a question mark. */
  public String takeText(int length) {
    byte[] text = take(length, 1).toArray(ValueLayout.JAVA_BYTE);
    for (int i = 0; i < text.length; i++) {
      text[i] = text[i] < ' ' || text[i] > '~' ? (byte) '?' : text[i];
    }
    return new String(text, StandardCharsets.US_ASCII);
  }

  /**
   * The bytes of {@code count} units of {@code each} bytes, where they are.
   *
   * @throws io.github.panvec.CorruptIndexException when the file ends before
   */
  public MemorySegment take(long count, long each) {
    if (count < 0 || each < 0 || (each > 0 && count > left() / each)) {
      throw file.corrupt("it ends after " + bytes.byteSize() + " bytes, in the middle");
    }
    MemorySegment taken = bytes.asSlice(position, count * each);
    position += taken.byteSize();
    return taken;
  }

  /** Refuses a file that goes on. */
  public void expectEnd() {
    if (left() != 0) {
      throw file.corrupt("it has " + left() + " bytes too many");
    }
  }
}
