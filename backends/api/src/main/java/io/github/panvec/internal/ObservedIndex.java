package io.github.panvec.internal;

import io.github.panvec.Availability;
import io.github.panvec.Capabilities;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.IndexStats;
import io.github.panvec.RangeResult;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import io.github.panvec.snapshot.SnapshotReader;
import io.github.panvec.spi.VectorBackend;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.file.CopyOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * An index as a backend made it, with its calls watched. Every method hands over to the backend's
 * method of the same signature. While nothing watches, that is all it does; no lambda is created
 * and nothing allocated.
 */
public final class ObservedIndex implements VectorIndex {
  private static final CallEvents EVENTS = CallEvents.INSTANCE;
  private static final AtomicInteger CREATED = new AtomicInteger();

  private final VectorIndex index;
  private final VectorBackend backend;
  private final int dimension;
  private final Calls calls;

  /** Whether calls are watched at all times, not only while somebody records events. */
  private final boolean watched;

  private final LeakReporter.@Nullable Owed owed;

  private ObservedIndex(
      VectorBackend backend, IndexSpec spec, VectorIndex index, Calls calls, Watch watch) {
    this.index = index;
    this.backend = backend;
    this.dimension = spec.dimension();
    this.calls = calls;
    LeakReporter leaks = watch.leaks();
    this.owed = leaks == null ? null : leaks.watch(this, index, spec.toString());
    this.watched = watch.flight() != null || leaks != null;
  }

  /**
   * The index that {@code backend} makes of {@code spec}, watched as system properties say.
   *
   * @param spec as {@link VectorBackend#create} takes it
   */
  public static VectorIndex create(VectorBackend backend, IndexSpec spec) {
    return create(backend, spec, Watch.byProperties());
  }

  static VectorIndex create(VectorBackend backend, IndexSpec spec, Watch watch) {
    return made(backend, spec, watch, Operation.CREATE, 0, () -> backend.create(spec));
  }

  /**
   * The index that {@code backend} opens from a snapshot, watched likewise.
   *
   * @param spec as {@link VectorBackend#open} takes it
   * @param asView whether it is to be a view, which takes over {@code reader}
   */
  public static VectorIndex open(
      VectorBackend backend, IndexSpec spec, SnapshotReader reader, boolean asView) {
    long rows = reader.manifest().size();
    Watch watch = Watch.byProperties();
    return asView
        ? made(backend, spec, watch, Operation.VIEW, rows, () -> backend.view(spec, reader))
        : made(backend, spec, watch, Operation.OPEN, rows, () -> backend.open(spec, reader));
  }

  private static VectorIndex made(
      VectorBackend backend,
      IndexSpec spec,
      Watch watch,
      Operation operation,
      long rows,
      Supplier<VectorIndex> make) {
    Calls calls = new Calls(spec.backend(), watch.flight(), CREATED.incrementAndGet());
    VectorIndex made = calls.observe(operation, rows, make);
    Objects.requireNonNull(made, () -> "the backend " + backend.name() + " returned null");
    return new ObservedIndex(backend, spec, made, calls, watch);
  }

  /** Whether nobody wants to know of a call without an event. */
  private boolean alone() {
    return !watched;
  }

  private boolean aloneInSearch() {
    return !watched && !EVENTS.searches();
  }

  private boolean aloneInAdd() {
    return !watched && !EVENTS.adds();
  }

  private boolean aloneInTraining() {
    return !watched && !EVENTS.trainings();
  }

  private boolean aloneInCompaction() {
    return !watched && !EVENTS.compactions();
  }

  private boolean aloneInSave() {
    return !watched && !EVENTS.saves();
  }

  private <T> T observe(Operation operation, long rows, Supplier<T> call) {
    return observe(operation, rows, 0, FilterKind.NONE, call);
  }

  private <T> T observe(
      Operation operation, long rows, @Nullable SearchRequest request, Supplier<T> call) {
    return request == null
        ? call.get()
        : observe(operation, rows, request.k(), FilterKind.of(request.idFilter()), call);
  }

  private <T> T observe(
      Operation operation, long rows, int k, FilterKind filter, Supplier<T> call) {
    try {
      return calls.observe(operation, rows, k, filter, call);
    } finally {
      keepUntilHere();
    }
  }

  /**
   * The reporter of leaks closes the backend's index when this object is no longer reachable, which
   * without this may be as soon as a call has read its fields.
   */
  private void keepUntilHere() {
    Reference.reachabilityFence(this);
  }

  // What is null is for the backend to refuse.

  private static long rows(long @Nullable [] ids) {
    return ids == null ? 0 : ids.length;
  }

  private static long rows(@Nullable MemorySegment ids) {
    return ids == null ? 0 : ids.byteSize() / Long.BYTES;
  }

  private long vectors(@Nullable MemorySegment vectors) {
    return vectors == null ? 0 : vectors.byteSize() / Float.BYTES / dimension;
  }

  private long vectors(float @Nullable [] vectors) {
    return vectors == null ? 0 : vectors.length / dimension;
  }

  private long queries(@Nullable SearchRequest request) {
    return request == null ? 0 : request.dimension() / dimension;
  }

  /** Live rows, for whoever reads of a compaction or a save. */
  private long liveRows() {
    try {
      return index.size();
    } catch (RuntimeException closed) {
      return 0;
    }
  }

  @Override
  public IndexSpec spec() {
    return index.spec();
  }

  @Override
  public Capabilities capabilities() {
    return index.capabilities();
  }

  @Override
  public long size() {
    return alone() ? index.size() : observe(Operation.SIZE, 0, index::size);
  }

  @Override
  public boolean contains(long id) {
    return alone() ? index.contains(id) : observe(Operation.CONTAINS, 1, () -> index.contains(id));
  }

  @Override
  public Optional<float[]> get(long id) {
    return alone() ? index.get(id) : observe(Operation.GET, 1, () -> index.get(id));
  }

  @Override
  public List<Optional<float[]>> getAll(long... ids) {
    return alone() ? index.getAll(ids) : observe(Operation.GET, rows(ids), () -> index.getAll(ids));
  }

  @Override
  public long[] ids() {
    return alone() ? index.ids() : observe(Operation.IDS, 0, index::ids);
  }

  @Override
  public void add(long id, float[] vector) {
    if (aloneInAdd()) {
      index.add(id, vector);
    } else {
      observe(Operation.ADD, 1, run(() -> index.add(id, vector)));
    }
  }

  @Override
  public void addAll(long[] ids, float[] vectors) {
    if (aloneInAdd()) {
      index.addAll(ids, vectors);
    } else {
      observe(Operation.ADD, rows(ids), run(() -> index.addAll(ids, vectors)));
    }
  }

  @Override
  public void addAll(MemorySegment ids, MemorySegment vectors) {
    if (aloneInAdd()) {
      index.addAll(ids, vectors);
    } else {
      observe(Operation.ADD, rows(ids), run(() -> index.addAll(ids, vectors)));
    }
  }

  @Override
  public void addAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    if (aloneInAdd()) {
      index.addAll(ids, vectors, options);
    } else {
      observe(Operation.ADD, rows(ids), run(() -> index.addAll(ids, vectors, options)));
    }
  }

  @Override
  public void upsert(long id, float[] vector) {
    if (aloneInAdd()) {
      index.upsert(id, vector);
    } else {
      observe(Operation.UPSERT, 1, run(() -> index.upsert(id, vector)));
    }
  }

  @Override
  public void upsertAll(long[] ids, float[] vectors) {
    if (aloneInAdd()) {
      index.upsertAll(ids, vectors);
    } else {
      observe(Operation.UPSERT, rows(ids), run(() -> index.upsertAll(ids, vectors)));
    }
  }

  @Override
  public void upsertAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    if (aloneInAdd()) {
      index.upsertAll(ids, vectors, options);
    } else {
      observe(Operation.UPSERT, rows(ids), run(() -> index.upsertAll(ids, vectors, options)));
    }
  }

  @Override
  public boolean remove(long id) {
    return alone() ? index.remove(id) : observe(Operation.REMOVE, 1, () -> index.remove(id));
  }

  @Override
  public int removeAll(long... ids) {
    return alone()
        ? index.removeAll(ids)
        : observe(Operation.REMOVE, rows(ids), () -> index.removeAll(ids));
  }

  @Override
  public SearchResult search(float[] query, int k) {
    return aloneInSearch()
        ? index.search(query, k)
        : observe(Operation.SEARCH, 1, k, FilterKind.NONE, () -> index.search(query, k));
  }

  @Override
  public SearchResult search(SearchRequest request) {
    return aloneInSearch()
        ? index.search(request)
        : observe(Operation.SEARCH, 1, request, () -> index.search(request));
  }

  /** Leaves nothing on the heap while calls are noted in a flight file, either. */
  @Override
  public void search(SearchRequest request, SearchBuffer buffer) {
    if (aloneInSearch() || request == null) {
      index.search(request, buffer);
      return;
    }
    try {
      calls.search(index, request, buffer);
    } finally {
      keepUntilHere();
    }
  }

  @Override
  public List<SearchResult> searchAll(SearchRequest request) {
    return aloneInSearch()
        ? index.searchAll(request)
        : observe(Operation.SEARCH_ALL, queries(request), request, () -> index.searchAll(request));
  }

  @Override
  public List<SearchResult> searchAll(float[] queries, int k) {
    return aloneInSearch()
        ? index.searchAll(queries, k)
        : observe(
            Operation.SEARCH_ALL,
            vectors(queries),
            k,
            FilterKind.NONE,
            () -> index.searchAll(queries, k));
  }

  @Override
  public RangeResult searchRange(SearchRequest request, float radius) {
    return aloneInSearch()
        ? index.searchRange(request, radius)
        : observe(Operation.SEARCH_RANGE, 1, request, () -> index.searchRange(request, radius));
  }

  @Override
  public RangeResult searchRange(float[] query, float radius, int limit) {
    return aloneInSearch()
        ? index.searchRange(query, radius, limit)
        : observe(
            Operation.SEARCH_RANGE,
            1,
            limit,
            FilterKind.NONE,
            () -> index.searchRange(query, radius, limit));
  }

  @Override
  public IdFilter prepare(IdFilter filter) {
    return alone()
        ? index.prepare(filter)
        : observe(Operation.PREPARE, 0, 0, FilterKind.of(filter), () -> index.prepare(filter));
  }

  @Override
  public boolean train(float[] sample) {
    return aloneInTraining()
        ? index.train(sample)
        : observe(Operation.TRAIN, vectors(sample), () -> index.train(sample));
  }

  @Override
  public boolean train(MemorySegment sample) {
    return aloneInTraining()
        ? index.train(sample)
        : observe(Operation.TRAIN, vectors(sample), () -> index.train(sample));
  }

  @Override
  public boolean train(MemorySegment sample, WriteOptions options) {
    return aloneInTraining()
        ? index.train(sample, options)
        : observe(Operation.TRAIN, vectors(sample), () -> index.train(sample, options));
  }

  @Override
  public SnapshotManifest save(Path directory) {
    return aloneInSave()
        ? index.save(directory)
        : observe(Operation.SAVE, liveRows(), () -> index.save(directory));
  }

  @Override
  public void export(Path file, CopyOption... options) {
    if (alone()) {
      index.export(file, options);
    } else {
      observe(Operation.EXPORT, liveRows(), run(() -> index.export(file, options)));
    }
  }

  @Override
  public void compact() {
    if (aloneInCompaction()) {
      index.compact();
    } else {
      observe(Operation.COMPACT, liveRows(), run(index::compact));
    }
  }

  @Override
  public void compact(WriteOptions options) {
    if (aloneInCompaction()) {
      index.compact(options);
    } else {
      observe(Operation.COMPACT, liveRows(), run(() -> index.compact(options)));
    }
  }

  /** The backend's numbers, with what Panvec knows of the index where the backend leaves it out. */
  @Override
  public IndexStats stats() {
    IndexStats stats = alone() ? index.stats() : observe(Operation.STATS, 0, index::stats);
    Availability availability = backend.availability();
    String version =
        Objects.requireNonNullElse(availability.upstreamVersion(), backend.upstreamVersion());
    return new IndexStats(
        stats.size(),
        stats.dead(),
        stats.nativeBytes(),
        stats.diskBytes(),
        stats.details(),
        stats.parameters().isEmpty() ? index.spec().parameters() : stats.parameters(),
        Objects.requireNonNullElse(stats.upstreamVersion(), version),
        stats.simdLevel() == null ? availability.simdLevel() : stats.simdLevel());
  }

  @Override
  public void close() {
    if (alone()) {
      index.close();
      return;
    }
    try {
      observe(Operation.CLOSE, 0, run(index::close));
    } finally {
      if (owed != null) {
        owed.settle();
      }
    }
  }

  private static Supplier<Boolean> run(Runnable call) {
    return () -> {
      call.run();
      return true;
    };
  }

  /** Whether it is the same index of the backend. */
  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof ObservedIndex that && index.equals(that.index);
  }

  @Override
  public int hashCode() {
    return index.hashCode();
  }

  @Override
  public String toString() {
    return index.toString();
  }
}
