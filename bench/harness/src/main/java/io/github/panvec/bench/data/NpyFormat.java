package io.github.panvec.bench.data;

import io.github.panvec.bench.InputException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * NumPy's .npy, versions 1 to 3, C order, little-endian: rows of float32 or float16, and ids of
 * int64.
 */
public final class NpyFormat {
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
  private static final Pattern DESCR = Pattern.compile("'descr'\\s*:\\s*'([^']*)'");
  private static final Pattern ORDER = Pattern.compile("'fortran_order'\\s*:\\s*(True|False)");
  private static final Pattern SHAPE = Pattern.compile("'shape'\\s*:\\s*\\(([^)]*)\\)");

  private NpyFormat() {}

  /** The rows of a file. */
  static VectorSet open(Path file, Arena arena) {
    return parse(file.toString(), MappedFile.open(file, arena));
  }

  /**
   * What a header says, as text.
   *
   * @param shape how many there are of each dimension
   * @param offset byte at which the data begin
   */
  private record Header(String descr, List<String> shape, long offset) {}

  /**
   * The rows of a file's content.
   *
   * @throws InputException naming the byte at which the content is cut off, or the part of the
   *     header that cannot be used
   */
  public static VectorSet parse(String source, MemorySegment data) {
    Header header = header(source, data);
    VectorSet.Element element =
        switch (header.descr()) {
          case "<f4" -> VectorSet.Element.FLOAT32;
          case "<f2" -> VectorSet.Element.FLOAT16;
          default ->
              throw new InputException(
                  source
                      + ": holds '"
                      + header.descr()
                      + "'; little-endian float32 ('<f4') and float16 ('<f2') can be read");
        };
    long[] shape = shape(source, header, 2, "(rows, dimension)");
    long rows = shape[0];
    long dimension = shape[1];
    if (rows < 1 || dimension < 1) {
      throw new InputException(
          source + ": is empty: " + rows + " rows of " + dimension + " components");
    }
    if (rows > Integer.MAX_VALUE || dimension > 1 << 20) {
      throw new InputException(
          source + ": " + rows + " rows of " + dimension + " components are too many");
    }
    long stride = dimension * element.bytes();
    requireData(source, data, header, rows, stride);
    return new VectorSet(
        source, data, header.offset(), stride, element, (int) rows, (int) dimension);
  }

  /**
   * The whole numbers of a file's content, which has one dimension.
   *
   * @throws InputException as {@link #parse}
   */
  static long[] parseLongs(String source, MemorySegment data) {
    Header header = header(source, data);
    if (!header.descr().equals("<i8")) {
      throw new InputException(
          source + ": holds '" + header.descr() + "'; ids are little-endian int64 ('<i8')");
    }
    long count = shape(source, header, 1, "(rows,)")[0];
    if (count < 1 || count > Integer.MAX_VALUE) {
      throw new InputException(source + ": holds " + count + " ids");
    }
    requireData(source, data, header, count, Long.BYTES);
    long[] numbers = new long[(int) count];
    MemorySegment.copy(data, LONG, header.offset(), numbers, 0, numbers.length);
    return numbers;
  }

  private static Header header(String source, MemorySegment data) {
    long bytes = data.byteSize();
    require(source, bytes, 0, 8, "its magic number and version");
    for (int i = 0; i < MAGIC.length; i++) {
      if (data.get(ValueLayout.JAVA_BYTE, i) != MAGIC[i]) {
        throw new InputException(
            source + ": no .npy file: byte " + i + " is not that of the magic number");
      }
    }
    int version = data.get(ValueLayout.JAVA_BYTE, 6);
    if (version < 1 || version > 3) {
      throw new InputException(
          source + ": .npy version " + version + " at byte 6 is not known (1 to 3 are)");
    }
    int lengthBytes = version == 1 ? 2 : 4;
    require(source, bytes, 8, lengthBytes, "the length of its header");
    long headerBytes =
        version == 1
            ? Short.toUnsignedLong(data.get(SHORT, 8))
            : Integer.toUnsignedLong(data.get(INT, 8));
    long headerAt = 8L + lengthBytes;
    require(source, bytes, headerAt, headerBytes, "its header");
    if (headerBytes > 1 << 20) {
      throw new InputException(source + ": states a header of " + headerBytes + " bytes at byte 8");
    }
    String text =
        new String(
            data.asSlice(headerAt, headerBytes).toArray(ValueLayout.JAVA_BYTE),
            StandardCharsets.UTF_8);
    String descr = find(source, DESCR, text, "descr");
    if (find(source, ORDER, text, "fortran_order").equals("True")) {
      throw new InputException(
          source + ": is in Fortran order; save it in C order (numpy.ascontiguousarray)");
    }
    List<String> shape = List.of(find(source, SHAPE, text, "shape").split(","));
    return new Header(descr, shape, headerAt + headerBytes);
  }

  /** A shape of so many numbers; where it is one, a comma follows, as in Python's tuples. */
  private static long[] shape(String source, Header header, int count, String wanted) {
    if (header.shape().size() != count) {
      throw new InputException(
          source
              + ": its shape ("
              + String.join(",", header.shape()).strip()
              + ") is not "
              + wanted);
    }
    return header.shape().stream().mapToLong(text -> number(source, text)).toArray();
  }

  /** The data are as long as the header says. */
  private static void requireData(
      String source, MemorySegment data, Header header, long rows, long stride) {
    long found = data.byteSize() - header.offset();
    if (found < rows * stride) {
      throw new InputException(
          source
              + ": cut off in row "
              + found / stride
              + " at byte "
              + data.byteSize()
              + ": "
              + found
              + " of "
              + rows * stride
              + " bytes of data");
    }
    if (found > rows * stride) {
      throw new InputException(
          source
              + ": "
              + (found - rows * stride)
              + " bytes too many, from byte "
              + (header.offset() + rows * stride)
              + " on");
    }
  }

  private static String find(String source, Pattern pattern, String header, String key) {
    Matcher matcher = pattern.matcher(header);
    if (!matcher.find()) {
      throw new InputException(source + ": its .npy header has no readable '" + key + "'");
    }
    return matcher.group(1);
  }

  private static long number(String source, String text) {
    try {
      return Long.parseLong(text.strip());
    } catch (NumberFormatException notANumber) {
      throw new InputException(source + ": its .npy header has no readable 'shape'", notANumber);
    }
  }

  private static void require(String source, long bytes, long at, long count, String what) {
    if (bytes - at < count) {
      throw new InputException(
          source
              + ": cut off at byte "
              + bytes
              + " in "
              + what
              + ": "
              + Math.max(0, bytes - at)
              + " of "
              + count
              + " bytes");
    }
  }

  /** The header (version 1, padded to a multiple of 64 bytes) of a file with these rows. */
  static byte[] header(VectorSet.Element element, long rows, int dimension) {
    String descr = element == VectorSet.Element.FLOAT16 ? "<f2" : "<f4";
    String text =
        "{'descr': '"
            + descr
            + "', 'fortran_order': False, 'shape': ("
            + rows
            + ", "
            + dimension
            + "), }";
    int total = (10 + text.length() + 1 + 63) / 64 * 64;
    String padded = text + " ".repeat(total - 10 - text.length() - 1) + "\n";
    byte[] header = new byte[total];
    System.arraycopy(MAGIC, 0, header, 0, MAGIC.length);
    header[6] = 1;
    header[8] = (byte) (total - 10);
    header[9] = (byte) (total - 10 >>> 8);
    System.arraycopy(padded.getBytes(StandardCharsets.US_ASCII), 0, header, 10, padded.length());
    return header;
  }
}
