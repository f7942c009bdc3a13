package io.github.panvec.engine;

import io.github.panvec.Capabilities;
import io.github.panvec.DuplicateIdException;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.IndexStats;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.NativeMemoryException;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import io.github.panvec.VectorIndexException;
import io.github.panvec.spi.HitSegments;
import io.github.panvec.spi.Vectors;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A {@link VectorIndex} over a {@link SlotIndex}: ids, versions, locks, batches, filters and close,
 * once for all engines that know rows by slot.
 *
 * <p><b>Locks, from the outside in.</b> The writer mutex orders writers and close. A search holds a
 * {@link Version} from start to end, and the {@link GraphLock} shared while it is in native code;
 * exact scans let go of it between slices. Writers hold it exclusively while they link, in slices
 * of a millisecond when somebody waits.
 */
public final class ManagedIndex implements VectorIndex {
  private static final long SLICE_NANOS = 1_000_000;

  /** Rows cross into native memory in slices of this size. */
  private static final long STAGE_BYTES = 4L << 20;

  /**
   * An exact scan holds the graph lock for this much at a time: about a millisecond of memory
   * bandwidth.
   */
  private static final long SCAN_BYTES = 8L << 20;

  /**
   * A filter that leaves at most this share of the slots is answered by an exact scan of what it
   * leaves.
   */
  private static final double SCAN_SHARE = 0.1;

  /** A walk for more than one in this many live rows is dearer than a scan of all. */
  private static final long SCAN_ROWS_PER_HIT = 8;

  private static final long FIRST_CAPACITY = 64;
  private static final long MAX_SLOTS = Integer.MAX_VALUE - 64L;
  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

  /** Never started: tells segments that are confined to the caller's thread. */
  private static final Thread ANOTHER_THREAD = Thread.ofPlatform().unstarted(() -> {});

  private final IndexSpec spec;
  private final Capabilities capabilities;
  private final SlotIndex slots;
  private final int threads;
  private final long rowBytes;

  private final Arena arena = Arena.ofShared();
  private final GraphLock graph = new GraphLock(arena);
  private final SlotIds ids = new SlotIds(arena);
  private final IdMap map = new IdMap(ids);
  private final Versions versions = new Versions(arena, ids);

  private final ReentrantLock writer = new ReentrantLock(true);

  /** Set before close waits for the writer mutex: writers behind it in the queue are refused. */
  private volatile boolean closing;

  // Under the writer mutex:
  /** How many slots are linked, published or not. */
  private long nextSlot;

  private volatile long capacity;

  private final LongAdder completedWalks = new LongAdder();

  /**
   * Takes {@code slots} over: it is closed with this index.
   *
   * @param threads the most threads that writing a batch, or searching for one, may use
   */
  public ManagedIndex(IndexSpec spec, Capabilities capabilities, SlotIndex slots, int threads) {
    this.spec = spec;
    this.capabilities = capabilities;
    this.slots = slots;
    this.threads = threads;
    this.rowBytes = (long) spec.dimension() * Float.BYTES;
  }

  @Override
  public IndexSpec spec() {
    return spec;
  }

  @Override
  public Capabilities capabilities() {
    return capabilities;
  }

  @Override
  public long size() {
    Version version = versions.retain();
    try {
      return version.liveCount();
    } finally {
      versions.release(version);
    }
  }

  @Override
  public boolean contains(long id) {
    Version version = versions.retain();
    try {
      return map.find(id, version) >= 0;
    } finally {
      versions.release(version);
    }
  }

  @Override
  public Optional<float[]> get(long id) {
    requireVectors("get");
    Version version = versions.retain();
    try (Arena scratch = Arena.ofConfined()) {
      int slot = map.find(id, version);
      if (slot < 0) {
        return Optional.empty();
      }
      MemorySegment row = scratch.allocate(rowBytes, Float.BYTES);
      graph.lockShared();
      try {
        slots.row(slot, row);
      } finally {
        graph.unlockShared();
      }
      return Optional.of(row.toArray(ValueLayout.JAVA_FLOAT));
    } finally {
      versions.release(version);
    }
  }

  // ---- writing

  @Override
  public void add(long id, float[] vector) {
    Vectors.checkDimension("vector", vector.length, spec.dimension());
    insert(new long[] {id}, MemorySegment.ofArray(vector), false);
  }

  @Override
  public void addAll(long[] ids, float[] vectors) {
    addAll(MemorySegment.ofArray(ids), MemorySegment.ofArray(vectors));
  }

  @Override
  public void addAll(MemorySegment ids, MemorySegment vectors) {
    long rows = Vectors.checkBatch(ids, vectors, spec.dimension());
    if (rows > MAX_SLOTS) {
      throw new IllegalArgumentException(
          "a batch holds at most " + MAX_SLOTS + " rows, not " + rows);
    }
    insert(ids.toArray(LONG), vectors, false);
  }

  @Override
  public void upsert(long id, float[] vector) {
    Vectors.checkDimension("vector", vector.length, spec.dimension());
    insert(new long[] {id}, MemorySegment.ofArray(vector), true);
  }

  @Override
  public boolean train(MemorySegment sample) {
    long count = Vectors.countRows("sample", sample, spec.dimension());
    lockWriter();
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment rows = sample;
      if (!isReadable(rows)) {
        rows = scratch.allocate(sample.byteSize(), Float.BYTES).copyFrom(sample);
      }
      boolean trained = slots.train(rows, count, nextSlot, threads);
      // Also when it was trained before: what failed to be linked then is caught up with now.
      slots.encode(nextSlot, threads);
      link(0);
      return trained;
    } finally {
      writer.unlock();
    }
  }

  /** Trains on what will be live when the staged batch is published. */
  private void trainIfDue(Version before, int replaced, int staged) {
    long live = before.liveCount() + staged - (replaced < 0 ? 0 : 1);
    if (live < slots.trainsAt()) {
      return;
    }
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment list = scratch.allocate(ValueLayout.JAVA_INT, live);
      long count = 0;
      for (long slot = 0; slot < before.slotCount(); slot++) {
        if (before.isLive(slot) && slot != replaced) {
          list.setAtIndex(ValueLayout.JAVA_INT, count++, (int) slot);
        }
      }
      for (long slot = nextSlot; slot < nextSlot + staged; slot++) {
        list.setAtIndex(ValueLayout.JAVA_INT, count++, (int) slot);
      }
      slots.trainOnSlots(list, count, threads);
    }
  }

  @Override
  public boolean remove(long id) {
    lockWriter();
    try {
      int slot = map.find(id, versions.current());
      if (slot < 0) {
        return false;
      }
      versions.publish(versions.current().slotCount(), slot);
      return true;
    } finally {
      writer.unlock();
    }
  }

  private void lockWriter() {
    writer.lock();
    if (closing) {
      writer.unlock();
      throw new IllegalStateException("the index is closed");
    }
  }

  /** Adds a batch, or replaces a single row. */
  private void insert(long[] batch, MemorySegment vectors, boolean replace) {
    lockWriter();
    try {
      Version before = versions.current();
      int replaced = replace ? map.find(batch[0], before) : -1;
      if (!replace) {
        checkNew(batch, before);
      }
      if (batch.length == 0) {
        return;
      }
      ensureCapacity(nextSlot + batch.length);
      stage(vectors, batch.length);
      trainIfDue(before, replaced, batch.length);
      slots.encode(nextSlot + batch.length, threads);
      int first = (int) nextSlot;
      link(batch.length);
      name(batch, first, replaced);
      versions.publish(nextSlot, deadFromNowOn(before, first, replaced));
    } finally {
      writer.unlock();
    }
  }

  /**
   * Gives linked slots their ids, ahead of the version that publishes them.
   *
   * @param replaced the slot that is live under the only id of the batch, or -1
   */
  private void name(long[] batch, int first, int replaced) {
    boolean olderInUse = versions.olderInUse();
    for (int i = 0; i < batch.length; i++) {
      ids.set(first + i, batch[i]);
      map.put(batch[i], first + i, replaced, olderInUse);
    }
  }

  /**
   * What dies as slots from {@code first} on are published: the row that is replaced, and the slots
   * of batches that failed after they were linked, which no version has shown yet.
   */
  private static int[] deadFromNowOn(Version before, int first, int replaced) {
    int failed = first - (int) before.slotCount();
    int[] dead = new int[failed + (replaced < 0 ? 0 : 1)];
    for (int i = 0; i < failed; i++) {
      dead[i] = (int) before.slotCount() + i;
    }
    if (replaced >= 0) {
      dead[failed] = replaced;
    }
    return dead;
  }

  private void checkNew(long[] batch, Version version) {
    for (int row = 0; row < batch.length; row++) {
      if (map.find(batch[row], version) >= 0) {
        throw new DuplicateIdException(batch[row], row);
      }
    }
    int twice = DistinctIds.firstRepeated(batch);
    if (twice >= 0) {
      throw new DuplicateIdException(batch[twice], twice);
    }
  }

  private void ensureCapacity(long needed) {
    if (needed > MAX_SLOTS) {
      throw new VectorIndexException(
          "an index holds at most "
              + MAX_SLOTS
              + " rows, counting those that were removed or replaced; this needs "
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
  private void stage(MemorySegment vectors, long count) {
    if (isReadable(vectors)) {
      slots.stage(nextSlot, vectors, count, 0);
      return;
    }
    long slice = Math.min(count, Math.max(1, STAGE_BYTES / rowBytes));
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment copy = scratch.allocate(slice * rowBytes, Float.BYTES);
      for (long row = 0; row < count; row += slice) {
        long rows = Math.min(slice, count - row);
        MemorySegment.copy(vectors, row * rowBytes, copy, 0, rows * rowBytes);
        slots.stage(nextSlot + row, copy, rows, row);
      }
    }
  }

  /** Links the staged rows. Slots that were linked count as used even when the batch fails. */
  private void link(long count) {
    long end = nextSlot + count;
    while (nextSlot < end || slots.backlog() > 0) {
      SlotIndex.Linked linked;
      graph.lockExclusive();
      try {
        linked = slots.link(nextSlot, end - nextSlot, threads, graph.readersWaiting(), SLICE_NANOS);
      } finally {
        graph.unlockExclusive();
      }
      nextSlot += linked.slots();
      if (linked.failure() != null) {
        throw linked.failure();
      }
    }
  }

  // ---- searching

  @Override
  public SearchResult search(SearchRequest request) {
    Version version = versions.retain();
    try (Arena scratch = Arena.ofConfined()) {
      checkRequest(request, 1);
      SlotFilter matches = resolve(request.idFilter(), version, scratch);
      return search(request, version, matches, request.query(), scratch);
    } finally {
      versions.release(version);
    }
  }

  @Override
  public void search(SearchRequest request, SearchBuffer buffer) {
    Version version = versions.retain();
    try {
      checkRequest(request, 1);
      int k = clampK(request, version);
      Vectors.checkBuffer(buffer, spec, Math.min(k, version.liveCount()));
      buffer.setCount(0);
      MemorySegment query = request.query();
      if (!isReadable(query)) {
        query = buffer.query().copyFrom(query);
      }
      buffer.setCount(run(request, version, query, k, buffer.hits()));
    } finally {
      versions.release(version);
    }
  }

  @Override
  public List<SearchResult> searchAll(SearchRequest request) {
    int count = Vectors.countQueries(request.query(), spec);
    Version version = versions.retain();
    MemorySegment queries = request.query();
    boolean alone = threads == 1 || count == 1;
    boolean copied = !alone && !queries.isAccessibleBy(ANOTHER_THREAD);
    try (Arena batch = batchArena(alone, request.idFilter() != null || copied)) {
      checkRequest(request, count);
      SlotFilter matches = resolve(request.idFilter(), version, batch);
      MemorySegment shared =
          copied ? batch.allocate(queries.byteSize(), Float.BYTES).copyFrom(queries) : queries;
      SearchResult[] results = new SearchResult[count];
      Workers.run(
          count,
          threads,
          i -> {
            try (Arena scratch = Arena.ofConfined()) {
              MemorySegment query = shared.asSlice(i * rowBytes, rowBytes);
              results[i] = search(request, version, matches, query, scratch);
            } catch (InvalidVectorException invalid) {
              throw new InvalidVectorException(
                  "query " + i + " of the batch: " + invalid.getMessage());
            }
          });
      return List.of(results);
    } finally {
      versions.release(version);
    }
  }

  /**
   * For what all threads of a batch read. Closing a shared one costs as much as a search or two.
   */
  private static Arena batchArena(boolean alone, boolean used) {
    return alone || !used ? Arena.ofConfined() : Arena.ofShared();
  }

  private void checkRequest(SearchRequest request, int queries) {
    Vectors.checkRequest(request, queries, spec, capabilities.maxK());
    if (request.isExact()) {
      requireVectors("exact search");
    }
    slots.check(request);
  }

  private void requireVectors(String what) {
    if (capabilities.codesOnly()) {
      throw new UnsupportedOperationException(
          what + " needs the float32 vectors, and this index keeps only codes of them: " + spec);
    }
  }

  /** Whether native code can read these floats where they are. */
  private static boolean isReadable(MemorySegment floats) {
    return floats.isNative() && floats.address() % Float.BYTES == 0;
  }

  /**
   * The k that native code gets: no more than can be found, and at least 1, so that it checks the
   * query of an empty index too.
   */
  private static int clampK(SearchRequest request, Version version) {
    return (int) Math.max(1, Math.min(request.k(), version.liveCount()));
  }

  private @Nullable SlotFilter resolve(@Nullable IdFilter filter, Version version, Arena arena) {
    return filter == null ? null : SlotFilter.resolve(filter, version, map, ids, arena);
  }

  private SearchResult search(
      SearchRequest request,
      Version version,
      @Nullable SlotFilter matches,
      MemorySegment query,
      Arena scratch) {
    int k = clampK(request, version);
    if (!isReadable(query)) {
      query = scratch.allocate(rowBytes, Float.BYTES).copyFrom(query);
    }
    HitSegments hits = HitSegments.allocate(scratch, k);
    return hits.toResult(run(request, version, matches, query, k, hits));
  }

  private int run(
      SearchRequest request, Version version, MemorySegment query, int k, HitSegments hits) {
    if (request.idFilter() == null) {
      return run(request, version, null, query, k, hits);
    }
    try (Arena scratch = Arena.ofConfined()) {
      SlotFilter matches = resolve(request.idFilter(), version, scratch);
      return run(request, version, matches, query, k, hits);
    }
  }

  private int run(
      SearchRequest request,
      Version version,
      @Nullable SlotFilter matches,
      MemorySegment query,
      int k,
      HitSegments hits) {
    long candidates = matches == null ? version.liveCount() : matches.count();
    boolean scan =
        request.isExact()
            || !capabilities.approximate()
            || k * SCAN_ROWS_PER_HIT >= candidates
            || (matches != null && candidates <= SCAN_SHARE * version.slotCount());
    return scan
        ? scan(version, matches, query, k, hits)
        : walk(version, matches, candidates, request, query, k, hits);
  }

  /**
   * Walks the graph; a walk that comes back with fewer than it could have is followed by an exact
   * scan.
   *
   * @param candidates how many live slots {@code matches} leaves
   */
  private int walk(
      Version version,
      @Nullable SlotFilter matches,
      long candidates,
      SearchRequest request,
      MemorySegment query,
      int k,
      HitSegments hits) {
    MemorySegment filter = bitmapOf(matches);
    int found;
    graph.lockShared();
    try {
      found = slots.search(version, filter, query, k, request, hits);
    } finally {
      graph.unlockShared();
    }
    if (found >= Math.min(k, candidates)) {
      return found;
    }
    completedWalks.increment();
    return scan(version, matches, query, k, hits);
  }

  private static MemorySegment bitmapOf(@Nullable SlotFilter matches) {
    return matches == null ? MemorySegment.NULL : matches.bitmap();
  }

  /** Scans what {@code matches} leaves, in slices, and lets go of the graph between them. */
  private int scan(
      Version version, @Nullable SlotFilter matches, MemorySegment query, int k, HitSegments hits) {
    // Plain code on purpose: a lambda for what is scanned would be garbage of every search.
    boolean listed = matches != null && matches.isList();
    MemorySegment filter = listed ? MemorySegment.NULL : bitmapOf(matches);
    long end = listed ? matches.count() : version.slotCount();
    long slice = Math.max(64, SCAN_BYTES / rowBytes / 64 * 64);
    int count = 0;
    long from = 0;
    boolean dropped = false;
    do {
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

  // ---- life

  @Override
  public IndexStats stats() {
    Version version = versions.retain();
    try {
      Map<String, Object> details = new TreeMap<>();
      details.put("slots", version.slotCount());
      details.put("capacity", capacity);
      details.put("idMapHeapBytes", map.bytes());
      details.put("completedWalks", completedWalks.sum());
      long bytes = ids.bytes() + versions.nativeBytes();
      graph.lockShared();
      try {
        details.putAll(slots.details());
        bytes += slots.memoryBytes();
      } finally {
        graph.unlockShared();
      }
      return new IndexStats(
          version.liveCount(), version.slotCount() - version.liveCount(), bytes, 0, details);
    } finally {
      versions.release(version);
    }
  }

  @Override
  public void close() {
    closing = true;
    writer.lock();
    try {
      if (versions.isClosed()) {
        return;
      }
      versions.close();
      slots.close();
      arena.close();
    } finally {
      writer.unlock();
    }
  }

  @Override
  public String toString() {
    return spec + (versions.isClosed() ? " (closed)" : "");
  }
}
