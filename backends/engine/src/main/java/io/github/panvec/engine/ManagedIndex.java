package io.github.panvec.engine;

import io.github.panvec.Cancellation;
import io.github.panvec.CancelledException;
import io.github.panvec.Capabilities;
import io.github.panvec.DeadlineExceededException;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.IndexStats;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Limits;
import io.github.panvec.Parameter;
import io.github.panvec.ProgressListener;
import io.github.panvec.RangeResult;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchPath;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import io.github.panvec.snapshot.ExportedFile;
import io.github.panvec.snapshot.SnapshotReader;
import io.github.panvec.snapshot.SnapshotWriter;
import io.github.panvec.spi.BackgroundWork;
import io.github.panvec.spi.HitSegments;
import io.github.panvec.spi.SavableIndex;
import io.github.panvec.spi.Vectors;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.CopyOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * A {@link VectorIndex} over a {@link SlotIndex}: ids, versions, locks, batches, filters,
 * compaction and close, once for all engines that know rows by slot.
 *
 * <p><b>Locks, from the outside in.</b> One compaction at a time. The writer mutex orders writers,
 * close, and the moment in which a compaction puts its {@link Generation} in the place of the old
 * one. A search holds a {@link Version} from start to end, and the {@link GraphLock} of its
 * generation shared while it is in native code; exact scans let go of it between slices. Writers
 * hold it exclusively to grow, and while they link where searches cannot go on beside it, in slices
 * of a millisecond when somebody waits.
 */
public final class ManagedIndex implements SavableIndex {
  /**
   * Which share of dead slots starts a compaction by itself, in percent; for {@link
   * io.github.panvec.spi.VectorBackend#parameters()}.
   */
  public static final Parameter COMPACT_AT =
      Parameter.integer(
          "compactAt",
          30,
          0,
          100,
          "percent of removed or replaced rows at which it compacts by itself; 0: never");

  /** Fewer dead slots are not worth a compaction. */
  private static final long LEAST_DEAD = 1000;

  /** How many rows a compaction copies at a time. */
  private static final long COPY_ROWS = 4096;

  /** How many rows it copies while writers wait. */
  private static final long LAST_ROWS = 64;

  /** A range search asks for so many of the nearest first, and then for more. */
  private static final int FIRST_RANGE = 1024;

  private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;
  private static final System.Logger LOG = System.getLogger("io.github.panvec");

  /** Never started: tells segments that are confined to the caller's thread. */
  private static final Thread ANOTHER_THREAD = Thread.ofPlatform().unstarted(() -> {});

  private final IndexSpec spec;
  private final Capabilities capabilities;
  private final Engine engine;
  private final Workers workers;
  private final long compactAt;

  /** What a view reads from, else null. */
  private final @Nullable Viewed viewed;

  private final long rowBytes;
  private final Object owner = new Object();
  private final Guests guests = new Guests();
  private final Turns writer = new Turns(1);
  private final Turns compacting = new Turns(1);

  /** Changes under the writer mutex. */
  private volatile Generation generation;

  /** Set before close waits for the writer mutex: writers behind it in the queue are refused. */
  private volatile boolean closing;

  private volatile boolean closed;

  // Under the writer mutex:
  private @Nullable Background background;

  /** No compaction by itself with fewer dead slots: the last one failed with as many. */
  private long failedAt;

  private final LongAdder walks = new LongAdder();
  private final LongAdder scans = new LongAdder();
  private final LongAdder completedWalks = new LongAdder();
  private volatile long compactions;

  /** A compaction that goes on by itself. */
  private record Background(Thread thread, Cancellation cancellation) {}

  /** An empty index. */
  public ManagedIndex(Engine engine) {
    this(engine, null);
    generation = empty(0);
  }

  /**
   * A snapshot in use.
   *
   * @param copies of files that cannot be used where they are
   */
  private record Viewed(SnapshotReader reader, Arena copies) {
    void close() {
      copies.close();
      reader.close();
    }
  }

  private ManagedIndex(Engine engine, @Nullable Viewed viewed) {
    this.engine = engine;
    this.viewed = viewed;
    spec = engine.spec();
    capabilities = engine.capabilities();
    workers = new Workers(engine.threads());
    compactAt = engine.compactAt();
    rowBytes = (long) spec.dimension() * Float.BYTES;
  }

  /**
   * An index with what was saved, independent of the snapshot from then on.
   *
   * @param reader stays the caller's to close
   * @throws io.github.panvec.CorruptIndexException when the files are not what they should be
   */
  public static ManagedIndex open(Engine engine, SnapshotReader reader) {
    ManagedIndex index = new ManagedIndex(engine, (Viewed) null);
    try (Arena scratch = Arena.ofConfined()) {
      index.generation = index.opened(reader, scratch, false);
    }
    return index;
  }

  /**
   * A read-only index that reads from the files of a snapshot.
   *
   * @param reader closed with the index; when this throws it stays the caller's
   * @throws io.github.panvec.CorruptIndexException when the files are not what they should be
   */
  public static ManagedIndex view(Engine engine, SnapshotReader reader) {
    Arena copies = Arena.ofShared();
    try {
      ManagedIndex index = new ManagedIndex(engine, new Viewed(reader, copies));
      index.generation = index.opened(reader, copies, true);
      return index;
    } catch (RuntimeException | Error failure) {
      copies.close();
      throw failure;
    }
  }

  private Generation opened(SnapshotReader reader, Arena copies, boolean asView) {
    SnapshotFiles.Saved saved = SnapshotFiles.read(reader, copies);
    Generation opened = empty(0);
    try {
      opened.open(saved, asView);
      return opened;
    } catch (RuntimeException | Error failure) {
      opened.close();
      throw failure;
    }
  }

  private Generation empty(long number) {
    return new Generation(
        owner, number, engine.newSlots().get(), workers, capabilities, spec.dimension());
  }

  @Override
  public IndexSpec spec() {
    return spec;
  }

  @Override
  public Capabilities capabilities() {
    return capabilities;
  }

  /** The current version, held until {@link #release}. */
  private Version retain() {
    guests.refuseReads();
    while (true) {
      Version version = generation.versions().retain();
      if (version != null) {
        return version;
      }
      if (closed) {
        throw new IllegalStateException("the index is closed");
      }
      // A compaction has put another generation in its place.
    }
  }

  private static void release(Version version) {
    version.home().versions().release(version);
  }

  @Override
  public long size() {
    Version version = retain();
    try {
      return version.liveCount();
    } finally {
      release(version);
    }
  }

  @Override
  public boolean contains(long id) {
    Version version = retain();
    try {
      return version.home().find(id, version) >= 0;
    } finally {
      release(version);
    }
  }

  @Override
  public Optional<float[]> get(long id) {
    requireVectors("get");
    Version version = retain();
    try (Arena scratch = Arena.ofConfined()) {
      return row(id, version, scratch.allocate(rowBytes, Float.BYTES));
    } finally {
      release(version);
    }
  }

  @Override
  public List<Optional<float[]>> getAll(long... ids) {
    requireVectors("get");
    Version version = retain();
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment row = scratch.allocate(rowBytes, Float.BYTES);
      List<Optional<float[]>> rows = new ArrayList<>(ids.length);
      for (long id : ids) {
        rows.add(row(id, version, row));
      }
      return rows;
    } finally {
      release(version);
    }
  }

  private static Optional<float[]> row(long id, Version version, MemorySegment room) {
    int slot = version.home().find(id, version);
    if (slot < 0) {
      return Optional.empty();
    }
    version.home().row(slot, room);
    return Optional.of(room.toArray(ValueLayout.JAVA_FLOAT));
  }

  @Override
  public long[] ids() {
    Version version = retain();
    try {
      return ids(version);
    } finally {
      release(version);
    }
  }

  private static long[] ids(Version version) {
    long[] ids = new long[Math.toIntExact(version.liveCount())];
    int count = 0;
    for (long slot = 0; slot < version.slotCount(); slot++) {
      if (version.isLive(slot)) {
        ids[count++] = version.home().ids().get(slot);
      }
    }
    Arrays.sort(ids);
    return ids;
  }

  // ---- writing

  @Override
  public void add(long id, float[] vector) {
    Vectors.checkDimension("vector", vector.length, spec.dimension());
    addAll(new long[] {id}, vector);
  }

  @Override
  public void addAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    write(ids, vectors, false, options);
  }

  @Override
  public void upsert(long id, float[] vector) {
    Vectors.checkDimension("vector", vector.length, spec.dimension());
    upsertAll(new long[] {id}, vector);
  }

  @Override
  public void upsertAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    write(ids, vectors, true, options);
  }

  private void write(
      MemorySegment ids, MemorySegment vectors, boolean replace, WriteOptions options) {
    long rows = Vectors.checkBatch(ids, vectors, spec.dimension());
    if (rows > Generation.MAX_SLOTS) {
      throw new IllegalArgumentException(
          "a batch holds at most " + Generation.MAX_SLOTS + " rows, not " + rows);
    }
    long[] batch = ids.toArray(LONG);
    lockWriter(options.limits());
    try {
      generation.write(batch, vectors, replace, hosting(options));
    } finally {
      unlockWriter();
    }
  }

  @Override
  public int removeAll(long... ids) {
    Objects.requireNonNull(ids, "ids");
    lockWriter(Limits.NONE);
    try {
      return generation.remove(ids);
    } finally {
      unlockWriter();
    }
  }

  @Override
  public boolean train(MemorySegment sample, WriteOptions options) {
    long count = Vectors.countRows("sample", sample, spec.dimension());
    lockWriter(options.limits());
    try {
      return generation.train(sample, count, hosting(options));
    } finally {
      unlockWriter();
    }
  }

  /** The same options, with a listener that may not write. */
  private WriteOptions hosting(WriteOptions options) {
    ProgressListener listener = options.listener();
    if (listener == null) {
      return options;
    }
    return options.progress(
        (done, total) ->
            guests.host(
                Guests.Guest.LISTENER,
                () -> {
                  listener.progress(done, total);
                  return null;
                }));
  }

  private void lockWriter(Limits limits) {
    refuseIfView();
    guests.refuseAll();
    writer.acquire(limits, "the build");
    if (closing) {
      writer.release();
      throw new IllegalStateException("the index is closed");
    }
  }

  private void unlockWriter() {
    try {
      compactIfDue();
    } finally {
      writer.release();
    }
  }

  // ---- compaction

  @Override
  public void compact(WriteOptions options) {
    Objects.requireNonNull(options, "options");
    refuseIfView();
    guests.refuseAll();
    compacting.acquire(options.limits(), "the compaction");
    try {
      replaceGeneration(workers.threads(), hosting(options));
    } finally {
      compacting.release();
    }
  }

  /** Starts a compaction in the background where there is enough to gain. Writer. */
  private void compactIfDue() {
    if (compactAt == 0 || closing || background != null) {
      return;
    }
    long dead = generation.deadCount();
    if (dead < Math.max(LEAST_DEAD, failedAt) || dead * 100 < compactAt * generation.slotCount()) {
      return;
    }
    Cancellation cancellation = new Cancellation();
    Thread thread =
        Thread.ofPlatform()
            .name("panvec-compact")
            .daemon()
            .unstarted(() -> compactInBackground(cancellation));
    background = new Background(thread, cancellation);
    try {
      thread.start();
    } catch (OutOfMemoryError noThread) {
      background = null;
    }
  }

  private void compactInBackground(Cancellation cancellation) {
    boolean done = false;
    compacting.acquire(Limits.NONE, "the index");
    try {
      WriteOptions options = WriteOptions.defaults().cancelledBy(cancellation);
      BackgroundWork.compact(spec, size(), () -> replaceGeneration(1, options));
      done = true;
    } catch (RuntimeException | Error failure) {
      if (!closing) {
        LOG.log(System.Logger.Level.WARNING, "the compaction of " + spec + " failed", failure);
      }
    } finally {
      compacting.release();
      backgroundEnded(done);
    }
  }

  private void backgroundEnded(boolean done) {
    writer.acquire(Limits.NONE, "the index");
    try {
      background = null;
      // What failed once is tried again when there is twice as much to gain.
      failedAt = done || closing ? 0 : 2 * generation.deadCount();
    } finally {
      writer.release();
    }
  }

  /** Compacts, by the holder of {@link #compacting}. */
  private void replaceGeneration(int threads, WriteOptions options) {
    Limits limits = options.limits();
    Compaction compaction = begin(threads, limits);
    if (compaction == null) {
      return;
    }
    boolean done = false;
    try (compaction) {
      // Whoever writes more than half as quickly as it copies is caught up with turn by turn.
      boolean gains = true;
      while (!done && !isOutdated(compaction)) {
        // What is written meanwhile is for the next round.
        long behind = compaction.behind();
        for (long rows = behind; gains && rows > COPY_ROWS; rows -= COPY_ROWS) {
          if (!goOn(compaction, limits)) {
            break;
          }
          compaction.report(options);
        }
        done = finish(compaction, limits, !gains);
        gains = compaction.behind() <= behind / 2;
      }
    } finally {
      if (!done) {
        compaction.to().close();
      }
    }
    if (done) {
      compactions++;
      compaction.from().close();
      options.report(compaction.reached(), compaction.reached());
    } else {
      // The index was trained meanwhile, which happens once.
      replaceGeneration(threads, options);
    }
  }

  /** Copies rows beside writers; false when the copy turns out to be outdated. */
  private boolean goOn(Compaction compaction, Limits limits) {
    try {
      compaction.step(COPY_ROWS, limits);
      return true;
    } catch (CancelledException | DeadlineExceededException ended) {
      throw ended;
    } catch (RuntimeException failure) {
      // An index that was trained meanwhile may have codes where the copy wants rows.
      if (isOutdated(compaction)) {
        return false;
      }
      throw failure;
    }
  }

  private boolean isOutdated(Compaction compaction) {
    writer.acquire(Limits.NONE, "the index");
    try {
      return compaction.isOutdated();
    } finally {
      writer.release();
    }
  }

  /** A compaction of the current generation, or null when nothing is dead. */
  private @Nullable Compaction begin(int threads, Limits limits) {
    writer.acquire(limits, "the compaction");
    try {
      if (closing) {
        throw new IllegalStateException("the index is closed");
      }
      if (generation.deadCount() == 0) {
        return null;
      }
      Generation next = empty(generation.number() + 1);
      try {
        return new Compaction(generation, next, threads);
      } catch (RuntimeException | Error failure) {
        next.close();
        throw failure;
      }
    } finally {
      writer.release();
    }
  }

  /**
   * Copies the last rows and puts the copy in the place of the old generation; false when it is
   * outdated, or too far behind to do that while writers wait. Writers get their turns in between,
   * and however fast they are, it copies more.
   *
   * @param atAnyPrice however far it is behind
   */
  private boolean finish(Compaction compaction, Limits limits, boolean atAnyPrice) {
    long left = compaction.behind();
    while (true) {
      writer.acquire(limits, "the compaction");
      try {
        if (compaction.isOutdated() || compaction.behind() > COPY_ROWS && !atAnyPrice) {
          return false;
        }
        long written = compaction.behind() - left;
        if (compaction.step(Math.max(LAST_ROWS, 2 * written), limits)) {
          generation = compaction.to();
          return true;
        }
        left = compaction.behind();
      } finally {
        writer.release();
      }
    }
  }

  // ---- snapshots

  @Override
  public SnapshotManifest save(SnapshotWriter writer) {
    Version version = retain();
    try {
      requireVerified();
      Map<SlotIndex.SavedFile, SlotIndex.Saver> savers = version.home().savers(version.slotCount());
      try {
        return writer.write(SnapshotFiles.contents(engine, version, ids(version), savers));
      } finally {
        savers.values().forEach(SlotIndex.Saver::close);
      }
    } finally {
      release(version);
    }
  }

  @Override
  public void export(Path file, CopyOption... options) {
    Version version = retain();
    try {
      requireVerified();
      long[] ids = ids(version);
      requireIds(ids, version);
      if (version.slotCount() == ids.length) {
        write(file, version, options);
        return;
      }
      if (viewed != null) {
        // What is built anew takes its rows from memory.
        try (ManagedIndex opened = open(engine, viewed.reader())) {
          opened.export(file, options);
        }
        return;
      }
      Generation copy = copyOf(version);
      try {
        Version compact = copy.versions().current();
        write(file, compact, options);
      } finally {
        copy.close();
      }
    } finally {
      release(version);
    }
  }

  /** Before anything is copied or written. */
  private static void requireIds(long[] ids, Version version) {
    GraphExport export = version.home().exporter(0, slot -> 0);
    for (long id : ids) {
      export.check(id);
    }
  }

  private static void write(Path file, Version version, CopyOption... options) {
    Generation home = version.home();
    long slotCount = version.slotCount();
    if (!home.isLearnt()) {
      throw new IllegalStateException(
          "the index has not learnt from its vectors yet, so it has no file of the engine's own;"
              + " train it first");
    }
    Map<SlotIndex.SavedFile, SlotIndex.Saver> savers = home.savers(slotCount);
    try {
      GraphExport export = home.exporter(slotCount, home.ids()::get);
      SlotIndex.Saver graph = savers.get(SlotIndex.SavedFile.GRAPH);
      ExportedFile.write(file, sink -> SnapshotFiles.export(graph, home, export, sink), options);
    } finally {
      savers.values().forEach(SlotIndex.Saver::close);
    }
  }

  /** What is live in a version, without anything dead; the caller's to close. */
  private Generation copyOf(Version version) {
    Generation source = version.home();
    while (true) {
      Generation.Learnt learnt = source.learnt();
      Generation copy = empty(0);
      boolean kept = false;
      try {
        copy.trainLike(source);
        Compaction.copy(version, copy, workers.threads());
        kept = source.learnt().equals(learnt);
        if (kept) {
          return copy;
        }
      } catch (RuntimeException | Error failure) {
        // An index that learns meanwhile may have codes where the copy wants rows.
        if (source.learnt().equals(learnt)) {
          throw failure;
        }
      } finally {
        if (!kept) {
          copy.close();
        }
      }
    }
  }

  /** What was viewed without a look at its content is not handed on as if it had been. */
  private void requireVerified() {
    if (viewed != null) {
      viewed.reader().requireVerified();
    }
  }

  private void refuseIfView() {
    if (viewed != null) {
      throw new UnsupportedOperationException(
          "a view of a snapshot is read-only; Panvec.open gives an index that can be written to");
    }
  }

  // ---- searching

  @Override
  public SearchResult search(SearchRequest request) {
    Version version = retain();
    try (Arena scratch = Arena.ofConfined()) {
      checkRequest(request, 1, version);
      SlotFilter matches = resolve(request, version, scratch);
      return search(request, version, matches, request.query(), scratch);
    } finally {
      release(version);
    }
  }

  @Override
  public void search(SearchRequest request, SearchBuffer buffer) {
    Version version = retain();
    try {
      checkRequest(request, 1, version);
      int k = clampK(request, version);
      Vectors.checkBuffer(buffer, spec, Math.min(k, version.liveCount()));
      buffer.setCount(0);
      MemorySegment query = request.query();
      if (!Generation.isReadable(query)) {
        query = buffer.query().copyFrom(query);
      }
      long outcome = run(request, version, query, k, buffer.hits());
      buffer.setCount(Generation.Outcome.count(outcome));
      buffer.setPath(Generation.Outcome.path(outcome));
    } finally {
      release(version);
    }
  }

  @Override
  public List<SearchResult> searchAll(SearchRequest request) {
    int count = Vectors.countQueries(request.query(), spec);
    Version version = retain();
    MemorySegment queries = request.query();
    boolean alone = workers.threads() == 1 || count == 1;
    boolean copied = !alone && !queries.isAccessibleBy(ANOTHER_THREAD);
    try (Arena batch = batchArena(alone, request.idFilter() != null || copied)) {
      checkRequest(request, count, version);
      SlotFilter matches = resolve(request, version, batch);
      MemorySegment shared =
          copied ? batch.allocate(queries.byteSize(), Float.BYTES).copyFrom(queries) : queries;
      SearchResult[] results = new SearchResult[count];
      workers.run(
          count,
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
      release(version);
    }
  }

  @Override
  public RangeResult searchRange(SearchRequest request, float radius) {
    Vectors.checkRadius(radius, spec.metric());
    Version version = retain();
    try (Arena scratch = Arena.ofConfined()) {
      Vectors.checkRequest(request, 1, spec, capabilities.maxK());
      request.limits().check("the search");
      SlotFilter matches = resolve(request, version, scratch);
      MemorySegment query = readable(request.query(), scratch);
      long most = matches == null ? version.liveCount() : matches.count();
      int limit = (int) Math.max(1, Math.min(request.k(), most));
      // Few rows lie within a useful radius: more are asked for only when all so far do.
      int k = Math.min(limit, FIRST_RANGE);
      while (true) {
        try (Arena room = Arena.ofConfined()) {
          HitSegments hits = HitSegments.allocate(room, k);
          int count = version.home().scan(request, version, matches, query, k, hits);
          SearchResult nearest = hits.toResult(count, SearchPath.SCAN);
          RangeResult within =
              RangeResult.within(radius, nearest, request.k(), version.home().rowsDropped());
          if (within.hits().count() < k || k == limit) {
            scans.increment();
            return within;
          }
        }
        k = (int) Math.min(limit, 16L * k);
      }
    } finally {
      release(version);
    }
  }

  @Override
  public IdFilter prepare(IdFilter filter) {
    Objects.requireNonNull(filter, "filter");
    IdFilter source = filter instanceof IdFilter.Prepared prepared ? prepared.source() : filter;
    PreparedFilter prepared = new PreparedFilter(source, owner);
    Version version = retain();
    try (Arena scratch = Arena.ofConfined()) {
      return guests.host(
          Guests.Guest.PREDICATE,
          () -> {
            prepared.resolve(version, scratch, Limits.NONE);
            return prepared;
          });
    } finally {
      release(version);
    }
  }

  /**
   * For what all threads of a batch read. Closing a shared one costs as much as a search or two.
   */
  private static Arena batchArena(boolean alone, boolean used) {
    return alone || !used ? Arena.ofConfined() : Arena.ofShared();
  }

  private void checkRequest(SearchRequest request, int queries, Version version) {
    Vectors.checkRequest(request, queries, spec, capabilities.maxK());
    if (request.isExact()) {
      requireVectors("exact search");
    }
    version.home().slots().check(request);
    request.limits().check("the search");
  }

  private void requireVectors(String what) {
    if (capabilities.codesOnly()) {
      throw new UnsupportedOperationException(
          what + " needs the float32 vectors, and this index keeps only codes of them: " + spec);
    }
  }

  /**
   * The k that native code gets: no more than can be found, and at least 1, so that it checks the
   * query of an empty index too.
   */
  private static int clampK(SearchRequest request, Version version) {
    return (int) Math.max(1, Math.min(request.k(), version.liveCount()));
  }

  private @Nullable SlotFilter resolve(SearchRequest request, Version version, Arena arena) {
    IdFilter filter = request.idFilter();
    return filter == null
        ? null
        : guests.host(
            Guests.Guest.PREDICATE,
            () -> SlotFilter.resolve(filter, version, arena, request.limits()));
  }

  private MemorySegment readable(MemorySegment query, Arena scratch) {
    return Generation.isReadable(query)
        ? query
        : scratch.allocate(rowBytes, Float.BYTES).copyFrom(query);
  }

  private SearchResult search(
      SearchRequest request,
      Version version,
      @Nullable SlotFilter matches,
      MemorySegment query,
      Arena scratch) {
    int k = clampK(request, version);
    HitSegments hits = HitSegments.allocate(scratch, k);
    long outcome = run(request, version, matches, readable(query, scratch), k, hits);
    return hits.toResult(Generation.Outcome.count(outcome), Generation.Outcome.path(outcome));
  }

  private long run(
      SearchRequest request, Version version, MemorySegment query, int k, HitSegments hits) {
    if (request.idFilter() == null) {
      return run(request, version, null, query, k, hits);
    }
    try (Arena scratch = Arena.ofConfined()) {
      return run(request, version, resolve(request, version, scratch), query, k, hits);
    }
  }

  private long run(
      SearchRequest request,
      Version version,
      @Nullable SlotFilter matches,
      MemorySegment query,
      int k,
      HitSegments hits) {
    long outcome = version.home().search(request, version, matches, query, k, hits);
    switch (Generation.Outcome.path(outcome)) {
      case WALK -> walks.increment();
      case SCAN -> scans.increment();
      case WALK_THEN_SCAN -> completedWalks.increment();
    }
    return outcome;
  }

  // ---- life

  @Override
  public IndexStats stats() {
    Version version = retain();
    try {
      Map<String, Object> details = new TreeMap<>();
      details.put("slots", version.slotCount());
      details.put("walks", walks.sum());
      details.put("scans", scans.sum());
      details.put("completedWalks", completedWalks.sum());
      details.put("compactions", compactions);
      long bytes = version.home().describe(details);
      return new IndexStats(
          version.liveCount(), version.slotCount() - version.liveCount(), bytes, 0, details);
    } finally {
      release(version);
    }
  }

  @Override
  public void close() {
    guests.refuseAll();
    closing = true;
    cancelBackground();
    compacting.acquire(Limits.NONE, "the index");
    try {
      writer.acquire(Limits.NONE, "the index");
      try {
        if (!closed) {
          closed = true;
          generation.close();
          if (viewed != null) {
            viewed.close();
          }
        }
      } finally {
        writer.release();
      }
    } finally {
      compacting.release();
    }
  }

  private void cancelBackground() {
    writer.acquire(Limits.NONE, "the index");
    try {
      if (background != null) {
        background.cancellation().cancel();
      }
    } finally {
      writer.release();
    }
  }

  @Override
  public String toString() {
    return spec + (closed ? " (closed)" : "");
  }
}
