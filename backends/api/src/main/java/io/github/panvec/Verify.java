package io.github.panvec;

/** How thoroughly the files of a snapshot are checked before anything in them is used. */
public enum Verify {
  /** Every byte of every file against its checksum. */
  FULL,

  /**
   * Names and sizes alone, for media one trusts. Damage that changes no size is found late, as a
   * {@link CorruptIndexException} of some call, or by nobody, and answers may be wrong; where a
   * view reads is checked all the same, so it ends no process. Before such a view is saved or
   * exported all of it is verified.
   */
  SIZES
}
