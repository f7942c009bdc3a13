package io.github.panvec;

import org.jspecify.annotations.Nullable;

/**
 * Something went wrong in an index or its native library; the message says what, in the library's
 * words where it has any.
 */
public class VectorIndexException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public VectorIndexException(String message) {
    super(message);
  }

  public VectorIndexException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
