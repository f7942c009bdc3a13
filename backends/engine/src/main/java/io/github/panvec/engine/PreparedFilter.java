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
  private static final int ROWS_PER_LOOK = 4096;

  private final IdFilter source;

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

  private synchronized Answers extended(Version version, Limits limits) {
    long generation = version.home().number();
    Answers known = answers;
    boolean current = known != null && known.generation == generation;
    if (current && known.slotCount >= version.slotCount()) {
      return known;
    }
    if (known != null && known.generation > generation) {
      // A search that began before a compaction and comes late: it gets answers of its own.
      return evaluated(null, version, limits);
    }
    answers = evaluated(current ? known : null, version, limits);
    return answers;
  }

  private Answers evaluated(@Nullable Answers known, Version version, Limits limits) {
    long from = known == null ? 0 : known.slotCount;
    long words = (version.slotCount() + 63) >>> 6;
    MemorySegment bitmap;
    if (known != null && known.bitmap.byteSize() >= words * Long.BYTES) {
      bitmap = known.bitmap;
    } else {
      // Searches may be reading the old one, which goes when nobody does.
      bitmap = SlotFilter.allocateBitmap(Math.max(1, words + words / 2) * 64, Arena.ofAuto());
      if (known != null) {
        bitmap.copyFrom(known.bitmap);
      }
    }
    SlotIds ids = version.home().ids();
    for (long slot = from; slot < version.slotCount(); slot++) {
      if (slot % ROWS_PER_LOOK == 0) {
        limits.check("the search");
      }
      // Dead ones too: a search that holds an older version may still see them.
      if (source.test(ids.get(slot))) {
        SlotFilter.setBit(bitmap, slot);
      }
    }
    return new Answers(version.home().number(), bitmap, version.slotCount());
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
