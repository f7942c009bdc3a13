package io.github.panvec.internal;

import static io.github.panvec.internal.FlightFormat.BEGIN_NANOS;
import static io.github.panvec.internal.FlightFormat.CHECK;
import static io.github.panvec.internal.FlightFormat.END_CHECK;
import static io.github.panvec.internal.FlightFormat.END_NANOS;
import static io.github.panvec.internal.FlightFormat.ENTRIES;
import static io.github.panvec.internal.FlightFormat.INDEX;
import static io.github.panvec.internal.FlightFormat.INT;
import static io.github.panvec.internal.FlightFormat.K;
import static io.github.panvec.internal.FlightFormat.KIND;
import static io.github.panvec.internal.FlightFormat.LONG;
import static io.github.panvec.internal.FlightFormat.NAME;
import static io.github.panvec.internal.FlightFormat.NAME_WORDS;
import static io.github.panvec.internal.FlightFormat.ROWS;
import static io.github.panvec.internal.FlightFormat.SLOTS;
import static io.github.panvec.internal.FlightFormat.STATE;
import static io.github.panvec.internal.FlightFormat.THREAD;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Notes each call in a mapped file before it is entered and when it has ended. The pages belong to
 * the operating system, so they survive the process, however it ends; {@link FlightLog} reads them.
 * Thread-safe; takes no lock, and allocates nothing but for a thread that it meets anew.
 */
final class FlightRecorder {
  private static final VarHandle STATE_OF = INT.varHandle();
  private static final VarHandle LONG_OF = LONG.varHandle();
  private static final VarHandle BUSY;
  private static final long HEARTBEAT_NANOS = 100_000_000;

  static {
    try {
      BUSY = MethodHandles.lookup().findVarHandle(Slot.class, "busy", int.class);
    } catch (ReflectiveOperationException impossible) {
      throw new ExceptionInInitializerError(impossible);
    }
  }

  /** Belongs to the call that has made it busy. */
  private static final class Slot {
    private volatile int busy;
    private int next;
    private @Nullable String name;
    private long nameHash;
    private final long[] nameWords = new long[NAME_WORDS];

    void encode(String newName) {
      MemorySegment bytes =
          MemorySegment.ofArray(FlightFormat.padded(newName, FlightFormat.NAME_BYTES));
      nameHash = 0;
      for (int i = 0; i < NAME_WORDS; i++) {
        nameWords[i] = bytes.get(LONG.withByteAlignment(1), (long) i * Long.BYTES);
        nameHash = FlightFormat.mix(nameHash, nameWords[i]);
      }
      name = newName;
    }
  }

  private final FileChannel channel;
  private final MemorySegment file;
  private final Slot[] slots = new Slot[SLOTS];
  private final List<String> backends = new ArrayList<>();

  private FlightRecorder(FileChannel channel, MemorySegment file) {
    this.channel = channel;
    this.file = file;
    for (int i = 0; i < SLOTS; i++) {
      slots[i] = new Slot();
    }
  }

  /**
   * Starts a new file. A flight file that is there already is kept under the same name with {@code
   * .previous} behind it: a service that crashed is started again before anybody has looked.
   *
   * @throws IOException when another process writes there, when another kind of file is there, or
   *     when there is no room
   */
  static FlightRecorder open(Path path) throws IOException {
    setAside(path);
    FileChannel channel =
        FileChannel.open(
            path, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
    try {
      if (channel.tryLock() == null) {
        throw new IOException(path + " is in use by another process");
      }
      // Written, not only sized: a mapped page without a place on a full disk is a signal.
      ByteBuffer zeros = ByteBuffer.allocate((int) FlightFormat.FILE_BYTES);
      while (zeros.hasRemaining()) {
        channel.write(zeros);
      }
      MemorySegment file =
          channel.map(FileChannel.MapMode.READ_WRITE, 0, FlightFormat.FILE_BYTES, Arena.global());
      writeHeader(file);
      return new FlightRecorder(channel, file);
    } catch (IOException | RuntimeException failed) {
      channel.close();
      throw failed;
    }
  }

  private static void setAside(Path path) throws IOException {
    if (!Files.exists(path)) {
      return;
    }
    if (!Files.isRegularFile(path)) {
      throw new IOException(path + " is there and is no file; it is left as it is");
    }
    try (RandomAccessFile old = new RandomAccessFile(path.toFile(), "rw")) {
      if (old.length() > 0
          && (old.length() < Long.BYTES
              || Long.reverseBytes(old.readLong()) != FlightFormat.MAGIC)) {
        throw new IOException(path + " is there and is no flight file; it is left as it is");
      }
      if (old.getChannel().tryLock() == null) {
        throw new IOException(path + " is in use by another process; %p in a name is its number");
      }
      Files.move(
          path,
          path.resolveSibling(path.getFileName() + ".previous"),
          StandardCopyOption.REPLACE_EXISTING);
    } catch (OverlappingFileLockException ours) {
      throw new IOException(path + " is in use by this process already", ours);
    }
  }

  private static void writeHeader(MemorySegment file) {
    file.set(INT, FlightFormat.VERSION_AT, FlightFormat.VERSION);
    file.set(INT, FlightFormat.SLOTS_AT, SLOTS);
    file.set(INT, FlightFormat.ENTRIES_AT, ENTRIES);
    file.set(INT, FlightFormat.ENTRY_BYTES_AT, FlightFormat.ENTRY_BYTES);
    file.set(LONG, FlightFormat.PID_AT, ProcessHandle.current().pid());
    file.set(LONG, FlightFormat.START_MILLIS_AT, System.currentTimeMillis());
    long nanos = System.nanoTime();
    file.set(LONG, FlightFormat.START_NANOS_AT, nanos);
    file.set(LONG, FlightFormat.ALIVE_NANOS_AT, nanos);
    String runtime = System.getProperty("java.vm.name") + " " + Runtime.version();
    putText(file, FlightFormat.RUNTIME_AT, runtime, FlightFormat.RUNTIME_BYTES);
    file.set(LONG, FlightFormat.MAGIC_AT, FlightFormat.MAGIC);
    file.set(LONG, FlightFormat.CHECKSUM_AT, FlightFormat.checksum(file));
  }

  private static void putText(MemorySegment file, long at, String text, int bytes) {
    MemorySegment.copy(FlightFormat.padded(text, bytes), 0, file, ValueLayout.JAVA_BYTE, at, bytes);
  }

  /** Notes ten times a second that the process lives, and in the end that it ended in order. */
  FlightRecorder watchingTheProcess() {
    Thread.ofPlatform()
        .name("panvec-flight")
        .daemon()
        .start(
            () -> {
              while (true) {
                beat();
                LockSupport.parkNanos(HEARTBEAT_NANOS);
              }
            });
    Runtime.getRuntime()
        .addShutdownHook(new Thread(this::noteOrderlyEnd, "panvec-flight-shutdown"));
    return this;
  }

  void beat() {
    LONG_OF.setRelease(file, FlightFormat.ALIVE_NANOS_AT, System.nanoTime());
  }

  void noteOrderlyEnd() {
    beat();
    LONG_OF.setRelease(file, FlightFormat.ENDED_AT, 1L);
  }

  /** The number under which entries name a backend. */
  synchronized int backend(String name) {
    int known = backends.indexOf(name);
    if (known >= 0 || backends.size() == FlightFormat.MOST_BACKENDS) {
      // Beyond that many, a name that does not fit says more than a wrong one.
      return known >= 0 ? known : FlightFormat.MOST_BACKENDS;
    }
    int number = backends.size();
    putText(
        file,
        FlightFormat.BACKEND_NAMES_AT + (long) number * FlightFormat.BACKEND_NAME_BYTES,
        name,
        FlightFormat.BACKEND_NAME_BYTES);
    backends.add(name);
    LONG_OF.setRelease(file, FlightFormat.BACKENDS_AT, (long) backends.size());
    return number;
  }

  /**
   * Notes a call that is about to be entered by this thread.
   *
   * @param backend what {@link #backend} says
   * @param index which index, by the order of creation in this process
   * @return what {@link #end} wants to know
   */
  int begin(Operation operation, int backend, int index, long rows, int k, FilterKind filter) {
    Thread thread = Thread.currentThread();
    long id = thread.threadId();
    int number = claim(id);
    if (number < 0) {
      LONG_OF.getAndAdd(file, FlightFormat.UNRECORDED_AT, 1L);
      return -1;
    }
    Slot slot = slots[number];
    String name = thread.getName();
    // A thread has one String for its name: another one is another thread or a new name.
    if (name != slot.name) {
      slot.encode(name);
    }
    int entry = number * ENTRIES + slot.next;
    long at = FlightFormat.entryAt(entry);
    int kind = FlightFormat.kind(operation, backend, filter, thread.isVirtual());
    long nanos = System.nanoTime();
    STATE_OF.setRelease(file, at + STATE, FlightFormat.EMPTY);
    VarHandle.storeStoreFence();
    file.set(INT, at + INDEX, index);
    file.set(INT, at + KIND, kind);
    file.set(INT, at + K, k);
    file.set(LONG, at + ROWS, rows);
    file.set(LONG, at + THREAD, id);
    file.set(LONG, at + BEGIN_NANOS, nanos);
    for (int i = 0; i < NAME_WORDS; i++) {
      file.set(LONG, at + NAME + (long) i * Long.BYTES, slot.nameWords[i]);
    }
    file.set(LONG, at + CHECK, FlightFormat.check(index, kind, k, rows, id, nanos, slot.nameHash));
    STATE_OF.setRelease(file, at + STATE, FlightFormat.INSIDE);
    return entry;
  }

  /**
   * Notes that the call has ended.
   *
   * @param entry what {@link #begin} returned
   */
  void end(int entry, boolean returned) {
    if (entry < 0) {
      return;
    }
    long at = FlightFormat.entryAt(entry);
    long nanos = System.nanoTime();
    int state = returned ? FlightFormat.RETURNED : FlightFormat.THREW;
    file.set(LONG, at + END_NANOS, nanos);
    file.set(LONG, at + END_CHECK, FlightFormat.endCheck(file.get(LONG, at + CHECK), state, nanos));
    STATE_OF.setRelease(file, at + STATE, state);
    Slot slot = slots[entry / ENTRIES];
    slot.next = (slot.next + 1) % ENTRIES;
    BUSY.setRelease(slot, 0);
  }

  /** The thread's own slot, or the next that is free; -1 when all are busy. */
  private int claim(long threadId) {
    // An odd factor: threads that follow one another get slots of their own, far apart.
    int home = (int) (threadId * 0x9E3779B1L);
    for (int i = 0; i < SLOTS; i++) {
      int number = home + i & SLOTS - 1;
      Slot slot = slots[number];
      if ((int) BUSY.getOpaque(slot) == 0 && BUSY.compareAndSet(slot, 0, 1)) {
        return number;
      }
    }
    return -1;
  }
}
