package io.github.panvec.sqlitevec;

import io.github.panvec.DuplicateIdException;
import io.github.panvec.IndexSpec;
import io.github.panvec.Limits;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchPath;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.bindings.sqlitevec.PanvecSqlitevec;
import io.github.panvec.engine.NativeStatus;
import io.github.panvec.spi.HitSegments;
import io.github.panvec.spi.Vectors;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * One connection to one database: native memory, marshalling and status codes. One thread at a time
 * uses it; {@link ConnectionPool} sees to that.
 *
 * <p>The native handle belongs to a shared arena and is itself passed to each call, so that the JVM
 * would not let it be freed under a running one.
 */
final class SqliteVecConnection implements AutoCloseable {
  /**
   * A batch crosses in slices of this size, so that a batch from the heap needs no second copy of
   * its full size.
   */
  private static final long SLICE_BYTES = 4L << 20;

  /** Room for so many hits is made at once; for more, when it is known how many there are. */
  private static final int FEW_HITS = 4096;

  /** Room for ids that are not expected. */
  private static final long FEW_IDS = 64;

  private static final Pattern ROW = Pattern.compile("^(inserting row )(\\d+)");

  private final Arena arena = Arena.ofShared();
  private final IndexSpec spec;
  private final int dimension;
  private final MemorySegment handle;
  private final MemorySegment oneId = arena.allocate(ValueLayout.JAVA_LONG);
  private final MemorySegment oneVector;
  private final MemorySegment number = arena.allocate(ValueLayout.JAVA_LONG);
  private final MemorySegment numbers = arena.allocate(ValueLayout.JAVA_LONG, 4);
  private final MemorySegment component = arena.allocate(ValueLayout.JAVA_INT);
  private final MemorySegment error = arena.allocate(HitSegments.ERROR_BYTES);

  /**
   * What a database takes.
   *
   * @param freeBytes those of {@code databaseBytes} that no row uses
   * @param cacheBytes of the caches of one connection
   * @param deadRows rows that were removed and still take room
   */
  record Usage(long databaseBytes, long freeBytes, long cacheBytes, long deadRows) {}

  /** What hears how far a batch has come. */
  @FunctionalInterface
  interface Progress {
    void rows(long done);
  }

  /** Opens a connection by one of the C functions, and gives its status. */
  @FunctionalInterface
  private interface Opener {
    int open(Arena arena, MemorySegment connection, MemorySegment error);
  }

  private SqliteVecConnection(IndexSpec spec, Opener opener) {
    this.spec = spec;
    dimension = spec.dimension();
    boolean opened = false;
    try {
      oneVector = arena.allocate(ValueLayout.JAVA_FLOAT, dimension);
      MemorySegment place = arena.allocate(ValueLayout.ADDRESS);
      check(opener.open(arena, place, error));
      handle =
          place
              .get(ValueLayout.ADDRESS, 0)
              .reinterpret(arena, PanvecSqlitevec::panvec_sqlitevec_close);
      opened = true;
    } finally {
      if (!opened) {
        arena.close();
      }
    }
  }

  /**
   * The connection that writes, and creates what does not exist.
   *
   * @param path absolute; null for a private database in memory
   */
  static SqliteVecConnection openWriter(IndexSpec spec, @Nullable String path, int busyTimeoutMs) {
    return new SqliteVecConnection(
        spec,
        (arena, connection, error) ->
            PanvecSqlitevec.panvec_sqlitevec_open(
                path == null ? MemorySegment.NULL : arena.allocateFrom(path),
                metric(spec.metric()),
                spec.dimension(),
                busyTimeoutMs,
                connection,
                error,
                HitSegments.ERROR_BYTES));
  }

  /** A connection that reads beside one that writes. */
  static SqliteVecConnection openReader(IndexSpec spec, String path, int busyTimeoutMs) {
    return new SqliteVecConnection(
        spec,
        (arena, connection, error) ->
            PanvecSqlitevec.panvec_sqlitevec_open_reader(
                arena.allocateFrom(path),
                metric(spec.metric()),
                spec.dimension(),
                busyTimeoutMs,
                connection,
                error,
                HitSegments.ERROR_BYTES));
  }

  /**
   * A connection that reads a saved database where it is.
   *
   * @param bytes native; they must outlive the connection
   * @param name what they are, for messages
   */
  static SqliteVecConnection openView(IndexSpec spec, MemorySegment bytes, String name) {
    return openBytes(spec, bytes, name, 1);
  }

  /** The connection of a database in memory that holds a copy of a saved one, which is checked. */
  static SqliteVecConnection openCopy(IndexSpec spec, MemorySegment bytes, String name) {
    return openBytes(spec, bytes, name, 0);
  }

  private static SqliteVecConnection openBytes(
      IndexSpec spec, MemorySegment bytes, String name, int view) {
    return new SqliteVecConnection(
        spec,
        (arena, connection, error) ->
            PanvecSqlitevec.panvec_sqlitevec_open_bytes(
                bytes,
                bytes.byteSize(),
                arena.allocateFrom(name),
                metric(spec.metric()),
                spec.dimension(),
                view,
                connection,
                error,
                HitSegments.ERROR_BYTES));
  }

  private static int metric(Metric metric) {
    return switch (metric) {
      case L2 -> PanvecSqlitevec.PANVEC_L2();
      case COSINE -> PanvecSqlitevec.PANVEC_COSINE();
      case DOT -> PanvecSqlitevec.PANVEC_DOT();
    };
  }

  /** Adds one vector of the right length, or replaces it. */
  void add(long id, float[] vector, boolean replace) {
    oneId.set(ValueLayout.JAVA_LONG, 0, id);
    MemorySegment.copy(vector, 0, oneVector, ValueLayout.JAVA_FLOAT, 0, dimension);
    addSlice(oneId, oneVector, 1, 0, replace, Limits.NONE, "the write");
  }

  /**
   * Adds {@code count} rows, all or none, or replaces them.
   *
   * @param progress called before anything is committed; null when nobody wants to know
   * @param what the call, for the message of what a limit throws
   */
  void addAll(
      MemorySegment ids,
      MemorySegment vectors,
      long count,
      boolean replace,
      Limits limits,
      @Nullable Progress progress,
      String what) {
    long rowsPerSlice = Math.max(1, SLICE_BYTES / ((long) dimension * Float.BYTES));
    try (Arena scratch = Arena.ofConfined()) {
      Slices idSlices = new Slices(ids, Long.BYTES, rowsPerSlice, count, scratch);
      Slices rowSlices =
          new Slices(vectors, (long) dimension * Float.BYTES, rowsPerSlice, count, scratch);
      if (count <= rowsPerSlice && progress == null) {
        // One call is a transaction by itself.
        addSlice(idSlices.at(0, count), rowSlices.at(0, count), count, 0, replace, limits, what);
        return;
      }
      inTransaction(
          limits,
          what,
          () -> {
            for (long first = 0; first < count; first += rowsPerSlice) {
              long rows = Math.min(rowsPerSlice, count - first);
              addSlice(
                  idSlices.at(first, rows),
                  rowSlices.at(first, rows),
                  rows,
                  first,
                  replace,
                  limits,
                  what);
              if (progress != null && first + rows < count) {
                progress.rows(first + rows);
              }
            }
            if (progress != null) {
              progress.rows(count);
            }
            limits.check(what);
          });
    }
  }

  /**
   * Makes one transaction of several writes: when {@code writes} throws, nothing of them stays.
   * What is committed stays, whatever {@code limits} say meanwhile: they only end what follows.
   */
  void inTransaction(Limits limits, String what, Runnable writes) {
    check(
        PanvecSqlitevec.panvec_sqlitevec_begin(
            handle, limits.flag(), limits.nanosLeft(), error, HitSegments.ERROR_BYTES),
        limits,
        what);
    boolean committed = false;
    try {
      writes.run();
      check(
          PanvecSqlitevec.panvec_sqlitevec_commit(
              handle, limits.flag(), limits.nanosLeft(), error, HitSegments.ERROR_BYTES));
      committed = true;
    } finally {
      if (!committed) {
        // A failure of its own would hide the first one, which matters more.
        PanvecSqlitevec.panvec_sqlitevec_rollback(handle, MemorySegment.NULL, 0);
      }
    }
  }

  private void addSlice(
      MemorySegment ids,
      MemorySegment rows,
      long count,
      long firstRow,
      boolean replace,
      Limits limits,
      String what) {
    int status =
        PanvecSqlitevec.panvec_sqlitevec_add(
            handle,
            ids,
            rows,
            count,
            replace ? 1 : 0,
            limits.flag(),
            limits.nanosLeft(),
            number,
            component,
            error,
            HitSegments.ERROR_BYTES);
    if (status == NativeStatus.OK) {
      return;
    }
    if (status == NativeStatus.DUPLICATE_ID) {
      long row = number.get(ValueLayout.JAVA_LONG, 0);
      throw new DuplicateIdException(ids.getAtIndex(ValueLayout.JAVA_LONG, row), firstRow + row);
    }
    if (status == NativeStatus.INVALID_VECTOR) {
      throw Vectors.invalid(
          rows,
          number.get(ValueLayout.JAVA_LONG, 0),
          component.get(ValueLayout.JAVA_INT, 0),
          dimension,
          firstRow);
    }
    if (status == NativeStatus.STOPPED) {
      check(status, limits, what);
    }
    throw NativeStatus.exception(status, inBatch(error.getString(0), firstRow));
  }

  /**
   * The native side counts rows from the start of the slice, people from the start of the batch.
   */
  private static String inBatch(String message, long firstRow) {
    Matcher row = ROW.matcher(message);
    return firstRow == 0 || !row.find()
        ? message
        : row.group(1) + (firstRow + Long.parseLong(row.group(2))) + message.substring(row.end());
  }

  /** Removes, all at once; returns how many were there. */
  int removeAll(long[] ids) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment copy = ids.length == 1 ? oneId : scratch.allocate(8L * ids.length, 8);
      MemorySegment.copy(ids, 0, copy, ValueLayout.JAVA_LONG, 0, ids.length);
      check(
          PanvecSqlitevec.panvec_sqlitevec_remove(
              handle, copy, ids.length, number, error, HitSegments.ERROR_BYTES));
      return (int) number.get(ValueLayout.JAVA_LONG, 0);
    }
  }

  /**
   * A slice of a compaction, of some milliseconds.
   *
   * @param state three int64, zero at first and kept from slice to slice
   * @param finished int32, not zero after the last slice
   * @return how many rows it has passed
   */
  long compact(MemorySegment state, MemorySegment finished, Limits limits) {
    check(
        PanvecSqlitevec.panvec_sqlitevec_compact(
            handle,
            state,
            limits.flag(),
            limits.nanosLeft(),
            number,
            finished,
            error,
            HitSegments.ERROR_BYTES),
        limits,
        "the compaction");
    return number.get(ValueLayout.JAVA_LONG, 0);
  }

  /** Writes the state that this connection sees into a new file, which nothing lies beside. */
  void save(Path file) {
    try (Arena scratch = Arena.ofConfined()) {
      check(
          PanvecSqlitevec.panvec_sqlitevec_save(
              handle, scratch.allocateFrom(file.toString()), error, HitSegments.ERROR_BYTES));
    }
  }

  /** Begins a copy of this database, which is in memory. */
  Copy beginCopy() {
    return new Copy();
  }

  /** A copy in the making. Its methods are calls on the connection. */
  final class Copy implements AutoCloseable {
    private final MemorySegment copy;
    private boolean closed;

    private Copy() {
      try (Arena scratch = Arena.ofConfined()) {
        MemorySegment place = scratch.allocate(ValueLayout.ADDRESS);
        check(
            PanvecSqlitevec.panvec_sqlitevec_copy_begin(
                handle, place, error, HitSegments.ERROR_BYTES));
        copy = place.get(ValueLayout.ADDRESS, 0);
      }
    }

    /**
     * Copies for some milliseconds, or to the end when there were writes since the last call.
     *
     * @return a connection on the copy when it is complete, in the state of now
     */
    @Nullable SqliteVecConnection next() {
      try (Arena scratch = Arena.ofConfined()) {
        MemorySegment place = scratch.allocate(ValueLayout.ADDRESS);
        check(
            PanvecSqlitevec.panvec_sqlitevec_copy_next(
                copy, place, error, HitSegments.ERROR_BYTES));
        MemorySegment copied = place.get(ValueLayout.ADDRESS, 0);
        if (copied.equals(MemorySegment.NULL)) {
          return null;
        }
        return new SqliteVecConnection(
            spec,
            (arena, connection, noError) -> {
              connection.set(ValueLayout.ADDRESS, 0, copied);
              return NativeStatus.OK;
            });
      }
    }

    /** A second call does nothing. */
    @Override
    public void close() {
      if (!closed) {
        closed = true;
        PanvecSqlitevec.panvec_sqlitevec_copy_end(copy);
      }
    }
  }

  /** What is read until {@link #endRead} is of one state of the database. */
  void beginRead() {
    check(PanvecSqlitevec.panvec_sqlitevec_begin_read(handle, error, HitSegments.ERROR_BYTES));
  }

  void endRead() {
    // Nothing to lose, and a failure of its own would hide another one.
    PanvecSqlitevec.panvec_sqlitevec_end_read(handle, MemorySegment.NULL, 0);
  }

  boolean contains(long id) {
    return read(id, MemorySegment.NULL);
  }

  float @Nullable [] get(long id) {
    return read(id, oneVector) ? oneVector.toArray(ValueLayout.JAVA_FLOAT) : null;
  }

  private boolean read(long id, MemorySegment row) {
    int status =
        PanvecSqlitevec.panvec_sqlitevec_get(handle, id, row, error, HitSegments.ERROR_BYTES);
    if (status == NativeStatus.NOT_FOUND) {
      return false;
    }
    check(status);
    return true;
  }

  long size() {
    check(PanvecSqlitevec.panvec_sqlitevec_size(handle, number, error, HitSegments.ERROR_BYTES));
    return number.get(ValueLayout.JAVA_LONG, 0);
  }

  /** Reads the ids of all rows, to count those that were removed. */
  Usage usage() {
    measure(numbers.asSlice(3 * Long.BYTES));
    return new Usage(
        numbers.getAtIndex(ValueLayout.JAVA_LONG, 0),
        numbers.getAtIndex(ValueLayout.JAVA_LONG, 1),
        numbers.getAtIndex(ValueLayout.JAVA_LONG, 2),
        numbers.getAtIndex(ValueLayout.JAVA_LONG, 3));
  }

  /** {@link Usage#cacheBytes} alone, which is quick. */
  long cacheBytes() {
    measure(MemorySegment.NULL);
    return numbers.getAtIndex(ValueLayout.JAVA_LONG, 2);
  }

  private void measure(MemorySegment deadRows) {
    check(
        PanvecSqlitevec.panvec_sqlitevec_usage(
            handle,
            numbers,
            numbers.asSlice(Long.BYTES),
            numbers.asSlice(2 * Long.BYTES),
            deadRows,
            error,
            HitSegments.ERROR_BYTES));
  }

  /** The ids of all rows, ascending. Between {@link #beginRead} and {@link #endRead} only. */
  long[] ids(Limits limits) {
    return ids(NativeFilter.NONE, size(), limits);
  }

  /**
   * The ids of rows that are not among {@code known}, ascending. Between {@link #beginRead} and
   * {@link #endRead} only.
   *
   * @param known ascending, without duplicates
   */
  long[] idsBesides(long[] known, Limits limits) {
    try (Arena scratch = Arena.ofConfined()) {
      return ids(NativeFilter.ofSorted(known, true, scratch), FEW_IDS, limits);
    }
  }

  private long[] ids(NativeFilter filter, long expected, Limits limits) {
    for (long capacity = expected; ; capacity = number.get(ValueLayout.JAVA_LONG, 0)) {
      try (Arena room = Arena.ofConfined()) {
        MemorySegment ids = room.allocate(ValueLayout.JAVA_LONG, Math.max(1, capacity));
        check(
            PanvecSqlitevec.panvec_sqlitevec_ids(
                handle,
                filter.steps(),
                filter.count(),
                limits.flag(),
                limits.nanosLeft(),
                ids,
                capacity,
                number,
                error,
                HitSegments.ERROR_BYTES),
            limits,
            "the search");
        long count = number.get(ValueLayout.JAVA_LONG, 0);
        if (count <= capacity) {
          return ids.asSlice(0, count * Long.BYTES).toArray(ValueLayout.JAVA_LONG);
        }
      }
    }
  }

  /** Searches into memory of its own; hits beyond {@code radius} are left out. */
  SearchResult search(SearchRequest request, NativeFilter filter, float radius) {
    int capacity = Math.min(request.k(), FEW_HITS);
    try (Arena room = Arena.ofConfined()) {
      HitSegments few = HitSegments.allocate(room, capacity);
      NativeStatus.check(
          search(request, filter, radius, few, capacity),
          few.error(),
          request.limits(),
          "the search");
      int count = (int) few.outputs().get(ValueLayout.JAVA_LONG, 0);
      if (count <= capacity) {
        return few.toResult(count, SearchPath.SCAN);
      }
      HitSegments all = HitSegments.allocate(room, count);
      check(
          PanvecSqlitevec.panvec_sqlitevec_take_hits(
              handle, all.ids(), all.distances(), count, error, HitSegments.ERROR_BYTES));
      return all.toResult(count, SearchPath.SCAN);
    }
  }

  /** Searches into the caller's buffer; nothing is allocated. */
  void search(SearchRequest request, NativeFilter filter, SearchBuffer buffer) {
    buffer.setCount(0);
    if (buffer.capacity() < request.k()) {
      Vectors.checkBuffer(buffer, spec, Math.min(request.k(), size()));
    }
    HitSegments hits = buffer.hits();
    NativeStatus.check(
        search(request, filter, Float.POSITIVE_INFINITY, hits, buffer.capacity()),
        hits.error(),
        request.limits(),
        "the search");
    long count = hits.outputs().get(ValueLayout.JAVA_LONG, 0);
    // More rows may have come since the question for the size.
    Vectors.checkBuffer(buffer, spec, count);
    buffer.setCount((int) count);
    buffer.setPath(SearchPath.SCAN);
  }

  private int search(
      SearchRequest request, NativeFilter filter, float radius, HitSegments hits, int capacity) {
    MemorySegment query = request.query();
    if (!query.isNative()) {
      MemorySegment.copy(query, 0, oneVector, 0, oneVector.byteSize());
      query = oneVector;
    }
    Limits limits = request.limits();
    return PanvecSqlitevec.panvec_sqlitevec_search(
        handle,
        query,
        request.k(),
        radius,
        filter.steps(),
        filter.count(),
        limits.flag(),
        limits.nanosLeft(),
        hits.ids(),
        hits.distances(),
        capacity,
        hits.outputs(),
        hits.error(),
        HitSegments.ERROR_BYTES);
  }

  private void check(int status, Limits limits, String what) {
    NativeStatus.check(status, error, limits, what);
  }

  private void check(int status) {
    NativeStatus.check(status, error);
  }

  /** A second call does nothing. */
  @Override
  public void close() {
    if (arena.scope().isAlive()) {
      arena.close();
    }
  }
}
