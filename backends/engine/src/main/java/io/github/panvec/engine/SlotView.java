package io.github.panvec.engine;

import java.lang.foreign.MemorySegment;

/**
 * A published version as the native side sees it: which slots exist, which of them are dead, and
 * whose they are.
 */
public interface SlotView {

  /** Slots from here on do not exist. */
  long slotCount();

  /**
   * Pointers to the pages of the dead bitmap, or {@link MemorySegment#NULL} when no slot is dead.
   */
  MemorySegment deadPages();

  /** Pointers to the pages of ids by slot. */
  MemorySegment idPages();
}
