package io.github.panvec;

/** The native library could not get memory; the index is as it was before the call. */
public final class NativeMemoryException extends VectorIndexException {
  private static final long serialVersionUID = 1L;

  public NativeMemoryException(String message) {
    super(message);
  }
}
