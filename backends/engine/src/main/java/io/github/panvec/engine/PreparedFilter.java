package io.github.panvec.engine;

import io.github.panvec.IdFilter;
import io.github.panvec.Limits;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A filter and its answers for the slots of one index: each slot is asked about once, when a search
 * first meets it. After a compaction all are asked about again, since slots have other meanings.
 *
 * <p>Any number of threads. A bit, once set, stays; bits beyond a version's slots mean nothing to
 * its searches, so that one bitmap serves all versions.
 */
final class PreparedFilter implements IdFilter.Prepared {
  private final IdFilter source;
  private final int rowsPerLook;

  /** Held while ids are tested. */
  private final Turns testing = new Turns(1);

  /** Not the index itself, which a filter is not to keep alive. */
  private final Object owner;

  private volatile @Nullable Answers answers;

  /**
   * What is known.
   *
   * @param generation number of the generation whose slots these are
   * @param bitmap by slot
   * @param slotCount slots below have been asked about
   */
  private record Answers(long generation, MemorySegment bitmap, long slotCount) {}

  /** How many live slots a version has that pass. */
  private record Count(long generation, long version, long matches) {}

  private volatile @Nullable Count lastCount;

  /**
   * @param owner what {@link Generation#owner} says of all generations of the index
   */
  PreparedFilter(IdFilter source, Object owner) {
    this.source = source;
    this.rowsPerLook = SlotFilter.rowsPerLook(source);
    this.owner = owner;
  }

  @Override
  public IdFilter source() {
    return source;
  }

  boolean isOf(Generation generation) {
    return generation.owner() == owner;
  }

  /** In terms of a version's slots. */
  SlotFilter resolve(Version version, Arena arena, Limits limits) {
    Answers known = answers;
    if (known == null
        || known.generation != version.home().number()
        || known.slotCount < version.slotCount()) {
      known = extended(version, limits);
    }
    return SlotFilter.of(known.bitmap, count(known, version), version, arena);
  }

  private Answers extended(Version version, Limits limits) {
    testing.acquire(limits, "the search");
    try {
      long generation = version.home().number();
      Answers known = answers;
      if (known != null && known.generation > generation) {
        // A search that began before a compaction and comes late: it gets answers of its own.
        return tested(null, version, limits, false);
      }
      if (known != null && known.generation < generation) {
        known = null;
      }
      return known != null && known.slotCount >= version.slotCount()
          ? known
          : tested(known, version, limits, true);
    } finally {
      testing.release();
    }
  }

  private Answers tested(@Nullable Answers known, Version version, Limits limits, boolean keep) {
    long generation = version.home().number();
    MemorySegment bitmap = room(known, version.slotCount());
    SlotIds ids = version.home().ids();
    long slot = known == null ? 0 : known.slotCount;
    try {
      for (; slot < version.slotCount(); slot++) {
        if (slot % rowsPerLook == 0) {
          limits.check("the search");
        }
        // Dead ones too: a search that holds an older version may still see them.
        if (source.test(ids.get(slot))) {
          SlotFilter.setBit(bitmap, slot);
        }
      }
    } finally {
      // What is known when a limit or the predicate ends it is not asked about again.
      if (keep) {
        answers = new Answers(generation, bitmap, slot);
      }
    }
    return new Answers(generation, bitmap, slot);
  }

  private static MemorySegment room(@Nullable Answers known, long slotCount) {
    long words = (slotCount + 63) >>> 6;
    if (known != null && known.bitmap.byteSize() >= words * Long.BYTES) {
      return known.bitmap;
    }
    // Searches may be reading the old one, which goes when nobody does.
    MemorySegment bitmap =
        SlotFilter.allocateBitmap(Math.max(1, words + words / 2) * 64, Arena.ofAuto());
    return known == null ? bitmap : bitmap.copyFrom(known.bitmap);
  }

  private long count(Answers known, Version version) {
    long generation = version.home().number();
    Count last = lastCount;
    if (last != null && last.generation == generation && last.version == version.number()) {
      return last.matches;
    }
    long matches = version.countLive(known.bitmap);
    lastCount = new Count(generation, version.number(), matches);
    return matches;
  }

  @Override
  public String toString() {
    return "prepared " + source;
  }
}
