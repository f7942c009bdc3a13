package io.github.panvec.conformance.selftest;

import io.github.panvec.Capabilities;
import io.github.panvec.DuplicateIdException;
import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.IndexStats;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.RangeResult;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import io.github.panvec.spi.Vectors;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** A map behind a lock. Each {@link Fault} spoils one line of it. */
final class ToyIndex implements VectorIndex {
  private static final Comparator<Hit> NEAREST_FIRST =
      Comparator.comparingDouble(Hit::distance).thenComparingLong(Hit::id);
  private static final int REMOVALS_UNTIL_COMPACTION = 100;
  private static final long A_MOMENT_NANOS = 50_000;

  private final IndexSpec spec;
  private final int dimension;
  private final ReentrantReadWriteLock lock = new ReentrantReadWriteLock(true);
  private final Map<Long, float[]> rows = new LinkedHashMap<>();
  private volatile boolean closed;

  // What only faults need.
  private Map<Long, float[]> before = Map.of();
  private final Map<Long, float[]> dead = new LinkedHashMap<>();
  private @Nullable IdFilter previousFilter;
  private int removals;
  private int trainings;
  private Map<Long, float[]> late = Map.of();
  private int upserts;
  private int searches;
  private Map<Long, float[]> old = Map.of();

  ToyIndex(IndexSpec spec) {
    this.spec = spec;
    dimension = spec.dimension();
    if (Fault.DENORMALS_FLUSHED_ON_THE_THREAD.isPresent()) {
      FloatingPoint.flushDenormals();
    }
  }

  @Override
  public IndexSpec spec() {
    return spec;
  }

  @Override
  public Capabilities capabilities() {
    return ToyBackend.CAPABILITIES;
  }

  private <T> T reading(Supplier<T> call) {
    return locked(
        Fault.SEARCH_TAKES_NO_LOCK.isPresent() ? new ReentrantLock() : lock.readLock(), call);
  }

  private <T> T writing(Supplier<T> call) {
    return locked(lock.writeLock(), call);
  }

  private <T> T locked(Lock held, Supplier<T> call) {
    held.lock();
    try {
      boolean read = held != lock.writeLock();
      if (closed
          && !Fault.USE_AFTER_CLOSE.isPresent()
          && !(read && Fault.READS_AFTER_CLOSE.isPresent())) {
        throw new IllegalStateException("the index is closed");
      }
      return call.get();
    } finally {
      held.unlock();
    }
  }

  @Override
  public void close() {
    if (closed && Fault.SECOND_CLOSE_REFUSED.isPresent()) {
      throw new IllegalStateException("the index is closed");
    }
    if (Fault.CLOSE_DOES_NOT_WAIT.isPresent()
        || Fault.BATCH_ON_ANOTHER_THREAD_NOT_WAITED_FOR.isPresent()) {
      closed = true;
      return;
    }
    lock.writeLock().lock();
    closed = true;
    lock.writeLock().unlock();
  }

  @Override
  public long size() {
    return reading(
        () -> (long) rows.size() + (Fault.SIZE_GROWS_WITH_UPSERT.isPresent() ? upserts : 0));
  }

  @Override
  public boolean contains(long id) {
    return reading(
        () ->
            rows.containsKey(key(id))
                || (Fault.REMOVED_IS_CONTAINED.isPresent() && dead.containsKey(id)));
  }

  @Override
  public Optional<float[]> get(long id) {
    return reading(() -> Optional.ofNullable(rows.get(key(id))).map(ToyIndex::copy));
  }

  private static float[] copy(float[] row) {
    if (Fault.GET_RETURNS_THE_STORED_ARRAY.isPresent()) {
      return row;
    }
    float[] copy = row.clone();
    if (Fault.GET_ROUNDED.isPresent()) {
      copy[0] = Float.float16ToFloat(Float.floatToFloat16(copy[0]));
    }
    return copy;
  }

  @Override
  public IndexStats stats() {
    int uncounted = Fault.STATS_COUNT_DEAD_ROWS.isPresent() ? dead.size() : 0;
    return reading(() -> new IndexStats(rows.size() + uncounted, 0, 0, 0, Map.of()));
  }

  @Override
  public boolean train(MemorySegment sample, WriteOptions options) {
    if (sample == null && Fault.NULL_SAMPLE_TAKEN.isPresent()) {
      return false;
    }
    options.limits().check("training");
    long count = Vectors.countRows("sample", sample, dimension);
    return writing(
        () -> {
          for (int i = 0; i < count && Fault.SAMPLE_ADDED.isPresent(); i++) {
            rows.put(1_000_000L + i, read("row", sample, i));
          }
          return Fault.LEARNS_AGAIN.isPresent() && trainings++ > 0;
        });
  }

  @Override
  public boolean train(float[] sample) {
    return train(sample == null ? null : MemorySegment.ofArray(sample));
  }

  // ---- writing

  private static long key(long id) {
    return Fault.IDS_AS_INT.isPresent() ? (int) id : id;
  }

  @Override
  public void add(long id, float[] vector) {
    Vectors.checkDimension("vector", vector.length, dimension);
    write(new long[] {id}, MemorySegment.ofArray(vector), false);
    if (Fault.ARRAY_OF_THE_CALLER_STORED.isPresent() && spec.metric() != Metric.COSINE) {
      rows.put(id, vector);
    }
  }

  @Override
  public void upsert(long id, float[] vector) {
    Vectors.checkDimension("vector", vector.length, dimension);
    if (Fault.UPSERT_REMOVES_FIRST.isPresent()) {
      read("row", MemorySegment.ofArray(vector), 0);
      remove(id);
      LockSupport.parkNanos(A_MOMENT_NANOS);
    }
    if (Fault.UPSERT_IN_TWO_HALVES.isPresent() && contains(id)) {
      float[] row = read("row", MemorySegment.ofArray(vector), 0);
      float[] half = rows.get(id).clone();
      half[0] = row[0];
      writing(() -> publish(Map.of(id, half)));
      LockSupport.parkNanos(A_MOMENT_NANOS);
    }
    write(new long[] {id}, MemorySegment.ofArray(vector), true);
  }

  @Override
  public void addAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    Vectors.checkBatch(ids, vectors, dimension);
    hear(ids.byteSize() / Long.BYTES, options);
    write(ids.toArray(ValueLayout.JAVA_LONG_UNALIGNED), vectors, false);
    if (Fault.LISTENER_HEARS_LATE.isPresent()) {
      options.report(ids.byteSize() / 8, ids.byteSize() / 8);
    }
  }

  @Override
  public void upsertAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    Vectors.checkBatch(ids, vectors, dimension);
    long[] all = ids.toArray(ValueLayout.JAVA_LONG_UNALIGNED);
    hear(all.length, options);
    if (Fault.UPSERTS_ROW_BY_ROW.isPresent()) {
      for (int i = 0; i < all.length; i++) {
        long bytes = (long) dimension * Float.BYTES;
        write(new long[] {all[i]}, vectors.asSlice(i * bytes, bytes), true);
        LockSupport.parkNanos(A_MOMENT_NANOS);
      }
      return;
    }
    write(all, vectors, true);
  }

  /** All that can end a batch early does so before it is published. */
  private static void hear(long rows, WriteOptions options) {
    for (int half = 1; half <= 2; half++) {
      if (!Fault.LIMITS_OF_WRITES_IGNORED.isPresent()
          && !(half == 2 && Fault.LIMITS_OF_WRITES_CHECKED_ON_ENTRY_ONLY.isPresent())) {
        options.limits().check("the build");
      }
      if (!Fault.LISTENER_HEARS_LATE.isPresent()
          && !(half == 2 && Fault.LISTENER_HEARS_NO_END.isPresent())) {
        options.report(rows * half / 2, rows);
      }
    }
  }

  /** There is nothing to do, and two halves of it. */
  @Override
  public void compact(WriteOptions options) {
    options.limits().check("the compaction");
    long size = size();
    if (Fault.COMPACTION_LOCKS_ALL_OUT.isPresent()) {
      writing(() -> tellOfCompaction(size, options));
      return;
    }
    tellOfCompaction(size, options);
    if (Fault.ROW_LOST_BY_COMPACTION.isPresent() && size > 1000) {
      remove(ids()[0]);
    }
  }

  private static boolean tellOfCompaction(long size, WriteOptions options) {
    options.report(size / 2, size);
    options.report(size, size);
    return true;
  }

  @Override
  public List<Optional<float[]>> getAll(long... ids) {
    if (Fault.GET_ALL_ROW_BY_ROW.isPresent()) {
      List<Optional<float[]>> each = new ArrayList<>();
      for (long id : ids) {
        each.add(get(id));
      }
      return each;
    }
    return reading(
        () ->
            Arrays.stream(ids)
                .mapToObj(this::get)
                .filter(
                    row ->
                        row.isPresent() || !Fault.GET_ALL_LEAVES_OUT_WHAT_IS_NOT_LIVE.isPresent())
                .toList());
  }

  @Override
  public long[] ids() {
    if (Fault.IDS_OF_TWO_STATES.isPresent()) {
      long[] before = reading(this::liveIds);
      LockSupport.parkNanos(A_MOMENT_NANOS);
      long[] after = reading(this::liveIds);
      return LongStream.concat(
              Arrays.stream(before).filter(id -> id % 2 == 0),
              Arrays.stream(after).filter(id -> id % 2 != 0))
          .sorted()
          .toArray();
    }
    return reading(this::liveIds);
  }

  private long[] liveIds() {
    long[] ids = rows.keySet().stream().mapToLong(Long::longValue).toArray();
    if (!Fault.IDS_UNSORTED.isPresent()) {
      Arrays.sort(ids);
    }
    return ids;
  }

  @Override
  public IdFilter prepare(IdFilter filter) {
    if (Fault.PREPARED_FILTERS_FROZEN.isPresent()) {
      return IdFilter.in(Arrays.stream(ids()).filter(filter::test).toArray());
    }
    return VectorIndex.super.prepare(filter);
  }

  @Override
  public RangeResult searchRange(SearchRequest request, float radius) {
    if (!Fault.ANY_RADIUS_TAKEN.isPresent()) {
      Vectors.checkRadius(radius, spec.metric());
    }
    SearchResult nearest = search(request);
    float most = Fault.RANGE_WITHOUT_ITS_END.isPresent() ? Math.nextDown(radius) : radius;
    RangeResult within = RangeResult.within(most, nearest, request.k(), false);
    return Fault.RANGE_NEVER_TRUNCATED.isPresent()
        ? new RangeResult(within.hits(), false, false)
        : within;
  }

  private void write(long[] ids, MemorySegment vectors, boolean replace) {
    if (Fault.DUPLICATES_SOUGHT_BEFORE_THE_LOCK.isPresent() && !replace) {
      reading(() -> batch(ids, vectors, false));
      LockSupport.parkNanos(A_MOMENT_NANOS);
      writing(() -> publish(batch(ids, vectors, true)));
      return;
    }
    if (Fault.BATCH_ADDED_ROW_BY_ROW.isPresent()) {
      reading(() -> batch(ids, vectors, replace))
          .forEach(
              (id, row) -> {
                writing(() -> publish(Map.of(id, row)));
                LockSupport.parkNanos(A_MOMENT_NANOS);
              });
      return;
    }
    writing(() -> publish(batch(ids, vectors, replace)));
  }

  private Map<Long, float[]> batch(long[] ids, MemorySegment vectors, boolean replace) {
    Map<Long, float[]> batch = new LinkedHashMap<>();
    for (int i = 0; i < ids.length; i++) {
      long id = key(ids[i]);
      if (id == -1 && Fault.MINUS_ONE_RESERVED.isPresent()) {
        throw new IllegalArgumentException("id -1 is reserved");
      }
      boolean live = batch.containsKey(id) || (!replace && rows.containsKey(id));
      if (live
          && !Fault.DUPLICATE_OVERWRITES.isPresent()
          && !(replace && Fault.LAST_OF_TWO_IN_A_BATCH_WINS.isPresent())) {
        if (Fault.HALF_A_BATCH_ADDED.isPresent()) {
          publish(batch);
        }
        throw new DuplicateIdException(id, i);
      }
      batch.put(id, read("row", vectors, i));
    }
    return batch;
  }

  private boolean publish(Map<Long, float[]> batch) {
    remember();
    for (long id : batch.keySet()) {
      upserts += rows.containsKey(id) ? 1 : 0;
    }
    if (Fault.RETURNED_ADDS_LATE.isPresent()) {
      rows.putAll(late);
      late = batch;
      return true;
    }
    rows.putAll(batch);
    return true;
  }

  private void remember() {
    if (Fault.SEARCH_BEFORE_THE_LAST_WRITE.isPresent()) {
      before = new LinkedHashMap<>(rows);
    }
  }

  @Override
  public int removeAll(long... ids) {
    return writing(
        () -> {
          int live = 0;
          for (long id : ids) {
            live += remove(id) || Fault.ALL_REMOVALS_COUNTED.isPresent() ? 1 : 0;
          }
          return live;
        });
  }

  @Override
  public boolean remove(long id) {
    return writing(
        () -> {
          remember();
          float[] removed = rows.remove(key(id));
          if (removed == null) {
            return Fault.REMOVE_ALWAYS_TRUE.isPresent();
          }
          removals++;
          if (Fault.REMOVE_FORGOTTEN.isPresent()
              || Fault.REMOVED_IS_CONTAINED.isPresent()
              || Fault.STATS_COUNT_DEAD_ROWS.isPresent()
              || (Fault.DEAD_ROW_AFTER_COMPACTION.isPresent()
                  && removals % REMOVALS_UNTIL_COMPACTION == 0)) {
            dead.put(id, removed);
          }
          return true;
        });
  }

  // ---- searching

  @Override
  public SearchResult search(SearchRequest request) {
    Vectors.checkRequest(request, 1, spec, Integer.MAX_VALUE);
    return result(reading(() -> nearest(request, 0, 1)));
  }

  @Override
  public void search(SearchRequest request, SearchBuffer buffer) {
    Vectors.checkRequest(request, 1, spec, Integer.MAX_VALUE);
    List<Hit> hits =
        reading(
            () -> {
              Vectors.checkBuffer(buffer, spec, Math.min(request.k(), rows.size()));
              return nearest(request, 0, 1);
            });
    int count = buffer.count();
    buffer.setCount(0);
    hits.forEach(hit -> buffer.insert(hit.id(), hit.distance(), buffer.capacity()));
    if (Fault.BUFFER_KEEPS_ITS_COUNT.isPresent()) {
      buffer.setCount(Math.max(count, hits.size()));
    }
  }

  @Override
  public List<SearchResult> searchAll(SearchRequest request) {
    int count = Vectors.countQueries(request.query(), spec);
    if (Fault.BATCH_OF_QUERIES_ONE_BY_ONE.isPresent()) {
      List<SearchResult> results = new ArrayList<>();
      for (int q = 0; q < count; q++) {
        int each = q;
        results.add(result(reading(() -> nearest(request, each, count))));
      }
      return results;
    }
    if (Fault.BATCH_ON_ANOTHER_THREAD_NOT_WAITED_FOR.isPresent()) {
      return CompletableFuture.supplyAsync(() -> answers(request, count)).join();
    }
    return answers(request, count);
  }

  private List<SearchResult> answers(SearchRequest request, int count) {
    return reading(
        () -> {
          List<SearchResult> results = new ArrayList<>();
          for (int q = 0; q < count; q++) {
            results.add(result(nearest(request, q, count)));
          }
          if (count > 1 && Fault.BATCH_ROWS_SWAPPED.isPresent()) {
            Collections.swap(results, 0, 1);
          }
          return results;
        });
  }

  private static SearchResult result(List<Hit> hits) {
    long[] ids = new long[hits.size()];
    float[] distances = new float[hits.size()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = hits.get(i).id();
      distances[i] = hits.get(i).distance();
    }
    return new SearchResult(ids, distances);
  }

  private List<Hit> nearest(SearchRequest request, int q, int queries) {
    if (q == 0 || !Fault.LIMITS_OF_SEARCHES_CHECKED_ON_ENTRY_ONLY.isPresent()) {
      checkLimits(request);
    }
    float[] query = query(request.query(), q);
    IdFilter filter = filter(request);
    boolean late = Fault.FILTERED_AFTER_THE_FIRST_K.isPresent();
    List<Hit> hits = new ArrayList<>();
    for (Map.Entry<Long, float[]> row : visible().entrySet()) {
      if (filter != null && Fault.PREDICATE_ASKED_TWICE.isPresent()) {
        filter.test(row.getKey());
      }
      if (late || filter == null || passes(filter, row.getKey())) {
        hits.add(new Hit(row.getKey(), distance(query, row.getValue(), queries)));
      }
      if (Fault.SEARCH_TAKES_NO_LOCK.isPresent() && hits.size() == 1) {
        LockSupport.parkNanos(A_MOMENT_NANOS);
      }
    }
    if (!Fault.LIMITS_OF_SEARCHES_CHECKED_ON_ENTRY_ONLY.isPresent()) {
      checkLimits(request);
    }
    sort(hits);
    if (request.isExact() && Fault.FLOAT_PASS_DECIDES.isPresent()) {
      keepThoseOfAFloatPass(hits, query, request.k());
    }
    if (filter != null && !request.isExact() && Fault.FILTERED_FARTHEST_FIRST.isPresent()) {
      List<Hit> farthest = hits.subList(Math.max(0, hits.size() - request.k()), hits.size());
      hits = new ArrayList<>(farthest);
    }
    if (hits.size() > 1
        && !request.isExact()
        && Fault.PLAIN_SEARCH_MISSES_THE_NEAREST.isPresent()) {
      hits.remove(0);
    }
    List<Hit> best = new ArrayList<>(hits.subList(0, count(request.k(), hits.size())));
    if (late && filter != null) {
      best.removeIf(hit -> !filter.test(hit.id()));
    }
    pad(best, request.k());
    return best;
  }

  private static void checkLimits(SearchRequest request) {
    if (!Fault.LIMITS_OF_SEARCHES_IGNORED.isPresent()) {
      request.limits().check("the search");
    }
  }

  private static boolean passes(IdFilter filter, long id) {
    if (filter instanceof IdFilter.Not && Fault.COMPLEMENTS_FORGOTTEN.isPresent()) {
      return true;
    }
    try {
      return filter.test(id);
    } catch (ArithmeticException failure) {
      if (Fault.PREDICATE_FAILURES_SWALLOWED.isPresent()) {
        return false;
      }
      throw failure;
    }
  }

  /** By sixteen sums in single precision, as kernels have it. */
  private void keepThoseOfAFloatPass(List<Hit> hits, float[] query, int k) {
    Map<Long, Float> distances = new HashMap<>();
    for (Hit hit : hits) {
      float[] row = rows.get(hit.id());
      float[] sums = new float[16];
      for (int i = 0; i < dimension; i++) {
        float t = query[i] - row[i];
        sums[i & 15] += spec.metric() == Metric.L2 ? t * t : -query[i] * row[i];
      }
      float sum = 0;
      for (float each : sums) {
        sum += each;
      }
      distances.put(hit.id(), sum);
    }
    Set<Long> kept =
        hits.stream()
            .map(Hit::id)
            .sorted(Comparator.comparing((Long id) -> distances.get(id)).thenComparing(id -> id))
            .limit(k)
            .collect(Collectors.toSet());
    hits.removeIf(hit -> !kept.contains(hit.id()));
  }

  private Map<Long, float[]> visible() {
    if (Fault.READS_OF_AN_OLD_STATE.isPresent()) {
      return aMomentAgo();
    }
    if (Fault.SEARCH_BEFORE_THE_LAST_WRITE.isPresent()) {
      return before;
    }
    if (Fault.REMOVE_FORGOTTEN.isPresent() || Fault.DEAD_ROW_AFTER_COMPACTION.isPresent()) {
      Map<Long, float[]> all = new LinkedHashMap<>(dead);
      all.putAll(rows);
      return all;
    }
    if (Fault.ONE_ROW_IN_A_THOUSAND_LOST.isPresent()) {
      Map<Long, float[]> most = new LinkedHashMap<>(rows);
      most.keySet().removeIf(id -> Math.floorMod(id, 1000) == 7);
      return most;
    }
    return rows;
  }

  /** Every other search sees what the one before it saw. */
  private synchronized Map<Long, float[]> aMomentAgo() {
    if (searches++ % 2 == 0) {
      old = new LinkedHashMap<>(rows);
    }
    return old;
  }

  private @Nullable IdFilter filter(SearchRequest request) {
    IdFilter previous = previousFilter;
    previousFilter = request.idFilter();
    if (Fault.FILTER_IGNORED.isPresent()) {
      return null;
    }
    return Fault.FILTER_OF_THE_PREVIOUS_CALL.isPresent() ? previous : request.idFilter();
  }

  private static void sort(List<Hit> hits) {
    if (Fault.TIES_AT_RANDOM.isPresent()) {
      Collections.shuffle(hits);
    }
    if (Fault.TIES_AT_RANDOM.isPresent() || Fault.TIES_BY_INSERTION.isPresent()) {
      hits.sort(Comparator.comparingDouble(Hit::distance));
    } else if (!Fault.UNSORTED_HITS.isPresent()) {
      hits.sort(NEAREST_FIRST);
    }
  }

  private static int count(int k, int found) {
    int count = Math.min(k, found);
    if (Fault.K_MINUS_ONE_HITS.isPresent()) {
      return Math.max(0, count - 1);
    }
    if (Fault.K_PLUS_ONE_HITS.isPresent()) {
      return (int) Math.min(k + 1L, found);
    }
    return Fault.K_UP_TO_4096.isPresent() ? Math.min(4096, count) : count;
  }

  private static void pad(List<Hit> hits, int k) {
    if (hits.size() < k && Fault.PADDED_WITH_MINUS_ONE.isPresent()) {
      hits.add(new Hit(-1, Float.POSITIVE_INFINITY));
    }
    if (hits.size() < k && !hits.isEmpty() && Fault.PADDED_WITH_THE_LAST_HIT.isPresent()) {
      hits.add(hits.get(hits.size() - 1));
    }
  }

  // ---- vectors

  private float[] query(MemorySegment queries, int q) {
    try {
      return read("query", queries, q);
    } catch (InvalidVectorException invalid) {
      if (Fault.BAD_QUERY_OF_A_BATCH_NOT_NAMED.isPresent()) {
        throw new InvalidVectorException("a query is invalid");
      }
      throw invalid;
    }
  }

  /** As it is stored. */
  private float[] read(String what, MemorySegment vectors, int i) {
    float[] row = new float[dimension];
    try {
      Vectors.read(what, vectors, i, row, spec.metric());
    } catch (InvalidVectorException invalid) {
      if (!isAccepted(what, row)) {
        throw translated(what, i, invalid);
      }
    }
    ValueLayout.OfFloat layout = ValueLayout.JAVA_FLOAT_UNALIGNED;
    long offset = (long) i * dimension * Float.BYTES;
    if (vectors.isNative() && Fault.NATIVE_SEGMENTS_IN_OTHER_BYTE_ORDER.isPresent()) {
      ByteOrder other =
          ByteOrder.nativeOrder() == ByteOrder.BIG_ENDIAN
              ? ByteOrder.LITTLE_ENDIAN
              : ByteOrder.BIG_ENDIAN;
      MemorySegment.copy(vectors, layout.withOrder(other), offset, row, 0, dimension);
    }
    for (int c = 0; c < dimension; c++) {
      boolean denormal = Math.abs(row[c]) < Float.MIN_NORMAL;
      if ((row[c] == 0 && Fault.NEGATIVE_ZEROS_LOST.isPresent())
          || (denormal && Fault.DENORMALS_FLUSHED.isPresent())) {
        row[c] = 0;
      }
    }
    if (spec.metric() == Metric.COSINE && !Fault.NOT_NORMALISED.isPresent()) {
      double norm = Math.sqrt(sum(row, row));
      for (int c = 0; c < dimension; c++) {
        row[c] = (float) (row[c] / norm);
      }
      if (Fault.NORMALISED_IN_PLACE.isPresent()
          || (vectors.isNative() && Fault.NATIVE_INPUT_NORMALISED_IN_PLACE.isPresent())) {
        MemorySegment.copy(row, 0, vectors, layout, offset, dimension);
      }
    }
    return row;
  }

  private boolean isAccepted(String what, float[] row) {
    boolean query = what.equals("query");
    boolean zero = true;
    for (float component : row) {
      zero &= component == 0;
      if (Float.isNaN(component) && Fault.NAN_ACCEPTED.isPresent()) {
        return true;
      }
      if (query && Float.isInfinite(component) && Fault.INFINITE_QUERY_ACCEPTED.isPresent()) {
        return true;
      }
    }
    return zero && Fault.ZERO_ACCEPTED_UNDER_COSINE.isPresent();
  }

  private static RuntimeException translated(String what, int i, InvalidVectorException invalid) {
    if (Fault.ANOTHER_EXCEPTION.isPresent()) {
      return new IllegalArgumentException(invalid.getMessage());
    }
    if (Fault.REFUSED_WITH_ANOTHER_NUMBER.isPresent()) {
      return new InvalidVectorException(
          invalid.getMessage().replaceAll("component (\\d)", "component $10"));
    }
    if (Fault.WRONG_ROW_NAMED.isPresent()) {
      return new InvalidVectorException(
          invalid.getMessage().replace(what + " " + i, what + " " + (i + 1)));
    }
    return invalid;
  }

  private float distance(float[] a, float[] b, int queries) {
    if (queries >= 20 && Fault.BATCHES_FROM_TWENTY_BY_ANOTHER_FORMULA.isPresent()) {
      return blasDistance(a, b);
    }
    double sum = sum(a, b);
    return switch (spec.metric()) {
      case L2 -> (float) (Fault.L2_SQUARED.isPresent() ? sum : Math.sqrt(sum));
      case COSINE ->
          (float) (Fault.COSINE_NOT_CLAMPED.isPresent() ? 1 - sum : Math.clamp(1 - sum, 0.0, 2.0));
      case DOT -> dotDistance(sum);
    };
  }

  private static float dotDistance(double sum) {
    if (Fault.DOT_WITHOUT_THE_MINUS.isPresent()) {
      return (float) sum;
    }
    return Fault.NEGATIVE_ZERO_AS_DISTANCE.isPresent() ? (float) -sum : (float) -sum + 0.0f;
  }

  /** ‖a‖² + ‖b‖² − 2ab in float, as matrix products have it. */
  private float blasDistance(float[] a, float[] b) {
    float squares = 0;
    float dot = 0;
    for (int i = 0; i < dimension; i++) {
      squares += a[i] * a[i] + b[i] * b[i];
      dot += a[i] * b[i];
    }
    return switch (spec.metric()) {
      case L2 -> (float) Math.sqrt(Math.max(0, squares - 2 * dot));
      case COSINE -> Math.clamp(1 - dot, 0f, 2f);
      case DOT -> -dot + 0.0f;
    };
  }

  private double sum(float[] a, float[] b) {
    double[] lanes = new double[8];
    int last = Fault.ONE_ACCUMULATOR.isPresent() ? 0 : 7;
    boolean inFloat = Fault.FLOAT_ACCUMULATORS.isPresent();
    boolean squares = spec.metric() == Metric.L2;
    for (int i = 0; i < dimension; i++) {
      double t = (double) a[i] - (double) b[i];
      lanes[i & last] += squares ? t * t : (double) a[i] * (double) b[i];
      if (inFloat) {
        lanes[i & last] = (float) lanes[i & last];
      }
    }
    if (Fault.LANES_ADDED_LEFT_TO_RIGHT.isPresent()) {
      return Arrays.stream(lanes).reduce(0, Double::sum);
    }
    return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6]))
        + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
  }
}
