package io.github.panvec.engine;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.DeadlineExceededException;
import io.github.panvec.DuplicateIdException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.IndexBusyException;
import io.github.panvec.IndexIoException;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Limits;
import io.github.panvec.NativeMemoryException;
import io.github.panvec.ReadOnlyIndexException;
import io.github.panvec.VectorIndexException;
import java.lang.foreign.MemorySegment;

/** The status codes of native-src/common/panvec_status.h, and the exceptions they stand for. */
public final class NativeStatus {
  public static final int OK = 0;
  public static final int INVALID_ARGUMENT = 1;
  public static final int INVALID_VECTOR = 2;
  public static final int DUPLICATE_ID = 3;
  public static final int NOT_FOUND = 4;
  public static final int OUT_OF_MEMORY = 5;
  public static final int IO = 6;
  public static final int CORRUPT = 7;
  public static final int UNSUPPORTED = 8;
  public static final int READ_ONLY = 9;
  public static final int BUSY = 10;
  public static final int FOREIGN_FILE = 11;
  public static final int NATIVE = 12;
  public static final int STOPPED = 13;

  /** Version of the C interface that this Java side speaks. */
  public static final int ABI_VERSION = 4;

  private NativeStatus() {}

  /**
   * Returns when {@code status} is OK, else throws with the NUL-terminated text in {@code error}.
   */
  public static void check(int status, MemorySegment error) {
    if (status != OK) {
      throw exception(status, error.getString(0));
    }
  }

  /**
   * As {@link #check(int, MemorySegment)}, of a call that was given {@code limits}.
   *
   * @param what the call, for the message of what a limit throws
   */
  public static void check(int status, MemorySegment error, Limits limits, String what) {
    if (status == STOPPED) {
      limits.check(what);
      // The library's clock was a little ahead of the JVM's.
      throw new DeadlineExceededException(what + " was not done by its deadline");
    }
    check(status, error);
  }

  /**
   * The exception for a status other than OK. {@link #DUPLICATE_ID} is the caller's to turn into
   * {@link DuplicateIdException}, because only it knows id and row.
   */
  public static RuntimeException exception(int status, String message) {
    return switch (status) {
      case INVALID_ARGUMENT -> new IllegalArgumentException(message);
      case INVALID_VECTOR -> new InvalidVectorException(message);
      case OUT_OF_MEMORY -> new NativeMemoryException(message);
      case IO -> new IndexIoException(message);
      case CORRUPT -> new CorruptIndexException(message);
      case FOREIGN_FILE -> new ForeignFileException(message);
      case READ_ONLY -> new ReadOnlyIndexException(message);
      case BUSY -> new IndexBusyException(message);
      default -> new VectorIndexException(message + " (status " + status + ")");
    };
  }
}
