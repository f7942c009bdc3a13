package io.github.panvec.bench.soak;

import java.util.Arrays;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * What an index must hold after each operation of its one writer, for a searcher beside that writer
 * to look up. Time is the number of an operation. Before a call the writer notes what it will
 * change, and that it has begun; after it, that it has returned. A search that began when operation
 * {@code a} had returned, and ended when {@code b} had begun, must have seen the state after one of
 * the operations {@code a .. b}.
 *
 * <p>Ids are 0, 1, 2 and so on; removed ones are used again. One thread writes, one reads what is
 * said to be for searchers.
 */
final class Ledger {
  private static final int PAGE_BITS = 12;
  private static final int PAGE = 1 << PAGE_BITS;
  private static final int PAGES = 1 << 14;

  /** One row that an id had: from the state after {@link #born} to before that after its death. */
  static final class RowVersion {
    private final int number;
    private final long born;
    private volatile long died = Long.MAX_VALUE;
    private volatile @Nullable RowVersion previous;

    private RowVersion(int number, long born, @Nullable RowVersion previous) {
      this.number = number;
      this.born = born;
      this.previous = previous;
    }

    /** Of which {@link SyntheticRows} makes the row. */
    int number() {
      return number;
    }

    /** The operation that wrote it. */
    long born() {
      return born;
    }

    /** The operation that removed or replaced it; {@link Long#MAX_VALUE}: none so far. */
    long died() {
      return died;
    }

    /** What the id had before, or null: nothing, or nothing that a search may still see. */
    @Nullable RowVersion previous() {
      return previous;
    }
  }

  /** Pages that only ever grow in number, so that the searcher needs no lock. */
  private final AtomicReferenceArray<@Nullable AtomicReferenceArray<RowVersion>> pages =
      new AtomicReferenceArray<>(PAGES);

  private volatile long begun;
  private volatile long returned;

  /** No search, now or later, sees what had died by then. */
  private volatile long forgotten;

  // The writer's:
  private long operation;
  private final Ids live = new Ids();
  private final Ids absent = new Ids();
  private int unused;
  private long deaths;

  /** Ids in no order, to draw from. */
  private static final class Ids {
    private int[] ids = new int[1024];
    private int count;

    void add(int id) {
      if (count == ids.length) {
        ids = Arrays.copyOf(ids, 2 * count);
      }
      ids[count++] = id;
    }

    int draw(SplittableRandom random) {
      int at = random.nextInt(count);
      int id = ids[at];
      ids[at] = ids[--count];
      return id;
    }
  }

  // ---- for the writer

  /** Begins to note the next operation; its number. */
  long next() {
    return ++operation;
  }

  /** An id that is live, and as good as absent until it is {@link #noted}. */
  int drawLive(SplittableRandom random) {
    return live.draw(random);
  }

  /** An id that is not live, and neither drawn again until it is {@link #noted}. */
  int drawAbsent(SplittableRandom random) {
    if (absent.count > 0 && random.nextBoolean()) {
      return absent.draw(random);
    }
    if (unused == PAGE * PAGES) {
      throw new IllegalStateException("no more than " + unused + " ids");
    }
    return unused++;
  }

  /** An id that no operation has had so far. */
  long unusedId() {
    return unused;
  }

  /** Notes that this operation writes a drawn id; the number of the new version. */
  int write(int id) {
    AtomicReferenceArray<RowVersion> page = pages.get(id >>> PAGE_BITS);
    if (page == null) {
      page = new AtomicReferenceArray<>(PAGE);
      pages.set(id >>> PAGE_BITS, page);
    }
    RowVersion before = page.get(id & (PAGE - 1));
    if (before != null) {
      kill(before);
    }
    int number = before == null ? 0 : before.number + 1;
    RowVersion seenBySome = before == null || before.died <= forgotten ? null : before;
    page.set(id & (PAGE - 1), new RowVersion(number, operation, seenBySome));
    return number;
  }

  /** Notes that this operation removes a drawn id; the number of the version it had. */
  int remove(int id) {
    RowVersion before = newest(id);
    if (before == null) {
      throw new IllegalArgumentException(id + " was never written");
    }
    kill(before);
    return before.number;
  }

  private void kill(RowVersion version) {
    if (version.died == Long.MAX_VALUE) {
      version.died = operation;
      deaths++;
    }
    RowVersion older = version.previous;
    if (older != null && older.died <= forgotten) {
      version.previous = null;
    }
  }

  /** Lets drawn ids be drawn again. */
  void noted(int[] ids, int count, boolean areLive) {
    for (int i = 0; i < count; i++) {
      (areLive ? live : absent).add(ids[i]);
    }
  }

  /** The call is about to be made. */
  void begin() {
    begun = operation;
  }

  /** The call has returned. */
  void end() {
    returned = operation;
  }

  /** The number of the newest version of an id that was written before. */
  int versionOf(long id) {
    return Objects.requireNonNull(newest(id)).number;
  }

  int liveCount() {
    return live.count;
  }

  /** All live ids, ascending. */
  long[] liveIds() {
    return Arrays.stream(live.ids, 0, live.count).asLongStream().sorted().toArray();
  }

  /** How many rows have been removed or replaced so far. */
  long deaths() {
    return deaths;
  }

  // ---- for the searcher

  /** A search begins: the last operation that has returned. */
  long beginSearch() {
    long last = returned;
    forgotten = last;
    return last;
  }

  /** A search has ended: the last operation that has begun. */
  long endSearch() {
    return begun;
  }

  /** The newest version of an id, live or not; null when it was never written. */
  @Nullable RowVersion newest(long id) {
    if (id < 0 || id >= (long) PAGE * PAGES) {
      return null;
    }
    AtomicReferenceArray<RowVersion> page = pages.get((int) (id >>> PAGE_BITS));
    return page == null ? null : page.get((int) id & (PAGE - 1));
  }
}
