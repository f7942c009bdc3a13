package io.github.panvec;

/**
 * No backend of that name is on the class path or module path; the message lists those that are,
 * and the nearest name.
 */
public final class UnknownBackendException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  public UnknownBackendException(String message) {
    super(message);
  }
}
