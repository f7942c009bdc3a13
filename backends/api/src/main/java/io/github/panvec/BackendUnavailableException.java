package io.github.panvec;

import org.jspecify.annotations.Nullable;

/**
 * A backend is on the path, but its native library cannot be used here; the message says why and
 * what to do.
 */
public final class BackendUnavailableException extends VectorIndexException {
  private static final long serialVersionUID = 1L;

  public BackendUnavailableException(String message, @Nullable Throwable cause) {
    super(message, cause);
  }
}
