package io.github.panvec;

/** The deadline of a call passed before it was done; the index is as before the call. */
public final class DeadlineExceededException extends VectorIndexException {
  private static final long serialVersionUID = 1L;

  /**
   * @param message what was not done in time
   */
  public DeadlineExceededException(String message) {
    super(message);
  }
}
