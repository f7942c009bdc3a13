package io.github.panvec.engine;

import io.github.panvec.Capabilities;
import io.github.panvec.CorruptIndexException;
import io.github.panvec.DuplicateIdException;
import io.github.panvec.Limits;
import io.github.panvec.NativeMemoryException;
import io.github.panvec.SearchPath;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndexException;
import io.github.panvec.WriteOptions;
import io.github.panvec.spi.HitSegments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * One build of an index: a {@link SlotIndex}, whose slots are whose, and which of them are live. An
 * index has one at a time; compaction builds the next beside it.
 *
 * <p>Writing methods are for the holder of the index's writer mutex, or for the one thread that
 * knows of the generation. Reading methods are for those who hold a {@link Version} of it.
 */
final class Generation {
  static final long MAX_SLOTS = Integer.MAX_VALUE - 64L;

  private static final long SLICE_NANOS = 1_000_000;

  /** Where somebody looks after every slice: a slice is worth the start of its threads. */
  private static final long WATCHED_SLICE_NANOS = 2_000_000;

  /** Beside searches nobody asks for the end of a slice; but helpers come and go. */
  private static final long BESIDE_SLICE_NANOS = 20_000_000;

  /** Rows cross into native memory in slices of this size. */
  private static final long STAGE_BYTES = 4L << 20;

  /**
   * An exact scan holds the graph lock for this much at a time: about a millisecond of memory
   * bandwidth.
   */
  private static final long SCAN_BYTES = 8L << 20;

  private static final long FIRST_CAPACITY = 64;

  /** For measuring what the choice between walk and scan rests on: walk wherever one can. */
  private static final boolean ALWAYS_WALK = Boolean.getBoolean("panvec.engine.alwaysWalk");

  /** An int32 that is not zero: what reads it ends its slice. */
  private static final MemorySegment ALWAYS =
      Arena.global().allocateFrom(ValueLayout.JAVA_INT, 1).asReadOnly();

  private final Object owner;
  private final long number;
  private final boolean approximate;
  private final long rowBytes;
  private final SlotIndex slots;
  private final Workers workers;
  private final Arena arena = Arena.ofShared();
  private final GraphLock graph = new GraphLock(arena);

  /** Shared by who copies lists as they are, exclusive for linking beside searches. */
  private final GraphLock lists = new GraphLock(arena);

  private final SlotIds ids = new SlotIds(arena);
  private final IdMap map = new IdMap(ids);

  /** Of what is not written to any more: the file that was saved. */
  private @Nullable SavedOrder savedOrder;

  private final Versions versions = new Versions(arena, ids, this);

  /** How many slots are linked, published or not. */
  private long nextSlot;

  /** Slots from here on have never had an id. */
  private int firstNameless;

  private volatile long capacity;

  /**
   * An empty one.
   *
   * @param owner stands for the index
   * @param number one more than that of the generation before
   * @param slots taken over
   * @param workers of the index
   */
  Generation(
      Object owner,
      long number,
      SlotIndex slots,
      Workers workers,
      Capabilities capabilities,
      int dimension) {
    this.owner = owner;
    this.number = number;
    this.slots = slots;
    this.workers = workers;
    this.approximate = capabilities.approximate();
    this.rowBytes = (long) dimension * Float.BYTES;
  }

  /** Stands for the index; all its generations have the same. */
  Object owner() {
    return owner;
  }

  long number() {
    return number;
  }

  SlotIndex slots() {
    return slots;
  }

  Versions versions() {
    return versions;
  }

  SlotIds ids() {
    return ids;
  }

  /** The slot of {@code id} that is live in {@code version}, or -1. */
  int find(long id, Version version) {
    SavedOrder saved = savedOrder;
    return saved == null ? map.find(id, version) : saved.find(id, version);
  }

  // ---- snapshots

  /**
   * Takes over what was saved. On an empty generation, which nobody knows of yet; after a failure
   * nothing but {@link #close} is left.
   *
   * @param asView whether to read from these files for as long as it lives, instead of copying
   *     them; it can then not be written to
   * @throws CorruptIndexException when the graph, or an id, is not what it should be
   */
  void open(SnapshotFiles.Saved saved, boolean asView) {
    long slotCount = saved.slotCount();
    try {
      slots.open(saved.graph(), saved.rows(), slotCount, saved.maxRowNorm(), asView);
    } catch (CorruptIndexException corrupt) {
      throw saved.corrupt(SlotIndex.SavedFile.GRAPH.fileName(), corrupt.getMessage());
    }
    capacity = slotCount;
    nextSlot = slotCount;
    firstNameless = (int) slotCount;
    if (asView) {
      ids.map(saved.ids());
      savedOrder =
          new SavedOrder(ids, saved.order(), what -> saved.corrupt(SnapshotFiles.ORDER, what));
    } else {
      ids.reserve(slotCount);
      for (long slot = 0; slot < slotCount; slot++) {
        ids.set(slot, saved.ids().getAtIndex(SnapshotFiles.LONG, slot));
      }
    }
    if (slotCount > 0) {
      versions.publish(slotCount, saved.dead());
    }
    if (!asView) {
      nameLive(saved);
    }
  }

  private void nameLive(SnapshotFiles.Saved saved) {
    Version version = versions.current();
    map.reserve(version.liveCount());
    for (int slot = 0; slot < version.slotCount(); slot++) {
      if (version.isLive(slot)) {
        long id = ids.get(slot);
        int same = map.find(id, version);
        if (same >= 0) {
          throw saved.corrupt(
              SnapshotFiles.IDS, "it has " + id + " for two live rows, " + same + " and " + slot);
        }
        map.put(id, slot, -1, false);
      }
    }
  }

  /**
   * Begins to write all that is to be saved, in the order of the files: of one moment, so that the
   * files fit together whatever is linked, learnt or dropped before the last of them is written.
   */
  Map<SlotIndex.SavedFile, SlotIndex.Saver> savers(long slotCount) {
    Map<SlotIndex.SavedFile, SlotIndex.Saver> savers = new EnumMap<>(SlotIndex.SavedFile.class);
    lists.lockShared();
    graph.lockShared();
    try {
      for (SlotIndex.SavedFile file : slots.savedFiles()) {
        savers.put(file, slots.saver(file, slotCount));
      }
      return savers;
    } catch (RuntimeException | Error failure) {
      savers.values().forEach(SlotIndex.Saver::close);
      throw failure;
    } finally {
      graph.unlockShared();
      lists.unlockShared();
    }
  }

  /** See {@link SlotIndex#exporter}. */
  GraphExport exporter(long slotCount, LongUnaryOperator idsBySlot) {
    graph.lockShared();
    try {
      return slots.exporter(slotCount, idsBySlot);
    } finally {
      graph.unlockShared();
    }
  }

  /** How far it has come in learning: what was copied of it at another stage does not fit. */
  record Learnt(boolean trained, boolean rowsDropped) {}

  /** At this moment; it changes twice at most. */
  Learnt learnt() {
    graph.lockShared();
    try {
      return new Learnt(slots.trainsAt() == Long.MAX_VALUE, slots.rowsDropped());
    } finally {
      graph.unlockShared();
    }
  }

  /** Whether all that is linked is in the structure, and nothing more is to be learnt. */
  boolean isLearnt() {
    graph.lockShared();
    try {
      return slots.trainsAt() == Long.MAX_VALUE && slots.backlog() == 0;
    } finally {
      graph.unlockShared();
    }
  }

  /** See {@link SlotIndex.Saver#next}. */
  long next(SlotIndex.Saver saver, MemorySegment room) {
    lists.lockShared();
    graph.lockShared();
    try {
      return saver.next(room);
    } finally {
      graph.unlockShared();
      lists.unlockShared();
    }
  }

  /** See {@link SlotIndex#maxRowNorm()}. */
  double maxRowNorm() {
    graph.lockShared();
    try {
      return slots.maxRowNorm();
    } finally {
      graph.unlockShared();
    }
  }

  // ---- writing

  /**
   * Adds rows, or adds and replaces them, all or none.
   *
   * @param vectors the rows, on or off the heap
   */
  void write(long[] batch, MemorySegment vectors, boolean replace, WriteOptions options) {
    Version before = versions.current();
    checkBatch(batch, before, replace);
    int[] replaced = replace ? liveSlots(batch, before) : new int[0];
    publish(
        batch,
        replaced,
        () -> stage(vectors, batch.length, options.limits()),
        workers.threads(),
        options);
  }

  /**
   * Adds live rows of another generation, whose ids are not live here.
   *
   * @param from int32 slots of {@code source}, {@code count} of them
   */
  void copy(Generation source, MemorySegment from, int count, int threads, Limits limits) {
    long[] batch = new long[count];
    for (int i = 0; i < count; i++) {
      batch[i] = source.ids.get(from.getAtIndex(ValueLayout.JAVA_INT, i));
    }
    publish(
        batch,
        new int[0],
        () -> stageFrom(source, from, count, limits),
        threads,
        WriteOptions.within(limits));
  }

  private void publish(
      long[] batch, int[] replaced, Runnable stage, int threads, WriteOptions options) {
    Version before = versions.current();
    if (batch.length == 0) {
      options.report(0, 0);
      return;
    }
    ensureCapacity(nextSlot + batch.length);
    stage.run();
    trainIfDue(before, replaced, batch.length, threads, options.limits());
    encode(nextSlot + batch.length, threads, options.limits());
    int first = (int) nextSlot;
    link(batch.length, threads, options);
    name(batch, first, replaced.length == 0 ? null : before);
    versions.publish(nextSlot, deadFromNowOn(before, first, replaced, batch[0]));
  }

  /**
   * Gives linked slots their ids, ahead of the version that publishes them.
   *
   * @param before the current version when ids of the batch are live in it, else null
   */
  private void name(long[] batch, int first, @Nullable Version before) {
    boolean olderInUse = versions.olderInUse();
    for (int i = 0; i < batch.length; i++) {
      int replaced = before == null ? -1 : map.find(batch[i], before);
      ids.set(first + i, batch[i]);
      firstNameless = first + i + 1;
      map.put(batch[i], first + i, replaced, olderInUse);
    }
  }

  /**
   * What dies as slots from {@code first} on are published: rows that are replaced, and the slots
   * of batches that failed after they were linked, which no version has shown yet.
   *
   * @param id for slots that never had one
   */
  private int[] deadFromNowOn(Version before, int first, int[] replaced, long id) {
    int failed = first - (int) before.slotCount();
    int[] dead = Arrays.copyOf(replaced, replaced.length + failed);
    for (int i = 0; i < failed; i++) {
      int slot = (int) before.slotCount() + i;
      if (slot >= firstNameless) {
        ids.set(slot, id);
      }
      dead[replaced.length + i] = slot;
    }
    return dead;
  }

  private void checkBatch(long[] batch, Version version, boolean replace) {
    for (int row = 0; row < batch.length && !replace; row++) {
      if (map.find(batch[row], version) >= 0) {
        throw new DuplicateIdException(batch[row], row);
      }
    }
    int twice = DistinctIds.firstRepeated(batch);
    if (twice >= 0) {
      throw new DuplicateIdException(batch[twice], twice);
    }
  }

  /** Slots live under these ids, ascending, each once. */
  private int[] liveSlots(long[] some, Version version) {
    int[] live = new int[some.length];
    int count = 0;
    for (long id : some) {
      int slot = map.find(id, version);
      if (slot >= 0) {
        live[count++] = slot;
      }
    }
    return Arrays.stream(live, 0, count).sorted().distinct().toArray();
  }

  /** Removes what is live of these ids; how many were. */
  int remove(long[] some) {
    Version before = versions.current();
    int[] dead = liveSlots(some, before);
    if (dead.length > 0) {
      versions.publish(before.slotCount(), dead);
    }
    return dead.length;
  }

  /** How many slots are used, those of failed batches among them. */
  long slotCount() {
    return nextSlot;
  }

  /** How many of them a compaction would drop. */
  long deadCount() {
    return nextSlot - versions.current().liveCount();
  }

  /** Room for so many slots in all. */
  void ensureCapacity(long needed) {
    if (needed > MAX_SLOTS) {
      throw new VectorIndexException(
          "an index holds at most "
              + MAX_SLOTS
              + " rows, counting those that were removed or replaced since it was compacted; this"
              + " needs "
              + needed);
    }
    ids.reserve(needed);
    map.reserve(needed - nextSlot);
    if (needed <= capacity) {
      return;
    }
    long generous = Math.max(Math.max(needed, FIRST_CAPACITY), capacity + capacity / 2);
    try {
      grow(Math.min(MAX_SLOTS, generous));
    } catch (NativeMemoryException tooGenerous) {
      grow(needed);
    }
  }

  private void grow(long slotCount) {
    slots.prepare(slotCount);
    graph.lockExclusive();
    try {
      slots.reserve(slotCount);
    } finally {
      graph.unlockExclusive();
    }
    capacity = slotCount;
  }

  /** Checks and stores the rows where nobody can reach them yet. */
  private void stage(MemorySegment vectors, long count, Limits limits) {
    long slice = Math.min(count, Math.max(1, STAGE_BYTES / rowBytes));
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment copy =
          isReadable(vectors)
              ? MemorySegment.NULL
              : scratch.allocate(slice * rowBytes, Float.BYTES);
      for (long row = 0; row < count; row += slice) {
        limits.check("the build");
        long rows = Math.min(slice, count - row);
        MemorySegment part = vectors.asSlice(row * rowBytes, rows * rowBytes);
        if (!isReadable(vectors)) {
          part = copy.asSlice(0, rows * rowBytes).copyFrom(part);
        }
        slots.stage(nextSlot + row, part, rows, row);
      }
    }
  }

  private void stageFrom(Generation source, MemorySegment from, long count, Limits limits) {
    long slice = Math.max(1, STAGE_BYTES / rowBytes);
    for (long row = 0; row < count; row += slice) {
      limits.check("the build");
      long rows = Math.min(slice, count - row);
      MemorySegment part = from.asSlice(row * Integer.BYTES, rows * Integer.BYTES);
      source.graph.lockShared();
      try {
        slots.stageFrom(nextSlot + row, source.slots, part, rows);
      } finally {
        source.graph.unlockShared();
      }
    }
  }

  /** Takes over what {@code source} has learnt; before the first row. */
  void trainLike(Generation source) {
    source.graph.lockShared();
    try {
      slots.trainLike(source.slots);
    } finally {
      source.graph.unlockShared();
    }
  }

  /** See {@link io.github.panvec.VectorIndex#train(MemorySegment, WriteOptions)}. */
  boolean train(MemorySegment sample, long count, WriteOptions options) {
    int threads = workers.threads();
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment rows = sample;
      if (!isReadable(rows)) {
        rows = scratch.allocate(sample.byteSize(), Float.BYTES).copyFrom(sample);
      }
      boolean trained = learn(rows, count, threads, options.limits());
      // Also when it was trained before: what failed to be linked then is caught up with now.
      encode(nextSlot, threads, options.limits());
      link(0, threads, WriteOptions.within(options.limits()));
      options.report(count, count);
      return trained;
    }
  }

  private boolean learn(MemorySegment sample, long count, int threads, Limits limits) {
    int helpers = workers.take(threads - 1);
    try {
      return slots.train(sample, count, nextSlot, 1 + helpers, limits);
    } finally {
      workers.giveBack(helpers);
    }
  }

  /** Trains on what will be live when the staged batch is published. */
  private void trainIfDue(Version before, int[] replaced, int staged, int threads, Limits limits) {
    long live = before.liveCount() + staged - replaced.length;
    if (live < slots.trainsAt()) {
      return;
    }
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment list = scratch.allocate(ValueLayout.JAVA_INT, live);
      long count = 0;
      for (long slot = 0; slot < before.slotCount(); slot++) {
        if (before.isLive(slot) && Arrays.binarySearch(replaced, (int) slot) < 0) {
          list.setAtIndex(ValueLayout.JAVA_INT, count++, (int) slot);
        }
      }
      for (long slot = nextSlot; slot < nextSlot + staged; slot++) {
        list.setAtIndex(ValueLayout.JAVA_INT, count++, (int) slot);
      }
      int helpers = workers.take(threads - 1);
      try {
        slots.trainOnSlots(list, count, 1 + helpers, limits);
      } finally {
        workers.giveBack(helpers);
      }
    }
  }

  /** Links the staged rows. Slots that were linked count as used even when the batch fails. */
  private void link(long count, int threads, WriteOptions options) {
    Limits limits = options.limits();
    boolean watched = options.listener() != null || !limits.isNone();
    boolean beside = slots.linksBesideSearches();
    MemorySegment yield = watched || beside ? ALWAYS : graph.readersWaiting();
    long sliceNanos = watched ? WATCHED_SLICE_NANOS : beside ? BESIDE_SLICE_NANOS : SLICE_NANOS;
    long first = nextSlot;
    long end = nextSlot + count;
    while (nextSlot < end || slots.backlog() > 0) {
      limits.check("the build");
      SlotIndex.Linked linked = linkSlice(end, threads, yield, sliceNanos);
      nextSlot += linked.slots();
      if (linked.failure() != null) {
        throw linked.failure();
      }
      options.report(nextSlot - first, count);
    }
  }

  private SlotIndex.Linked linkSlice(long end, int threads, MemorySegment yield, long nanos) {
    GraphLock lock = linking();
    int helpers = workers.take(threads - 1);
    lock.lockExclusive();
    try {
      return slots.link(nextSlot, end - nextSlot, 1 + helpers, yield, nanos);
    } finally {
      lock.unlockExclusive();
      workers.giveBack(helpers);
    }
  }

  /** What linking holds alone. */
  private GraphLock linking() {
    return slots.linksBesideSearches() ? lists : graph;
  }

  private void encode(long end, int threads, Limits limits) {
    int helpers = workers.take(threads - 1);
    try {
      slots.encode(end, 1 + helpers, limits);
    } finally {
      workers.giveBack(helpers);
    }
  }

  // ---- reading

  /** Copies the row of a live slot. */
  void row(int slot, MemorySegment row) {
    graph.lockShared();
    try {
      slots.row(slot, row);
    } finally {
      graph.unlockShared();
    }
  }

  /** Whether the float32 rows are gone and codes alone remain. */
  boolean rowsDropped() {
    graph.lockShared();
    try {
      return slots.rowsDropped();
    } finally {
      graph.unlockShared();
    }
  }

  /**
   * Searches in the way that costs least.
   *
   * @param query readable by native code
   * @param k no more than can be found, and at least 1
   * @return {@link Outcome} of the search
   */
  long search(
      SearchRequest request,
      Version version,
      @Nullable SlotFilter matches,
      MemorySegment query,
      int k,
      HitSegments hits) {
    long candidates = matches == null ? version.liveCount() : matches.count();
    if (request.isExact() || !approximate || isScanCheaper(request, version, candidates, k)) {
      return Outcome.of(scan(request, version, matches, query, k, hits), SearchPath.SCAN);
    }
    MemorySegment filter = matches == null ? MemorySegment.NULL : matches.bitmap();
    int found;
    graph.lockShared();
    try {
      found = slots.search(version, filter, query, k, request, hits);
    } finally {
      graph.unlockShared();
    }
    if (found >= Math.min(k, candidates)) {
      return Outcome.of(found, SearchPath.WALK);
    }
    return Outcome.of(scan(request, version, matches, query, k, hits), SearchPath.WALK_THEN_SCAN);
  }

  private boolean isScanCheaper(SearchRequest request, Version version, long candidates, int k) {
    return !ALWAYS_WALK
        && candidates <= slots.searchCost(candidates, version.slotCount(), k, request);
  }

  /** Scans what {@code matches} leaves, in slices, and lets go of the graph between them. */
  int scan(
      SearchRequest request,
      Version version,
      @Nullable SlotFilter matches,
      MemorySegment query,
      int k,
      HitSegments hits) {
    // Plain code on purpose: a lambda for what is scanned would be garbage of every search.
    boolean listed = matches != null && matches.isList();
    MemorySegment filter = matches == null || listed ? MemorySegment.NULL : matches.bitmap();
    long end = listed ? matches.count() : version.slotCount();
    long slice = Math.max(64, SCAN_BYTES / rowBytes / 64 * 64);
    int count = 0;
    long from = 0;
    boolean dropped = false;
    do {
      request.limits().check("the search");
      long to = Math.min(end, from + slice);
      graph.lockShared();
      try {
        if (from > 0 && slots.rowsDropped() != dropped) {
          // Distances to codes cannot be compared with those to rows.
          from = 0;
          to = Math.min(end, slice);
          count = 0;
        }
        dropped = slots.rowsDropped();
        boolean last = to == end;
        count =
            listed
                ? slots.exactSlots(
                    version, matches.list(from, to), to - from, query, k, count, last, hits)
                : slots.exact(version, from, to, filter, query, k, count, last, hits);
      } finally {
        graph.unlockShared();
      }
      from = to;
    } while (from < end);
    return count;
  }

  /** Whether native code can read these floats where they are. */
  static boolean isReadable(MemorySegment floats) {
    return floats.isNative() && floats.address() % Float.BYTES == 0;
  }

  // ---- life

  /** Native bytes, and numbers for people into {@code details}. */
  long describe(Map<String, Object> details) {
    details.put("capacity", capacity);
    details.put("idMapHeapBytes", map.bytes());
    long bytes = ids.bytes() + versions.nativeBytes();
    graph.lockShared();
    try {
      details.putAll(slots.details());
      return bytes + slots.memoryBytes();
    } finally {
      graph.unlockShared();
    }
  }

  /** Waits for those who hold a version, then frees everything. Once, by a writer. */
  void close() {
    versions.close();
    slots.close();
    arena.close();
  }

  /** How many hits a search has and how it came to them, in one number: no garbage. */
  static final class Outcome {
    private static final SearchPath[] PATHS = SearchPath.values();

    private Outcome() {}

    static long of(int count, SearchPath path) {
      return (long) path.ordinal() << 32 | count;
    }

    static int count(long outcome) {
      return (int) outcome;
    }

    static SearchPath path(long outcome) {
      return PATHS[(int) (outcome >>> 32)];
    }
  }
}
