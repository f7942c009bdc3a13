package io.github.panvec;

/**
 * An id to be added is live already, or comes twice in one batch. Nothing of the batch was added.
 */
public final class DuplicateIdException extends VectorIndexException {
  private static final long serialVersionUID = 1L;

  private final long id;
  private final long row;

  /**
   * @param id the id
   * @param row its 0-based row in the batch
   */
  public DuplicateIdException(long id, long row) {
    super("row " + row + ": id " + id + " is in the index already, or twice in the batch");
    this.id = id;
    this.row = row;
  }

  /** The id. */
  public long id() {
    return id;
  }

  /** The 0-based row of the batch that carried it. */
  public long row() {
    return row;
  }
}
