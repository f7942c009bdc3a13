package io.github.panvec.loader;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;

/**
 * What the program headers of a 64-bit little-endian ELF file say. Read before the file is opened,
 * because glibc believes them: one that was cut off ends the JVM by SIGBUS, and one for a better
 * CPU by SIGILL where glibc is older than 2.33 or the linker left out the mark.
 *
 * @param leastBytes how long the file must be, {@code Long.MAX_VALUE} when its header makes no
 *     sense; 0 for every other file
 * @param simdLevel the level it is marked for; {@link SimdLevel#BASELINE} when it is not
 */
record ElfFile(long leastBytes, SimdLevel simdLevel) {
  private static final int HEADER_BYTES = 64;
  private static final int TABLE_OFFSET = 32;
  private static final int ENTRY_SIZE = 54;
  private static final int ENTRY_COUNT = 56;
  private static final int LOADED_SEGMENT = 1;
  private static final int PROPERTY_SEGMENT = 0x6474e553;
  private static final int SEGMENT_OFFSET = 8;
  private static final int SEGMENT_FILE_BYTES = 32;
  private static final int SEGMENT_HEADER_BYTES = 56;

  /** Segments with properties hold a few dozen bytes. */
  private static final int MOST_PROPERTY_BYTES = 4096;

  private static final int NOTE_HEADER_BYTES = 12;
  private static final int PROPERTY_NOTE = 5;
  private static final int GNU = 0x00554e47;
  private static final int X86_ISA_NEEDED = 0xc0008002;
  private static final int X86_64_V3 = 4;
  private static final int X86_64_V4 = 8;

  static ElfFile read(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      ByteBuffer header = read(channel, 0, HEADER_BYTES);
      boolean elf64 =
          header.remaining() == HEADER_BYTES
              && header.getInt(0) == 0x464c457f
              && header.get(4) == 2
              && header.get(5) == 1;
      if (!elf64) {
        return new ElfFile(0, SimdLevel.BASELINE);
      }
      long table = header.getLong(TABLE_OFFSET);
      int size = header.getShort(ENTRY_SIZE) & 0xffff;
      int count = header.getShort(ENTRY_COUNT) & 0xffff;
      if (table < 0 || table > channel.size() || size < SEGMENT_HEADER_BYTES) {
        return new ElfFile(Long.MAX_VALUE, SimdLevel.BASELINE);
      }
      long least = table + (long) size * count;
      if (least > channel.size()) {
        return new ElfFile(least, SimdLevel.BASELINE);
      }
      SimdLevel level = SimdLevel.BASELINE;
      ByteBuffer segments = read(channel, table, size * count);
      for (int i = 0; i < count; i++) {
        int type = segments.getInt(i * size);
        long offset = segments.getLong(i * size + SEGMENT_OFFSET);
        long bytes = segments.getLong(i * size + SEGMENT_FILE_BYTES);
        if (type == LOADED_SEGMENT) {
          least = Math.max(least, offset + bytes < 0 ? Long.MAX_VALUE : offset + bytes);
        } else if (type == PROPERTY_SEGMENT && offset >= 0 && bytes >= 0) {
          level = levelIn(read(channel, offset, (int) Math.min(bytes, MOST_PROPERTY_BYTES)));
        }
      }
      return new ElfFile(least, level);
    }
  }

  /** The level in a segment of GNU properties, which is a list of notes. */
  private static SimdLevel levelIn(ByteBuffer notes) {
    while (notes.remaining() >= NOTE_HEADER_BYTES) {
      int nameBytes = notes.getInt();
      int contentBytes = notes.getInt();
      int type = notes.getInt();
      if (nameBytes != 4 || contentBytes < 0 || contentBytes > notes.remaining() - nameBytes) {
        break;
      }
      boolean properties = type == PROPERTY_NOTE && notes.getInt(notes.position()) == GNU;
      int end = notes.position() + nameBytes + contentBytes;
      notes.position(notes.position() + nameBytes);
      while (properties && end - notes.position() >= 8) {
        int property = notes.getInt();
        int bytes = notes.getInt();
        if (bytes < 0 || bytes > end - notes.position()) {
          break;
        }
        if (property == X86_ISA_NEEDED && bytes >= 4) {
          return levelOf(notes.getInt(notes.position()));
        }
        // Values are padded to eight bytes.
        notes.position((int) Math.min(end, notes.position() + (bytes + 7L) / 8 * 8));
      }
      notes.position(end);
    }
    return SimdLevel.BASELINE;
  }

  private static SimdLevel levelOf(int needed) {
    if ((needed & X86_64_V4) != 0) {
      return SimdLevel.AVX512;
    }
    return (needed & X86_64_V3) != 0 ? SimdLevel.AVX2 : SimdLevel.BASELINE;
  }

  private static ByteBuffer read(FileChannel channel, long from, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    while (buffer.hasRemaining() && channel.read(buffer, from + buffer.position()) >= 0) {
      // Until it is full, or the file ends.
    }
    return buffer.flip();
  }
}
