package io.github.panvec;

/**
 * A file of an index is damaged; the message names the file and what differs. Nothing was changed
 * or deleted.
 */
public final class CorruptIndexException extends VectorIndexException {
  private static final long serialVersionUID = 1L;

  public CorruptIndexException(String message) {
    super(message);
  }
}
