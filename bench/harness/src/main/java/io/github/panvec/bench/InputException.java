package io.github.panvec.bench;

/**
 * What the person gave cannot be used: one line that says what and, for a file, where. The program
 * exits with 2.
 */
public final class InputException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  public InputException(String message) {
    super(message);
  }

  public InputException(String message, Throwable cause) {
    super(message, cause);
  }
}
