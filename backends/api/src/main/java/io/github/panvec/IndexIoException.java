package io.github.panvec;

/** The operating system refused to read or write an index's file; its words are in the message. */
public final class IndexIoException extends VectorIndexException {
  private static final long serialVersionUID = 1L;

  public IndexIoException(String message) {
    super(message);
  }
}
