package io.github.panvec.internal;

import static io.github.panvec.internal.FlightFormat.INT;
import static io.github.panvec.internal.FlightFormat.LONG;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * What a flight file says.
 *
 * @param pid number of the process
 * @param runtime its Java virtual machine
 * @param started when it opened the file
 * @param lastSign when it was last known to live: a tenth of a second before its end, or later
 * @param endedInOrder whether it came to its shutdown hooks
 * @param inside calls that had not ended, the longest first
 * @param ended the last ones that had, the latest last: of each slot those it has room for
 * @param unrecorded calls that found all slots taken
 * @param damaged entries that make no sense, as after a write astray; the others do
 */
public record FlightLog(
    long pid,
    String runtime,
    Instant started,
    Instant lastSign,
    boolean endedInOrder,
    List<Call> inside,
    List<Call> ended,
    long unrecorded,
    int damaged) {

  /** The file cannot be read as what it should be. */
  public static final class UnreadableException extends IOException {
    private static final long serialVersionUID = 1L;

    UnreadableException(String message) {
      super(message);
    }
  }

  /**
   * One call.
   *
   * @param backend its name
   * @param index which index, by the order of creation in the process, from 1
   * @param rows vectors handed over: those to add, the queries, the ids
   * @param k 0 when the call has none
   * @param thread its name, cut to 64 bytes; virtual threads often have none
   * @param took until it ended, or until the last sign of life
   * @param returned whether it returned; false for those that threw or were inside
   */
  public record Call(
      Operation operation,
      String backend,
      int index,
      long rows,
      int k,
      FilterKind filter,
      String thread,
      long threadId,
      boolean virtual,
      Instant began,
      Duration took,
      boolean returned) {}

  /**
   * Reads a file, that of a process that still runs too.
   *
   * @throws UnreadableException saying in one line why it is not one that this version reads
   */
  public static FlightLog read(Path path) throws IOException {
    byte[] bytes;
    try (InputStream in = Files.newInputStream(path)) {
      bytes = in.readNBytes((int) FlightFormat.FILE_BYTES + 1);
    }
    // An array of longs is aligned as the layouts of longs want it.
    MemorySegment aligned = MemorySegment.ofArray(new long[(bytes.length + 7) / 8]);
    MemorySegment.copy(MemorySegment.ofArray(bytes), 0, aligned, 0, bytes.length);
    return new Reader(path, aligned.asSlice(0, bytes.length)).read();
  }

  private static final class Reader {
    private final Path path;
    private final MemorySegment file;
    private final List<Call> inside = new ArrayList<>();
    private final List<Call> ended = new ArrayList<>();
    private final List<String> backends = new ArrayList<>();
    private int damaged;

    Reader(Path path, MemorySegment file) {
      this.path = path;
      this.file = file;
    }

    FlightLog read() throws UnreadableException {
      checkHeader();
      long alive = file.get(LONG, FlightFormat.ALIVE_NANOS_AT);
      long[] states = states();
      for (int entry = 0; entry < states.length; entry++) {
        alive = later(alive, latest(entry, states[entry]));
      }
      for (int entry = 0; entry < states.length; entry++) {
        add(entry, (int) states[entry], alive);
      }
      inside.sort(Comparator.comparing(Call::began));
      ended.sort(Comparator.comparing(call -> call.began().plus(call.took())));
      return new FlightLog(
          file.get(LONG, FlightFormat.PID_AT),
          FlightFormat.text(file, FlightFormat.RUNTIME_AT, FlightFormat.RUNTIME_BYTES),
          instant(file.get(LONG, FlightFormat.START_NANOS_AT)),
          instant(alive),
          file.get(LONG, FlightFormat.ENDED_AT) == 1,
          List.copyOf(inside),
          List.copyOf(ended),
          file.get(LONG, FlightFormat.UNRECORDED_AT),
          damaged);
    }

    private void checkHeader() throws UnreadableException {
      long size = file.byteSize();
      require(
          size >= Long.BYTES && file.get(LONG, FlightFormat.MAGIC_AT) == FlightFormat.MAGIC,
          "is no flight file");
      require(size >= FlightFormat.HEADER_BYTES, "is cut off: it ends in its header");
      int version = file.get(INT, FlightFormat.VERSION_AT);
      require(
          version == FlightFormat.VERSION,
          "has format " + version + ", this program reads format " + FlightFormat.VERSION);
      require(
          file.get(LONG, FlightFormat.CHECKSUM_AT) == FlightFormat.checksum(file),
          "is damaged: the checksum of its header is wrong");
      require(
          file.get(INT, FlightFormat.SLOTS_AT) == FlightFormat.SLOTS
              && file.get(INT, FlightFormat.ENTRIES_AT) == FlightFormat.ENTRIES
              && file.get(INT, FlightFormat.ENTRY_BYTES_AT) == FlightFormat.ENTRY_BYTES,
          "has slots of another size than this program reads");
      require(
          size >= FlightFormat.FILE_BYTES,
          "is cut off: it has " + size + " of " + FlightFormat.FILE_BYTES + " bytes");
      require(
          size == FlightFormat.FILE_BYTES,
          "is damaged: it has more than " + FlightFormat.FILE_BYTES + " bytes");
      long names = file.get(LONG, FlightFormat.BACKENDS_AT);
      long ended = file.get(LONG, FlightFormat.ENDED_AT);
      require(
          names >= 0 && names <= FlightFormat.MOST_BACKENDS && (ended == 0 || ended == 1),
          "is damaged: its header makes no sense");
      for (int i = 0; i < names; i++) {
        backends.add(
            FlightFormat.text(
                file,
                FlightFormat.BACKEND_NAMES_AT + (long) i * FlightFormat.BACKEND_NAME_BYTES,
                FlightFormat.BACKEND_NAME_BYTES));
      }
    }

    private void require(boolean condition, String complaint) throws UnreadableException {
      if (!condition) {
        throw new UnreadableException(path + " " + complaint);
      }
    }

    /** The state of each entry, with those that make no sense counted and taken as empty. */
    private long[] states() {
      long[] states = new long[FlightFormat.SLOTS * FlightFormat.ENTRIES];
      for (int entry = 0; entry < states.length; entry++) {
        int state = file.get(INT, FlightFormat.entryAt(entry) + FlightFormat.STATE);
        boolean sound = state == FlightFormat.EMPTY || isSound(entry, state);
        damaged += sound ? 0 : 1;
        states[entry] = sound ? state : FlightFormat.EMPTY;
      }
      return states;
    }

    private boolean isSound(int entry, int state) {
      long at = FlightFormat.entryAt(entry);
      long name = 0;
      for (int i = 0; i < FlightFormat.NAME_WORDS; i++) {
        name =
            FlightFormat.mix(name, file.get(LONG, at + FlightFormat.NAME + (long) i * Long.BYTES));
      }
      int kind = file.get(INT, at + FlightFormat.KIND);
      long check =
          FlightFormat.check(
              file.get(INT, at + FlightFormat.INDEX),
              kind,
              file.get(INT, at + FlightFormat.K),
              file.get(LONG, at + FlightFormat.ROWS),
              file.get(LONG, at + FlightFormat.THREAD),
              file.get(LONG, at + FlightFormat.BEGIN_NANOS),
              name);
      boolean ended = state == FlightFormat.RETURNED || state == FlightFormat.THREW;
      return check == file.get(LONG, at + FlightFormat.CHECK)
          && (kind & 0xFF) < Operation.values().length
          && (kind >>> 16 & 0xFF) < FilterKind.values().length
          && (state == FlightFormat.INSIDE
              || (ended
                  && FlightFormat.endCheck(
                          check, state, file.get(LONG, at + FlightFormat.END_NANOS))
                      == file.get(LONG, at + FlightFormat.END_CHECK)));
    }

    private long latest(int entry, long state) {
      long at = FlightFormat.entryAt(entry);
      if (state == FlightFormat.EMPTY) {
        return file.get(LONG, FlightFormat.START_NANOS_AT);
      }
      return file.get(
          LONG,
          at + (state == FlightFormat.INSIDE ? FlightFormat.BEGIN_NANOS : FlightFormat.END_NANOS));
    }

    /** Nano times wrap around. */
    private static long later(long one, long other) {
      return one - other >= 0 ? one : other;
    }

    private Instant instant(long nanos) {
      return Instant.ofEpochMilli(file.get(LONG, FlightFormat.START_MILLIS_AT))
          .plusNanos(nanos - file.get(LONG, FlightFormat.START_NANOS_AT));
    }

    private void add(int entry, int state, long alive) {
      if (state == FlightFormat.EMPTY) {
        return;
      }
      long at = FlightFormat.entryAt(entry);
      int kind = file.get(INT, at + FlightFormat.KIND);
      int backend = kind >>> 8 & 0xFF;
      long began = file.get(LONG, at + FlightFormat.BEGIN_NANOS);
      boolean open = state == FlightFormat.INSIDE;
      long end = open ? alive : file.get(LONG, at + FlightFormat.END_NANOS);
      (open ? inside : ended)
          .add(
              new Call(
                  Operation.values()[kind & 0xFF],
                  backend < backends.size() ? backends.get(backend) : "another",
                  file.get(INT, at + FlightFormat.INDEX),
                  file.get(LONG, at + FlightFormat.ROWS),
                  file.get(INT, at + FlightFormat.K),
                  FilterKind.values()[kind >>> 16 & 0xFF],
                  FlightFormat.text(file, at + FlightFormat.NAME, FlightFormat.NAME_BYTES),
                  file.get(LONG, at + FlightFormat.THREAD),
                  (kind >>> 24 & 1) == 1,
                  instant(began),
                  Duration.ofNanos(end - began),
                  state == FlightFormat.RETURNED));
    }
  }
}
