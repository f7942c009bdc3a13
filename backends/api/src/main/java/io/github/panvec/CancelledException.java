package io.github.panvec;

/** The {@link Cancellation} of a call was cancelled; the index is as before the call. */
public final class CancelledException extends VectorIndexException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message what was cancelled
   */
  public CancelledException(String message) {
    super(message);
  }
}
