package io.github.panvec;

/** Another writer holds the lock of the index's files. They were left untouched. */
public final class IndexBusyException extends VectorIndexException {
  private static final long serialVersionUID = 1L;

  public IndexBusyException(String message) {
    super(message);
  }
}
