package io.github.panvec.snapshot;

import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.function.LongConsumer;
import java.util.zip.CRC32C;

/** CRC-32C, which the JDK computes with the processor's instruction for it. */
final class Checksum {
  /** What crosses at a time: few calls, and little to wait for in a thread that is to stop. */
  static final int SLICE = 4 << 20;

  private Checksum() {}

  static int of(byte[] bytes, int length) {
    CRC32C crc = new CRC32C();
    crc.update(bytes, 0, length);
    return (int) crc.getValue();
  }

  /**
   * @param segment native memory, or an array of bytes
   * @param heard hears, slice by slice, how many more bytes are done
   */
  static int of(MemorySegment segment, LongConsumer heard) {
    CRC32C crc = new CRC32C();
    for (long at = 0; at < segment.byteSize(); at += SLICE) {
      ByteBuffer slice =
          segment.asSlice(at, Math.min(SLICE, segment.byteSize() - at)).asByteBuffer();
      long bytes = slice.remaining();
      crc.update(slice);
      heard.accept(bytes);
    }
    return (int) crc.getValue();
  }

  static String hex(int crc) {
    return String.format("%08x", crc);
  }
}
