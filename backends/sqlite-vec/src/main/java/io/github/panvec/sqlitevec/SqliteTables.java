package io.github.panvec.sqlitevec;

import io.github.panvec.spi.ForeignFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads the tables of a database that nobody is to be trusted for, without SQLite: page by page, as
 * SQLite's "Database File Format" describes them, never beyond the file's end. Tables with rowids
 * only.
 */
final class SqliteTables {
  private static final String MAGIC = "SQLite format 3\0";
  private static final int HEADER_BYTES = 100;
  private static final int INTERIOR = 5;
  private static final int LEAF = 13;
  private static final int MOST_LEVELS = 32;
  private static final ValueLayout.OfShort SHORT =
      ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);
  private static final ValueLayout.OfDouble DOUBLE =
      ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.BIG_ENDIAN);

  private final ForeignFile file;
  private final MemorySegment bytes;
  private final long pageBytes;
  private final long usable;
  private final long pages;

  /** What is told of each row. */
  @FunctionalInterface
  interface RowReader {
    /**
     * @param values {@link Long}, {@link Double}, {@link String}, {@link MemorySegment} or null; a
     *     column added later may be missing at the end
     */
    void row(long rowid, List<@Nullable Object> values);
  }

  /** A number of SQLite's, and how long it is. */
  private record Varint(long value, int bytes) {}

  SqliteTables(ForeignFile file) {
    this.file = file;
    bytes = file.reader().take(1, file.reader().left());
    if (bytes.byteSize() < HEADER_BYTES
        || !new String(bytes.asSlice(0, 16).toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8)
            .equals(MAGIC)) {
      throw file.foreign("it is no SQLite database");
    }
    int size = Short.toUnsignedInt(bytes.get(SHORT, 16));
    pageBytes = size == 1 ? 65_536 : size;
    usable = pageBytes - Byte.toUnsignedInt(bytes.get(ValueLayout.JAVA_BYTE, 20));
    if (pageBytes < 512 || Long.bitCount(pageBytes) != 1 || usable < 480) {
      throw file.corrupt("its pages have " + pageBytes + " bytes, " + usable + " of them in use");
    }
    pages = bytes.byteSize() / pageBytes;
    if (bytes.byteSize() % pageBytes != 0 || number(28) != pages) {
      throw file.corrupt(
          "it has "
              + bytes.byteSize()
              + " bytes, and says "
              + number(28)
              + " pages of "
              + pageBytes);
    }
    int encoding = (int) number(56);
    if (encoding != 1) {
      throw file.foreign("its texts are not in UTF-8");
    }
  }

  /** A number of the header. */
  long number(long offset) {
    return Integer.toUnsignedLong(bytes.get(INT, offset));
  }

  /** The rows of the table whose first page this is, in the order of their rowids. */
  void rows(long rootPage, RowReader reader) {
    walk(rootPage, 0, new BitSet(), reader);
  }

  private MemorySegment page(long number, BitSet seen) {
    if (number < 1 || number > pages || seen.get((int) number)) {
      throw file.corrupt("it leads to page " + number + " of " + pages + ", or there again");
    }
    seen.set((int) number);
    return bytes.asSlice((number - 1) * pageBytes, usable);
  }

  private void walk(long number, int level, BitSet seen, RowReader reader) {
    MemorySegment page = page(number, seen);
    long head = number == 1 ? HEADER_BYTES : 0;
    int kind = Byte.toUnsignedInt(page.get(ValueLayout.JAVA_BYTE, head));
    if (kind != LEAF && kind != INTERIOR || level > MOST_LEVELS) {
      throw file.corrupt("page " + number + " is of kind " + kind + ", which is of no table");
    }
    int cells = Short.toUnsignedInt(page.get(SHORT, head + 3));
    long pointers = head + (kind == LEAF ? 8 : 12);
    if (pointers + 2L * cells > usable) {
      throw file.corrupt("page " + number + " says it has " + cells + " cells");
    }
    for (int i = 0; i < cells; i++) {
      long at = Short.toUnsignedInt(page.get(SHORT, pointers + 2L * i));
      if (at + 4 > usable) {
        throw file.corrupt("page " + number + " has a cell at " + at);
      }
      if (kind == LEAF) {
        cell(page, at, seen, reader);
      } else {
        walk(Integer.toUnsignedLong(page.get(INT, at)), level + 1, seen, reader);
      }
    }
    if (kind == INTERIOR) {
      walk(Integer.toUnsignedLong(page.get(INT, head + 8)), level + 1, seen, reader);
    }
  }

  private void cell(MemorySegment page, long at, BitSet seen, RowReader reader) {
    Varint length = varint(page, at);
    Varint rowid = varint(page, at + length.bytes());
    long begin = at + length.bytes() + rowid.bytes();
    reader.row(rowid.value(), values(payload(page, begin, length.value(), seen)));
  }

  private MemorySegment payload(MemorySegment page, long begin, long length, BitSet seen) {
    long most = usable - 35;
    long local = length;
    if (length > most) {
      long least = (usable - 12) * 32 / 255 - 23;
      long some = least + (length - least) % (usable - 4);
      local = some <= most ? some : least;
    }
    if (length < 0
        || length > bytes.byteSize()
        || begin + local + (local < length ? Integer.BYTES : 0) > usable) {
      throw file.corrupt("a row says it has " + length + " bytes");
    }
    if (local == length) {
      return page.asSlice(begin, length);
    }
    MemorySegment whole = MemorySegment.ofArray(new byte[Math.toIntExact(length)]);
    whole.asSlice(0, local).copyFrom(page.asSlice(begin, local));
    long next = Integer.toUnsignedLong(page.get(INT, begin + local));
    long done = local;
    while (done < length) {
      MemorySegment more = page(next, seen);
      long part = Math.min(usable - Integer.BYTES, length - done);
      whole.asSlice(done, part).copyFrom(more.asSlice(Integer.BYTES, part));
      done += part;
      next = Integer.toUnsignedLong(more.get(INT, 0));
    }
    return whole;
  }

  private Varint varint(MemorySegment from, long at) {
    long value = 0;
    for (int i = 0; i < 9; i++) {
      if (at + i >= from.byteSize()) {
        throw file.corrupt("a row ends within a number");
      }
      int part = Byte.toUnsignedInt(from.get(ValueLayout.JAVA_BYTE, at + i));
      if (i == 8) {
        return new Varint(value << 8 | part, 9);
      }
      value = value << 7 | part & 0x7F;
      if (part < 0x80) {
        return new Varint(value, i + 1);
      }
    }
    throw new AssertionError("a ninth byte ends it");
  }

  private List<@Nullable Object> values(MemorySegment record) {
    Varint head = varint(record, 0);
    long type = head.bytes();
    long at = head.value();
    List<@Nullable Object> values = new ArrayList<>();
    while (type < head.value()) {
      Varint kind = varint(record, type);
      type += kind.bytes();
      long length = length(kind.value());
      if (length < 0 || at < 0 || length > record.byteSize() - at) {
        throw file.corrupt("a row ends within a value");
      }
      values.add(value(record, at, kind.value(), length));
      at += length;
    }
    return values;
  }

  private static long length(long kind) {
    if (kind >= 12) {
      return (kind - 12) / 2;
    }
    return switch ((int) kind) {
      case 0, 8, 9 -> 0;
      case 1, 2, 3, 4 -> kind;
      case 5 -> 6;
      case 6, 7 -> 8;
      default -> -1;
    };
  }

  private static @Nullable Object value(MemorySegment record, long at, long kind, long length) {
    if (kind >= 12) {
      MemorySegment bytes = record.asSlice(at, length);
      return kind % 2 == 0
          ? bytes
          : new String(bytes.toArray(ValueLayout.JAVA_BYTE), StandardCharsets.UTF_8);
    }
    return switch ((int) kind) {
      case 0 -> null;
      case 7 -> record.get(DOUBLE, at);
      case 8 -> 0L;
      case 9 -> 1L;
      case 6 -> record.get(LONG, at);
      default -> integer(record, at, (int) length);
    };
  }

  private static long integer(MemorySegment record, long at, int length) {
    long value = record.get(ValueLayout.JAVA_BYTE, at);
    for (int i = 1; i < length; i++) {
      value = value << 8 | Byte.toUnsignedLong(record.get(ValueLayout.JAVA_BYTE, at + i));
    }
    return value;
  }
}
