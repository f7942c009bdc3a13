package io.github.panvec.loader;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * How long an ELF file must be. glibc maps what the program headers say without comparing it with
 * the file: a file that was cut off ends the JVM by SIGBUS.
 */
final class ElfExtent {
  private static final int HEADER_BYTES = 64;
  private static final int TABLE_OFFSET = 32;
  private static final int ENTRY_SIZE = 54;
  private static final int ENTRY_COUNT = 56;
  private static final int LOADED_SEGMENT = 1;
  private static final int SEGMENT_OFFSET = 8;
  private static final int SEGMENT_FILE_BYTES = 32;
  private static final int SEGMENT_HEADER_BYTES = 56;

  private ElfExtent() {}

  /**
   * The least length in bytes of a 64-bit little-endian ELF file, {@code Long.MAX_VALUE} when its
   * header makes no sense; 0 for every other file.
   */
  static long leastBytes(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      ByteBuffer header = read(channel, 0, HEADER_BYTES);
      boolean elf64 =
          header.remaining() == HEADER_BYTES
              && header.getInt(0) == 0x464c457f
              && header.get(4) == 2
              && header.get(5) == 1;
      if (!elf64) {
        return 0;
      }
      long table = header.getLong(TABLE_OFFSET);
      int size = header.getShort(ENTRY_SIZE) & 0xffff;
      int count = header.getShort(ENTRY_COUNT) & 0xffff;
      if (table < 0 || table > channel.size() || size < SEGMENT_HEADER_BYTES) {
        return Long.MAX_VALUE;
      }
      long least = table + (long) size * count;
      if (least > channel.size()) {
        return least;
      }
      ByteBuffer segments = read(channel, table, size * count);
      for (int i = 0; i < count; i++) {
        int at = i * size;
        if (segments.getInt(at) == LOADED_SEGMENT) {
          long end =
              segments.getLong(at + SEGMENT_OFFSET) + segments.getLong(at + SEGMENT_FILE_BYTES);
          least = Math.max(least, end < 0 ? Long.MAX_VALUE : end);
        }
      }
      return least;
    }
  }

  private static ByteBuffer read(FileChannel channel, long from, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    while (buffer.hasRemaining() && channel.read(buffer, from + buffer.position()) >= 0) {
      // Until it is full, or the file ends.
    }
    return buffer.flip();
  }
}
