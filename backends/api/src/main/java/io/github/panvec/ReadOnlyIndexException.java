package io.github.panvec;

/** The index's file or its directory cannot be written. The file was left untouched. */
public final class ReadOnlyIndexException extends VectorIndexException {
  private static final long serialVersionUID = 1L;

  public ReadOnlyIndexException(String message) {
    super(message);
  }
}
