package io.github.panvec;

/** Another process holds the lock of the index's file. The file was left untouched. */
public final class IndexBusyException extends VectorIndexException {
  private static final long serialVersionUID = 1L;

  public IndexBusyException(String message) {
    super(message);
  }
}
