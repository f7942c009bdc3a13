package io.github.panvec.engine;

/** How slots are laid out in pages: the native side has the same numbers in its headers. */
final class Pages {
  static final int SLOT_BITS = 15;
  static final int SLOTS = 1 << SLOT_BITS;
  static final int SLOT_MASK = SLOTS - 1;
  static final long ID_PAGE_BYTES = SLOTS * 8L;
  static final long DEAD_PAGE_BYTES = SLOTS / 8;

  private Pages() {}

  /** The page of a slot. */
  static int page(long slot) {
    return (int) (slot >>> SLOT_BITS);
  }

  /** How many pages cover {@code slots}. */
  static int count(long slots) {
    return Math.toIntExact((slots + SLOT_MASK) >>> SLOT_BITS);
  }
}
