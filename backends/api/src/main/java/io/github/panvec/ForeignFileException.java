package io.github.panvec;

/**
 * A file or directory that Panvec did not write, one that is not there, or one of another metric,
 * dimension or newer format. It was left untouched.
 */
public final class ForeignFileException extends VectorIndexException {
  private static final long serialVersionUID = 1L;

  public ForeignFileException(String message) {
    super(message);
  }
}
