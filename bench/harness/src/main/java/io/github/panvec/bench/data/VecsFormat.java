package io.github.panvec.bench.data;

import io.github.panvec.bench.InputException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Path;

/**
 * TEXMEX's fvecs and ivecs: each row is an int32 with its dimension, then as many float32 or int32;
 * little-endian.
 */
final class VecsFormat {
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int HEADER_BYTES = 4;
  private static final int MAX_DIMENSION = 1 << 20;

  private VecsFormat() {}

  /**
   * The rows of a file whose every header has been checked.
   *
   * @throws InputException naming the row and byte at which the file is cut off or its dimension
   *     changes
   */
  static VectorSet open(Path file, VectorSet.Element element, Arena arena) {
    MemorySegment data = MappedFile.open(file, arena);
    long bytes = data.byteSize();
    int dimension = 0;
    long stride = 0;
    long row = 0;
    for (long at = 0; at < bytes; at += stride, row++) {
      if (bytes - at < HEADER_BYTES) {
        throw new InputException(
            file
                + ": cut off in row "
                + row
                + " at byte "
                + at
                + ": "
                + (bytes - at)
                + " of 4 bytes of its dimension");
      }
      int stated = data.get(INT, at);
      if (row == 0) {
        if (stated < 1 || stated > MAX_DIMENSION) {
          throw new InputException(
              file
                  + ": row 0 at byte 0 states dimension "
                  + stated
                  + "; this is no fvecs or ivecs file");
        }
        dimension = stated;
        stride = HEADER_BYTES + (long) element.bytes() * dimension;
      } else if (stated != dimension) {
        throw new InputException(
            file
                + ": row "
                + row
                + " at byte "
                + at
                + " states dimension "
                + stated
                + ", the rows before have "
                + dimension);
      }
      if (bytes - at < stride) {
        throw new InputException(
            file
                + ": cut off in row "
                + row
                + " at byte "
                + at
                + ": "
                + (bytes - at)
                + " of "
                + stride
                + " bytes");
      }
    }
    if (row > Integer.MAX_VALUE) {
      throw new InputException(
          file + ": has " + row + " rows; at most " + Integer.MAX_VALUE + " can be read");
    }
    return new VectorSet(
        file.toString(), data, HEADER_BYTES, stride, element, (int) row, dimension);
  }
}
