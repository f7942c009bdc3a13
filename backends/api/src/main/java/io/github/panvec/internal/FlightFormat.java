package io.github.panvec.internal;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;

/**
 * The layout of a flight file: a header, and {@link #SLOTS} slots of {@link #ENTRIES} entries each.
 * All numbers are little-endian. A slot belongs to one call at a time, which writes the entry after
 * the last one of its slot; so a slot holds at most one call that has not ended, and the last ones
 * that have.
 */
final class FlightFormat {
  /** The letters PANVECFR. */
  static final long MAGIC = 0x5246434556_4E4150L;

  static final int VERSION = 1;

  static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

  // The header. Up to its checksum it never changes.
  static final int HEADER_BYTES = 4096;
  static final long MAGIC_AT = 0;
  static final long VERSION_AT = 8;
  static final long SLOTS_AT = 12;
  static final long ENTRIES_AT = 16;
  static final long ENTRY_BYTES_AT = 20;
  static final long PID_AT = 24;
  static final long START_MILLIS_AT = 32;
  static final long START_NANOS_AT = 40;
  static final long RUNTIME_AT = 48;
  static final int RUNTIME_BYTES = 96;
  static final long CHECKSUM_AT = 144;
  static final long ALIVE_NANOS_AT = 152;
  static final long ENDED_AT = 160;
  static final long UNRECORDED_AT = 168;
  static final long BACKENDS_AT = 176;
  static final long BACKEND_NAMES_AT = 192;
  static final int BACKEND_NAME_BYTES = 32;
  static final int MOST_BACKENDS = 64;

  static final int SLOTS = 1024;
  static final int ENTRIES = 16;
  static final int ENTRY_BYTES = 128;
  static final long FILE_BYTES = HEADER_BYTES + (long) SLOTS * ENTRIES * ENTRY_BYTES;

  // An entry. Its state is written last, when everything else is there.
  static final long STATE = 0;
  static final long INDEX = 4;
  static final long KIND = 8;
  static final long K = 12;
  static final long ROWS = 16;
  static final long THREAD = 24;
  static final long BEGIN_NANOS = 32;
  static final long END_NANOS = 40;
  static final long NAME = 48;
  static final int NAME_WORDS = 8;
  static final int NAME_BYTES = NAME_WORDS * Long.BYTES;
  static final long CHECK = 112;
  static final long END_CHECK = 120;

  // No two of them differ in one bit alone.
  static final int EMPTY = 0;
  static final int INSIDE = 3;
  static final int RETURNED = 5;
  static final int THREW = 6;

  private FlightFormat() {}

  static long entryAt(long entry) {
    return HEADER_BYTES + entry * ENTRY_BYTES;
  }

  /** Operation, backend, filter and whether the thread is a virtual one, in a byte each. */
  static int kind(Operation operation, int backend, FilterKind filter, boolean virtual) {
    return operation.ordinal() | backend << 8 | filter.ordinal() << 16 | (virtual ? 1 << 24 : 0);
  }

  static long mix(long hash, long value) {
    long mixed = (hash ^ value) * 0x9E3779B97F4A7C15L;
    return mixed ^ mixed >>> 32;
  }

  /** Of the fields that stand when a call begins. */
  static long check(int index, int kind, int k, long rows, long thread, long nanos, long name) {
    long check = mix(name, (long) index << 32 | Integer.toUnsignedLong(kind));
    check = mix(check, rows);
    check = mix(check, thread);
    return mix(mix(check, k), nanos);
  }

  /** Of the fields that stand when a call has ended. */
  static long endCheck(long check, int state, long nanos) {
    return mix(check + state, nanos);
  }

  static long checksum(MemorySegment file) {
    CRC32 crc = new CRC32();
    crc.update(file.asSlice(0, CHECKSUM_AT).toArray(ValueLayout.JAVA_BYTE));
    return crc.getValue();
  }

  /** UTF-8 of as much of {@code text} as fits, padded with zeros. */
  static byte[] padded(String text, int bytes) {
    byte[] all = text.getBytes(StandardCharsets.UTF_8);
    int length = Math.min(all.length, bytes);
    if (length < all.length) {
      // Not within a character.
      while (length > 0 && (all[length] & 0xC0) == 0x80) {
        length--;
      }
    }
    byte[] padded = new byte[bytes];
    System.arraycopy(all, 0, padded, 0, length);
    return padded;
  }

  /** What {@link #padded} wrote, without characters that would upset a terminal. */
  static String text(MemorySegment file, long at, int bytes) {
    byte[] padded = file.asSlice(at, bytes).toArray(ValueLayout.JAVA_BYTE);
    int length = 0;
    while (length < bytes && padded[length] != 0) {
      length++;
    }
    return new String(padded, 0, length, StandardCharsets.UTF_8).replaceAll("\\p{Cntrl}", "\uFFFD");
  }
}
