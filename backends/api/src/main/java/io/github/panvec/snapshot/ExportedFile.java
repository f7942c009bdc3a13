package io.github.panvec.snapshot;

import io.github.panvec.ForeignFileException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.CopyOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/** A single file that is there complete, or not at all. */
public final class ExportedFile {
  private static final long BUFFER_BYTES = 1 << 20;
  private static final AtomicLong WRITTEN = new AtomicLong();

  private ExportedFile() {}

  /**
   * Writes it under another name beside it, has it on disk, and renames it.
   *
   * @param file its directory must exist
   * @param writer writes the bytes; what it throws reaches the caller
   * @param options {@link StandardCopyOption#REPLACE_EXISTING}, or nothing
   * @throws ForeignFileException when something is there and is not to be replaced, or is a
   *     directory
   * @throws io.github.panvec.ReadOnlyIndexException when its directory cannot be written to
   * @throws io.github.panvec.IndexIoException when the operating system refuses something else
   */
  public static void write(Path file, SnapshotContent.Writer writer, CopyOption... options) {
    write(file, FileOperations.disk(), writer, options);
  }

  static void write(
      Path file, FileOperations operations, SnapshotContent.Writer writer, CopyOption... options) {
    boolean replace = replaces(options);
    Path target = file.toAbsolutePath();
    Path directory = target.getParent();
    if (directory == null) {
      throw new ForeignFileException(target + " is a directory");
    }
    Path temporary =
        directory.resolve(
            "."
                + target.getFileName()
                + "."
                + ProcessHandle.current().pid()
                + "-"
                + WRITTEN.incrementAndGet()
                + ".tmp");
    try {
      refuse(target, operations, replace);
      try {
        writeAll(temporary, directory, operations, writer);
        refuse(target, operations, replace);
        operations.rename(temporary, target);
      } catch (IOException | RuntimeException | Error failed) {
        delete(temporary, operations, failed);
        throw failed;
      }
      operations.forceDirectory(directory);
    } catch (IOException failed) {
      throw Failures.writing(operations, directory, "writing", target, failed);
    }
  }

  private static boolean replaces(CopyOption... options) {
    for (CopyOption option : options) {
      if (option != StandardCopyOption.REPLACE_EXISTING) {
        throw new IllegalArgumentException("REPLACE_EXISTING is all it takes, not " + option);
      }
    }
    return List.of(options).contains(StandardCopyOption.REPLACE_EXISTING);
  }

  private static void refuse(Path target, FileOperations operations, boolean replace)
      throws IOException {
    FileOperations.Kind kind = operations.kind(target);
    if (kind == FileOperations.Kind.DIRECTORY) {
      throw new ForeignFileException(target + " is a directory; nothing was written");
    }
    if (kind != FileOperations.Kind.MISSING && !replace) {
      throw new ForeignFileException(target + " exists already; nothing was written");
    }
  }

  private static void writeAll(
      Path temporary, Path directory, FileOperations operations, SnapshotContent.Writer writer)
      throws IOException {
    try (Arena arena = Arena.ofConfined()) {
      SnapshotSink sink =
          new SnapshotSink(operations, directory, temporary, arena.allocate(BUFFER_BYTES));
      try {
        writer.writeTo(sink);
        sink.finish(temporary.getFileName().toString());
      } finally {
        sink.close();
      }
    }
  }

  private static void delete(Path temporary, FileOperations operations, Throwable failed) {
    try {
      if (operations.kind(temporary) != FileOperations.Kind.MISSING) {
        operations.delete(temporary);
      }
    } catch (IOException left) {
      failed.addSuppressed(left);
    }
  }
}
