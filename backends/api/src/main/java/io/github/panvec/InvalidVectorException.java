package io.github.panvec;

/**
 * A vector that an index cannot take: of another length, with a NaN or an infinity, or zero under
 * COSINE. The message names row and component.
 */
public final class InvalidVectorException extends IllegalArgumentException {
  private static final long serialVersionUID = 1L;

  public InvalidVectorException(String message) {
    super(message);
  }
}
