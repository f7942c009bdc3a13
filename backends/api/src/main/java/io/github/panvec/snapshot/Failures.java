package io.github.panvec.snapshot;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.IndexIoException;
import io.github.panvec.ReadOnlyIndexException;
import io.github.panvec.VectorIndexException;
import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Failed file operations as exceptions of the API, naming the file. */
final class Failures {
  private Failures() {}

  /**
   * @param doing what was tried, for example {@code writing}
   * @param directory the snapshot's; not being allowed to write there is an exception of its own
   */
  static VectorIndexException writing(
      FileOperations operations, Path directory, String doing, Path file, IOException failed) {
    String message = doing + " " + file + ": " + words(failed);
    boolean readOnly =
        failed instanceof AccessDeniedException
            || (!(failed instanceof NoSuchFileException)
                && exists(operations, directory)
                && !operations.isWritable(directory));
    return caused(
        readOnly ? new ReadOnlyIndexException(message) : new IndexIoException(message), failed);
  }

  private static boolean exists(FileOperations operations, Path directory) {
    try {
      return operations.kind(directory) != FileOperations.Kind.MISSING;
    } catch (IOException unknown) {
      return false;
    }
  }

  static VectorIndexException reading(Object file, IOException failed) {
    return caused(new IndexIoException("reading " + file + ": " + words(failed)), failed);
  }

  static CorruptIndexException corrupt(Object file, String difference) {
    return new CorruptIndexException(file + ": " + difference);
  }

  private static VectorIndexException caused(VectorIndexException exception, IOException cause) {
    exception.initCause(cause);
    return exception;
  }

  /** What the operating system says, without the file's name, which is in the message already. */
  private static String words(IOException failed) {
    if (failed instanceof ClosedByInterruptException) {
      return "the thread was interrupted";
    }
    String words =
        failed instanceof FileSystemException known ? known.getReason() : failed.getMessage();
    if (words != null) {
      return words;
    }
    if (failed instanceof NoSuchFileException) {
      return "no such file or directory";
    }
    if (failed instanceof AccessDeniedException) {
      return "permission denied";
    }
    if (failed instanceof FileAlreadyExistsException) {
      return "exists already";
    }
    return failed.getClass().getSimpleName();
  }
}
