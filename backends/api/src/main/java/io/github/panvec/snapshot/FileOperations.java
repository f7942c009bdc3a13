package io.github.panvec.snapshot;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Everything that saving and opening a snapshot does to files. {@link #disk()} does it; tests put
 * something in its place that records, fails or waits. Thread-safe.
 *
 * <p>Nothing is on disk for good before it was forced there: a file's content by {@link
 * Output#force()}, and that it was created, renamed or deleted by {@link #forceDirectory} of the
 * directory that it is in.
 */
public interface FileOperations {

  /** The files of the operating system. */
  static FileOperations disk() {
    return DiskFiles.INSTANCE;
  }

  /** What is at a path. */
  enum Kind {
    MISSING,
    DIRECTORY,
    OTHER
  }

  /** What is at this path, symbolic links followed. */
  Kind kind(Path path) throws IOException;

  /** Whether the operating system would let this process write there. */
  boolean isWritable(Path path);

  /**
   * Equal for two paths exactly if they lead to the same file or directory.
   *
   * @throws java.nio.file.NoSuchFileException when there is none
   */
  Object identity(Path path) throws IOException;

  /** Names in a directory, sorted. */
  List<String> list(Path directory) throws IOException;

  /**
   * A new directory; its parent must exist.
   *
   * @throws java.nio.file.FileAlreadyExistsException when something is there
   */
  void createDirectory(Path directory) throws IOException;

  /**
   * A new, empty file, open for writing.
   *
   * @throws java.nio.file.FileAlreadyExistsException when something is there
   */
  Output create(Path file) throws IOException;

  /**
   * A file that something else writes, native code for example; open afterwards, to be forced.
   *
   * @param writer creates the file at the path that it is given, and closes it. What it throws
   *     reaches the caller
   * @throws java.nio.file.NoSuchFileException when it has not
   */
  Output createBy(Path file, Consumer<Path> writer) throws IOException;

  /** Waits until all that was created, renamed or deleted in the directory is on disk. */
  void forceDirectory(Path directory) throws IOException;

  /** Renames a file within its directory, atomically; takes the place of a file that is there. */
  void rename(Path from, Path to) throws IOException;

  /** Deletes a file, or an empty directory. */
  void delete(Path path) throws IOException;

  /** A file for reading. */
  Input open(Path file) throws IOException;

  /** A file for locks, created when it is not there. */
  LockFile openLock(Path file) throws IOException;

  /** A file for shared locks, not written to; null when it is not there. */
  @Nullable LockFile openSharedLock(Path file) throws IOException;

  /** A file being written; for one thread. */
  interface Output extends AutoCloseable {
    /** Appends all of the buffer's remaining bytes. */
    void write(ByteBuffer bytes) throws IOException;

    /** Waits until the content is on disk. */
    void force() throws IOException;

    @Override
    void close() throws IOException;
  }

  /** A file being read; for one thread. */
  interface Input extends AutoCloseable {
    /** Its length in bytes. */
    long size() throws IOException;

    /**
     * Fills the buffer from this position on.
     *
     * @return bytes read; fewer than remained in the buffer only at the file's end
     */
    int read(ByteBuffer buffer, long position) throws IOException;

    /** Its first {@code size} bytes, mapped read-only until the arena closes. */
    MemorySegment map(long size, Arena arena) throws IOException;

    @Override
    void close() throws IOException;
  }

  /**
   * A file that is there to be locked, and to tell who locks it. A process must not open the same
   * file twice and close one of the two: the locks of the other would go with it.
   */
  interface LockFile extends AutoCloseable {
    /**
     * Locks one byte, which need not exist, against other processes; does not wait.
     *
     * @return the lock, or null when another process has one that stands against it
     * @throws java.nio.channels.OverlappingFileLockException when this JVM has one, through another
     *     open file or class loader
     */
    @Nullable Lock tryLock(long position, LockKind kind) throws IOException;

    /** What the last holder wrote; empty when it wrote nothing. */
    String text() throws IOException;

    /** Writes who holds it. */
    void write(String text) throws IOException;

    @Override
    void close() throws IOException;
  }

  /** Whether others may hold a lock at the same time. */
  enum LockKind {
    SHARED,
    EXCLUSIVE
  }

  /** A lock that is held. */
  interface Lock {
    void release() throws IOException;
  }
}
