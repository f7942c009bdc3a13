package io.github.panvec.snapshot;

import io.github.panvec.IndexBusyException;
import java.io.IOException;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Who writes to a snapshot's directory, and who reads which generation: within this JVM by a table,
 * across processes by locks on bytes of one file, {@code lock}. The operating system's locks belong
 * to a process and are gone when it closes the file anywhere, so the file is opened once for all
 * and closed when nobody here needs a lock on it any more.
 */
final class SnapshotLocks {
  /** Its name in the snapshot's directory. It stays there; its content is for people. */
  static final String NAME = "lock";

  /** How its content begins. */
  private static final String HOLDER = "number ";

  /** The byte that the writer locks; far behind the text, which stays readable on Windows so. */
  private static final long WRITER = 1L << 40;

  /** The byte of a generation is this many behind the beginning; readers share it. */
  private static final long LEASES = 1L << 41;

  /** By the identity of the directory; guards all state of this class. */
  private static final Map<Object, SnapshotLocks> OPEN = new HashMap<>();

  private final Object identity;
  private final List<OpenFile> files = new ArrayList<>();
  private final Map<Long, Leases> leases = new HashMap<>();
  private @Nullable String writer;

  /** Leases, and the writer; with the last of them the files are closed. */
  private int users;

  private SnapshotLocks(Object identity) {
    this.identity = identity;
  }

  private record OpenFile(Object identity, boolean writable, FileOperations.LockFile file) {}

  /** Those of this JVM on one generation. */
  private static final class Leases {
    private int count;
    private FileOperations.@Nullable Lock lock;
  }

  private static SnapshotLocks enter(FileOperations operations, Path directory) throws IOException {
    SnapshotLocks locks = OPEN.computeIfAbsent(operations.identity(directory), SnapshotLocks::new);
    locks.users++;
    return locks;
  }

  private void leave() {
    users--;
    if (users == 0) {
      OPEN.remove(identity);
      for (OpenFile open : files) {
        quietly(open.file::close);
      }
    }
  }

  // -------------------------------------------------------------------------------------- writers

  /**
   * The right to write to this directory.
   *
   * @throws IndexBusyException when another save has it, telling whose where that is known
   */
  static Writer forWriting(FileOperations operations, Path directory) throws IOException {
    synchronized (OPEN) {
      SnapshotLocks locks = enter(operations, directory);
      try {
        return locks.new Writer(operations, directory);
      } catch (IOException | RuntimeException failed) {
        locks.leave();
        throw failed;
      }
    }
  }

  /** The right to write, until closed; for one thread. */
  final class Writer implements AutoCloseable {
    private final FileOperations.LockFile file;
    private final FileOperations.Lock lock;

    private Writer(FileOperations operations, Path directory) throws IOException {
      if (writer != null) {
        throw busy(directory, "this process, " + writer);
      }
      Path path = directory.resolve(NAME);
      file = writable(operations, path);
      FileOperations.Lock held;
      try {
        held = file.tryLock(WRITER, FileOperations.LockKind.EXCLUSIVE);
      } catch (OverlappingFileLockException inThisJvm) {
        throw busy(directory, "this process, through another class loader");
      }
      if (held == null) {
        String holder = file.text();
        throw busy(directory, holder.isEmpty() ? "another process" : "another process, " + holder);
      }
      lock = held;
      String holder =
          String.format(
              "thread \"%s\", since %s",
              Thread.currentThread().getName(), Instant.now().truncatedTo(ChronoUnit.SECONDS));
      writer = holder;
      quietly(() -> file.write(HOLDER + ProcessHandle.current().pid() + ", " + holder + "\n"));
    }

    /**
     * Runs {@code action} if nobody leases the generation, and nobody can meanwhile.
     *
     * @return whether it ran
     */
    boolean unlessLeased(long generation, Action action) throws IOException {
      FileOperations.Lock excluded;
      synchronized (OPEN) {
        if (leases.containsKey(generation)) {
          return false;
        }
        try {
          excluded = file.tryLock(LEASES + generation, FileOperations.LockKind.EXCLUSIVE);
        } catch (OverlappingFileLockException inThisJvm) {
          return false;
        }
        if (excluded == null) {
          return false;
        }
        leases.put(generation, new Leases());
      }
      try {
        action.run();
        return true;
      } finally {
        synchronized (OPEN) {
          leases.remove(generation);
          quietly(excluded::release);
        }
      }
    }

    @Override
    public void close() {
      synchronized (OPEN) {
        writer = null;
        quietly(lock::release);
        leave();
      }
    }
  }

  private static IndexBusyException busy(Path directory, String holder) {
    return new IndexBusyException(
        directory + " is being saved to by " + holder + "; nothing was written");
  }

  /**
   * Whether the file called like ours may be ours. It is read through the one that is open, if it
   * is: to close it would give all locks of this process back.
   */
  static boolean isOurs(FileOperations operations, Path directory) throws IOException {
    if (operations.kind(directory.resolve(NAME)) != FileOperations.Kind.OTHER) {
      return false;
    }
    synchronized (OPEN) {
      SnapshotLocks locks = enter(operations, directory);
      try {
        FileOperations.LockFile file = locks.readable(operations, directory.resolve(NAME));
        return file == null || Whole.isBeginning(file.text(), HOLDER);
      } finally {
        locks.leave();
      }
    }
  }

  // -------------------------------------------------------------------------------------- readers

  /**
   * Keeps savers from deleting a generation.
   *
   * @return null when one is deleting it right now
   */
  static @Nullable Lease lease(FileOperations operations, Path directory, long generation)
      throws IOException {
    synchronized (OPEN) {
      SnapshotLocks locks = enter(operations, directory);
      boolean leased = false;
      try {
        leased = locks.addLease(operations, directory.resolve(NAME), generation);
        return leased ? locks.new Lease(generation) : null;
      } finally {
        if (!leased) {
          locks.leave();
        }
      }
    }
  }

  private boolean addLease(FileOperations operations, Path path, long generation)
      throws IOException {
    Leases held = leases.get(generation);
    if (held == null) {
      held = new Leases();
      FileOperations.LockFile file = readable(operations, path);
      if (file != null && !share(file, generation, held)) {
        return false;
      }
      leases.put(generation, held);
    } else if (held.count == 0) {
      return false;
    }
    held.count++;
    return true;
  }

  /**
   * Takes the lock that other processes see. Where the file system knows no locks, or another class
   * loader of this JVM has this one, there is none: the generation is then looked for again after
   * it was found gone.
   */
  private static boolean share(FileOperations.LockFile file, long generation, Leases held) {
    try {
      held.lock = file.tryLock(LEASES + generation, FileOperations.LockKind.SHARED);
      return held.lock != null;
    } catch (OverlappingFileLockException | IOException without) {
      return true;
    }
  }

  /** A generation that nobody deletes before this is closed. */
  final class Lease implements AutoCloseable {
    private final long generation;
    private boolean closed;

    private Lease(long generation) {
      this.generation = generation;
    }

    @Override
    public void close() {
      synchronized (OPEN) {
        if (closed) {
          return;
        }
        closed = true;
        Leases held = leases.get(generation);
        held.count--;
        if (held.count == 0) {
          leases.remove(generation);
          if (held.lock != null) {
            quietly(held.lock::release);
          }
        }
        leave();
      }
    }
  }

  // --------------------------------------------------------------------------------- the lock file

  private FileOperations.LockFile writable(FileOperations operations, Path path)
      throws IOException {
    FileOperations.LockFile open = open(operations, path, OpenFile::writable);
    if (open == null) {
      open = operations.openLock(path);
      files.add(new OpenFile(operations.identity(path), true, open));
    }
    return open;
  }

  private FileOperations.@Nullable LockFile readable(FileOperations operations, Path path)
      throws IOException {
    FileOperations.LockFile open = open(operations, path, any -> true);
    if (open == null) {
      try {
        open = operations.openSharedLock(path);
      } catch (java.nio.file.AccessDeniedException unreadable) {
        return null;
      }
      if (open != null) {
        files.add(new OpenFile(operations.identity(path), false, open));
      }
    }
    return open;
  }

  /** The file at this path, if it is open: somebody may have deleted the one that was there. */
  private FileOperations.@Nullable LockFile open(
      FileOperations operations, Path path, Predicate<OpenFile> fits) throws IOException {
    if (files.isEmpty()) {
      return null;
    }
    Object there;
    try {
      there = operations.identity(path);
    } catch (NoSuchFileException missing) {
      return null;
    }
    for (OpenFile open : files) {
      if (open.identity.equals(there) && fits.test(open)) {
        return open.file;
      }
    }
    return null;
  }

  /** Something on files that may fail. */
  @FunctionalInterface
  interface Action {
    void run() throws IOException;
  }

  /** What fails here hurts nobody: text for people, and what ends with the process anyway. */
  private static void quietly(Action action) {
    try {
      action.run();
    } catch (IOException ignored) {
      // Said above.
    }
  }
}
