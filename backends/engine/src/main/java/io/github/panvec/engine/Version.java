package io.github.panvec.engine;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * One published state: which slots exist and which of them are dead. Immutable but for its count of
 * users; a search keeps the version that it began with, and the pages of a version outlive its
 * users.
 */
final class Version implements SlotView {
  private static final DeadPage[] NONE_DEAD = {};

  /**
   * A page of the dead bitmap.
   *
   * @param bits a bit for every slot of the page
   * @param born number of the first version that has it
   */
  record DeadPage(MemorySegment bits, long born) {}

  private final @Nullable Generation home;
  private final long number;
  private final long slotCount;
  private final long liveCount;
  private final MemorySegment idPages;
  private final MemorySegment deadTable;
  private final DeadPage[] deadPages;

  /** Users, among them the publication itself; 0 is final. */
  private final AtomicInteger users = new AtomicInteger(1);

  /** A version without dead slots. */
  Version(@Nullable Generation home, long number, long slotCount, MemorySegment idPages) {
    this(home, number, slotCount, slotCount, idPages, MemorySegment.NULL, NONE_DEAD);
  }

  /**
   * @param home whose version it is
   * @param number one more than the version before
   * @param deadTable pointers to {@code deadPages}, as native code reads them
   * @param deadPages a page, or null where no slot of it is dead; pages beyond the array have no
   *     dead slot either
   */
  Version(
      @Nullable Generation home,
      long number,
      long slotCount,
      long liveCount,
      MemorySegment idPages,
      MemorySegment deadTable,
      DeadPage[] deadPages) {
    this.home = home;
    this.number = number;
    this.slotCount = slotCount;
    this.liveCount = liveCount;
    this.idPages = idPages;
    this.deadTable = deadTable;
    this.deadPages = deadPages;
  }

  /** Counts one more user; false when the version is gone and a newer one must be taken. */
  boolean tryRetain() {
    int count = users.get();
    while (count > 0) {
      if (users.compareAndSet(count, count + 1)) {
        return true;
      }
      count = users.get();
    }
    return false;
  }

  /** Counts one user less; true when that was the last. */
  boolean release() {
    return users.decrementAndGet() == 0;
  }

  boolean isUnused() {
    return users.get() == 0;
  }

  boolean isLive(long slot) {
    return slot < slotCount && !isDead(slot);
  }

  private boolean isDead(long slot) {
    int page = Pages.page(slot);
    if (page >= deadPages.length || deadPages[page] == null) {
      return false;
    }
    int bit = (int) slot & Pages.SLOT_MASK;
    long word = deadPages[page].bits().getAtIndex(ValueLayout.JAVA_LONG, bit >>> 6);
    return (word >>> bit & 1) != 0;
  }

  @Override
  public long slotCount() {
    return slotCount;
  }

  /** How many slots are live. */
  long liveCount() {
    return liveCount;
  }

  @Override
  public MemorySegment deadPages() {
    return deadTable;
  }

  @Override
  public MemorySegment idPages() {
    return idPages;
  }

  /** The generation whose version it is. */
  Generation home() {
    return Objects.requireNonNull(home);
  }

  /** How many live slots have their bit set in a bitmap by slot. */
  long countLive(MemorySegment bitmap) {
    long count = 0;
    long words = (slotCount + 63) >>> 6;
    for (long word = 0; word < words; word++) {
      long bits = bitmap.getAtIndex(ValueLayout.JAVA_LONG, word) & ~deadWord(word);
      if (word == words - 1 && (slotCount & 63) != 0) {
        bits &= (1L << slotCount) - 1;
      }
      count += Long.bitCount(bits);
    }
    return count;
  }

  /** The dead bits of the slots {@code 64 * word ..}. */
  long deadWord(long word) {
    int page = Pages.page(word << 6);
    return page >= deadPages.length || deadPages[page] == null
        ? 0
        : deadPages[page].bits().getAtIndex(ValueLayout.JAVA_LONG, word & Pages.SLOT_MASK >>> 6);
  }

  /** Whether both share the page of a word, so that it says the same in both. */
  boolean hasSamePage(Version other, long word) {
    int page = Pages.page(word << 6);
    DeadPage mine = page < deadPages.length ? deadPages[page] : null;
    DeadPage theirs = page < other.deadPages.length ? other.deadPages[page] : null;
    return mine == theirs;
  }

  long number() {
    return number;
  }

  /**
   * A page, or null where no slot of it is dead; pages beyond the array have no dead slot either.
   */
  DeadPage[] pages() {
    return deadPages;
  }
}
