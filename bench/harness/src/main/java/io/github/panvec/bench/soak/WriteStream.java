package io.github.panvec.bench.soak;

import io.github.panvec.IdFilter;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SplittableRandom;

/**
 * Operations on one index that follow from a seed alone: of two streams of one seed, the n-th
 * operation is the same. After each it asks for a row that it touched. One thread.
 *
 * <p>About as much is removed or replaced as is added, and the index grows by a fifth: so its
 * capacity grows, and enough dies for compactions.
 */
final class WriteStream {
  private static final int MAX_BATCH = 64;

  /** Every so many operations a batch that takes about a second. */
  private static final int BULK_EVERY = 128;

  private static final int MAX_BULK = 1000;
  private static final int LISTED_EVERY = 16;
  private static final int SCAN_EVERY = 256;
  private static final int FILL_BATCH = 1000;

  private final VectorIndex index;
  private final SyntheticRows rows;
  private final Ledger ledger;
  private final Stage stage;
  private final Stage.Activity activity;
  private final Failures failures;
  private final String name;
  private final SplittableRandom random;
  private final int startRows;
  private final int bulk;
  private final int compactAt;

  private final float[] vector;
  private final float[] expected;
  private final int[] picked;
  private final MemorySegment ids;
  private final MemorySegment vectors;
  private long operations;
  private long compactions;
  private long deathsAtCompaction;

  /**
   * @param name of the index, for descriptions
   * @param startRows how many rows {@link #fill} adds
   * @param compactAt when so many percent of the rows are dead it calls {@code compact()}; 0: never
   */
  WriteStream(
      VectorIndex index,
      SyntheticRows rows,
      Ledger ledger,
      Stage stage,
      Stage.Activity activity,
      Failures failures,
      String name,
      long seed,
      int startRows,
      int compactAt) {
    this.index = index;
    this.rows = rows;
    this.ledger = ledger;
    this.stage = stage;
    this.activity = activity;
    this.failures = failures;
    this.name = name;
    this.random = new SplittableRandom(seed);
    this.startRows = startRows;
    this.bulk = Math.min(MAX_BULK, startRows / 20);
    this.compactAt = compactAt;
    this.vector = new float[rows.dimension()];
    this.expected = new float[rows.dimension()];
    int room = Math.max(Math.max(bulk, FILL_BATCH), 4 * MAX_BATCH);
    this.picked = new int[room];
    Arena arena = Arena.ofAuto();
    this.ids = arena.allocate(ValueLayout.JAVA_LONG, room);
    this.vectors = arena.allocate(ValueLayout.JAVA_FLOAT, (long) room * rows.dimension());
  }

  /** Operations done so far. */
  long operations() {
    return operations;
  }

  /** How often it has called {@code compact()}. */
  long compactions() {
    return compactions;
  }

  /** Adds up to a thousand of the rows that the index begins with; how many. */
  int fill() {
    int count = Math.min(FILL_BATCH, startRows - ledger.liveCount());
    for (int i = 0; i < count; i++) {
      pick(i, ledger.drawAbsent(random));
    }
    index.addAll(idsOf(count), vectorsOf(count));
    ledger.noted(picked, count, true);
    return count;
  }

  /** Does the next operation and checks what came of it; throws what the index throws. */
  void next() {
    ledger.next();
    boolean isSmall = ledger.liveCount() < startRows * 9L / 10;
    boolean isLarge = ledger.liveCount() > startRows * 12L / 10;
    int kind = random.nextInt(100);
    int batch = random.nextInt(2, MAX_BATCH + 1);
    if (compactAt > 0
        && (ledger.deaths() - deathsAtCompaction) * 100 > (long) compactAt * ledger.liveCount()) {
      compact();
    } else if (operations % BULK_EVERY == BULK_EVERY - 1) {
      upsert(bulk);
    } else if (isSmall ? kind < 50 : kind < 25) {
      add(1);
    } else if (isSmall || kind < 35) {
      add(batch);
    } else if (kind < 60) {
      upsert(1);
    } else if (kind < 70) {
      upsert(batch);
    } else if (kind < 90) {
      remove(1);
    } else {
      remove(isLarge ? 3 * batch : batch);
    }
    operations++;
  }

  /** Which operation is next, for people. */
  private void begin(String what) {
    activity.begin(
        String.format(Locale.ROOT, "operation %,d on %s, %s", operations + 1, name, what));
    ledger.begin();
  }

  private void add(int count) {
    for (int i = 0; i < count; i++) {
      pick(i, ledger.drawAbsent(random));
    }
    begin(count == 1 ? "add" : "addAll of " + count);
    if (count == 1) {
      index.add(picked[0], vector);
    } else {
      index.addAll(idsOf(count), vectorsOf(count));
    }
    endWrite(count);
  }

  private void upsert(int count) {
    for (int i = 0; i < count; i++) {
      boolean replaces = random.nextInt(4) > 0;
      pick(i, replaces ? ledger.drawLive(random) : ledger.drawAbsent(random));
    }
    begin(count == 1 ? "upsert" : "upsertAll of " + count);
    if (count == 1) {
      index.upsert(picked[0], vector);
    } else {
      index.upsertAll(idsOf(count), vectorsOf(count), WriteOptions.defaults());
    }
    endWrite(count);
  }

  /** Puts the next version of {@code id} at place {@code i} of the batch. */
  private void pick(int i, int id) {
    picked[i] = id;
    rows.fill(id, ledger.write(id), vector);
    ids.setAtIndex(ValueLayout.JAVA_LONG, i, id);
    MemorySegment.copy(
        vector,
        0,
        vectors,
        ValueLayout.JAVA_FLOAT,
        (long) i * vector.length * Float.BYTES,
        vector.length);
  }

  private MemorySegment idsOf(int count) {
    return ids.asSlice(0, (long) count * Long.BYTES);
  }

  private MemorySegment vectorsOf(int count) {
    return vectors.asSlice(0, (long) count * vector.length * Float.BYTES);
  }

  private void endWrite(int count) {
    ledger.end();
    ledger.noted(picked, count, true);
    int id = picked[random.nextInt(count)];
    int version = ledger.versionOf(id);
    stage.touch(id, version);
    rows.fill(id, version, expected);
    Optional<float[]> found = index.get(id);
    if (found.isEmpty() || !index.contains(id)) {
      fail("get does not find id " + id + " after it returned");
    } else if (!Arrays.equals(found.get(), expected)) {
      fail("get of id " + id + " is not the row that was written last");
    }
    if (operations % LISTED_EVERY == 0) {
      SearchRequest listed = SearchRequest.of(expected, 1).exact().filter(IdFilter.in(id));
      requireFound(index.search(listed), id, "exact search among one listed id");
    }
    if (operations % SCAN_EVERY == 0) {
      requireFound(index.search(SearchRequest.of(expected, 1).exact()), id, "exact search");
    }
  }

  private void requireFound(SearchResult hits, int id, String how) {
    if (hits.count() != 1 || hits.id(0) != id || hits.distance(0) != 0) {
      fail(how + " finds " + hits + " and not id " + id + " at 0.0 after it returned");
    }
  }

  private void remove(int count) {
    int version = 0;
    for (int i = 0; i < count; i++) {
      picked[i] = ledger.drawLive(random);
      version = ledger.remove(picked[i]);
    }
    begin(count == 1 ? "remove" : "removeAll of " + count);
    int removed;
    if (count == 1) {
      removed = index.remove(picked[0]) ? 1 : 0;
    } else {
      // One twice and one that never was: neither counts.
      long[] batch = new long[count + 2];
      for (int i = 0; i < count; i++) {
        batch[i] = picked[i];
      }
      batch[count] = picked[0];
      batch[count + 1] = ledger.unusedId();
      removed = index.removeAll(batch);
    }
    ledger.end();
    ledger.noted(picked, count, false);
    if (removed != count) {
      fail("it removed " + removed + " of " + count + " live ids");
    }
    int id = picked[count - 1];
    stage.touch(id, version);
    if (index.get(id).isPresent() || index.contains(id)) {
      fail("get finds id " + id + " after it returned");
    }
    if (operations % LISTED_EVERY == 0) {
      rows.fill(id, version, expected);
      SearchRequest listed = SearchRequest.of(expected, 1).exact().filter(IdFilter.in(id));
      SearchResult hits = index.search(listed);
      if (hits.count() != 0) {
        fail("exact search finds " + hits + " after it returned");
      }
    }
  }

  private void compact() {
    begin("compact");
    index.compact();
    ledger.end();
    compactions++;
    deathsAtCompaction = ledger.deaths();
  }

  private void fail(String what) {
    failures.add(activity.what() + ": " + what);
  }

  /** Compares everything that the index holds with what it must hold. */
  void checkAll() {
    activity.begin("the comparison of all rows of " + name);
    long[] live = ledger.liveIds();
    if (index.size() != live.length || !Arrays.equals(index.ids(), live)) {
      failures.add("in the end " + name + " has other ids than it must have");
      return;
    }
    for (int from = 0; from < live.length; from += FILL_BATCH) {
      long[] some = Arrays.copyOfRange(live, from, Math.min(live.length, from + FILL_BATCH));
      List<Optional<float[]>> found = index.getAll(some);
      for (int i = 0; i < some.length; i++) {
        rows.fill(some[i], ledger.versionOf(some[i]), expected);
        if (!Arrays.equals(found.get(i).orElse(null), expected)) {
          failures.add("in the end " + name + " has another row under id " + some[i]);
        }
      }
    }
  }
}
