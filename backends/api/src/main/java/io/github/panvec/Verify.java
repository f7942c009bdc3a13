package io.github.panvec;

/** How thoroughly the files of a snapshot are checked before anything in them is used. */
public enum Verify {
  /** Every byte of every file against its checksum. */
  FULL,

  /**
   * Names and sizes alone, for media one trusts: what is damaged without a change of size is found
   * by nobody, and may lead to wrong answers or end the process.
   */
  SIZES
}
