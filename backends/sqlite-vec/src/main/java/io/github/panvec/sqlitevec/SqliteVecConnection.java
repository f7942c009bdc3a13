package io.github.panvec.sqlitevec;

import io.github.panvec.DuplicateIdException;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.bindings.sqlitevec.PanvecSqlitevec;
import io.github.panvec.engine.NativeStatus;
import io.github.panvec.spi.HitSegments;
import io.github.panvec.spi.Vectors;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
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

  /** Up to this k the room for the hits is made without asking for the size first. */
  private static final int SMALL_K = 4096;

  /** How often a search is tried while other threads or processes add rows. */
  private static final int MOST_ATTEMPTS = 8;

  private static final int ROOM_FOR_NEWCOMERS = 4096;

  private static final Pattern ROW = Pattern.compile("^(inserting row )(\\d+)");

  private final Arena arena = Arena.ofShared();
  private final IndexSpec spec;
  private final int dimension;
  private final MemorySegment handle;
  private final MemorySegment oneId = arena.allocate(ValueLayout.JAVA_LONG);
  private final MemorySegment oneVector;
  private final MemorySegment number = arena.allocate(ValueLayout.JAVA_LONG);
  private final MemorySegment secondNumber = arena.allocate(ValueLayout.JAVA_LONG);
  private final MemorySegment component = arena.allocate(ValueLayout.JAVA_INT);
  private final MemorySegment error = arena.allocate(HitSegments.ERROR_BYTES);

  /** Bytes of a database, and of the caches of one connection to it. */
  record Memory(long databaseBytes, long cacheBytes) {}

  /** The C functions that open a connection. */
  @FunctionalInterface
  private interface Opener {
    int open(
        MemorySegment path,
        int metric,
        int dim,
        int busyTimeoutMs,
        MemorySegment connection,
        MemorySegment error,
        int errorCapacity);
  }

  private SqliteVecConnection(
      IndexSpec spec, @Nullable String path, int busyTimeoutMs, Opener opener) {
    this.spec = spec;
    dimension = spec.dimension();
    boolean opened = false;
    try {
      oneVector = arena.allocate(ValueLayout.JAVA_FLOAT, dimension);
      MemorySegment place = arena.allocate(ValueLayout.ADDRESS);
      MemorySegment file = path == null ? MemorySegment.NULL : arena.allocateFrom(path);
      check(
          opener.open(
              file,
              metric(spec.metric()),
              dimension,
              busyTimeoutMs,
              place,
              error,
              HitSegments.ERROR_BYTES));
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
        spec, path, busyTimeoutMs, PanvecSqlitevec::panvec_sqlitevec_open);
  }

  /** A connection that reads beside one that writes. */
  static SqliteVecConnection openReader(IndexSpec spec, String path, int busyTimeoutMs) {
    return new SqliteVecConnection(
        spec, path, busyTimeoutMs, PanvecSqlitevec::panvec_sqlitevec_open_reader);
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
    addSlice(oneId, oneVector, 1, 0, replace);
  }

  /** Adds {@code count} rows, all or none. */
  void addAll(MemorySegment ids, MemorySegment vectors, long count) {
    long rowsPerSlice = Math.max(1, SLICE_BYTES / ((long) dimension * Float.BYTES));
    try (Arena scratch = Arena.ofConfined()) {
      Slices idSlices = new Slices(ids, Long.BYTES, rowsPerSlice, count, scratch);
      Slices rowSlices =
          new Slices(vectors, (long) dimension * Float.BYTES, rowsPerSlice, count, scratch);
      if (count <= rowsPerSlice) {
        // One call is a transaction by itself.
        addSlice(idSlices.at(0, count), rowSlices.at(0, count), count, 0, false);
        return;
      }
      inTransaction(
          () -> {
            for (long first = 0; first < count; first += rowsPerSlice) {
              long rows = Math.min(rowsPerSlice, count - first);
              addSlice(idSlices.at(first, rows), rowSlices.at(first, rows), rows, first, false);
            }
          });
    }
  }

  /** Makes one transaction of several writes: when {@code writes} throws, nothing of them stays. */
  void inTransaction(Runnable writes) {
    check(PanvecSqlitevec.panvec_sqlitevec_begin(handle, error, HitSegments.ERROR_BYTES));
    boolean committed = false;
    try {
      writes.run();
      check(PanvecSqlitevec.panvec_sqlitevec_commit(handle, error, HitSegments.ERROR_BYTES));
      committed = true;
    } finally {
      if (!committed) {
        // A failure of its own would hide the first one, which matters more.
        PanvecSqlitevec.panvec_sqlitevec_rollback(handle, MemorySegment.NULL, 0);
      }
    }
  }

  private void addSlice(
      MemorySegment ids, MemorySegment rows, long count, long firstRow, boolean replace) {
    int status =
        PanvecSqlitevec.panvec_sqlitevec_add(
            handle,
            ids,
            rows,
            count,
            replace ? 1 : 0,
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

  boolean remove(long id) {
    oneId.set(ValueLayout.JAVA_LONG, 0, id);
    check(
        PanvecSqlitevec.panvec_sqlitevec_remove(
            handle, oneId, 1, number, error, HitSegments.ERROR_BYTES));
    return number.get(ValueLayout.JAVA_LONG, 0) > 0;
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

  Memory memory() {
    check(
        PanvecSqlitevec.panvec_sqlitevec_memory(
            handle, number, secondNumber, error, HitSegments.ERROR_BYTES));
    return new Memory(
        number.get(ValueLayout.JAVA_LONG, 0), secondNumber.get(ValueLayout.JAVA_LONG, 0));
  }

  /** Searches into memory of its own. */
  SearchResult search(SearchRequest request) {
    int capacity = request.k() <= SMALL_K ? request.k() : (int) Math.min(request.k(), size());
    try (Arena scratch = Arena.ofConfined()) {
      NativeFilter filter = NativeFilter.of(request.idFilter(), scratch);
      for (int attempt = 1; ; attempt++) {
        try (Arena room = Arena.ofConfined()) {
          HitSegments hits = HitSegments.allocate(room, capacity);
          int status = search(request, filter, hits, capacity);
          if (status == NativeStatus.OK) {
            return hits.toResult((int) hits.outputs().get(ValueLayout.JAVA_LONG, 0));
          }
          if (!isTooLittleRoom(status, capacity, request) || attempt == MOST_ATTEMPTS) {
            throw NativeStatus.exception(status, hits.error().getString(0));
          }
        }
        capacity = (int) Math.min(request.k(), Math.max(capacity, size()) + ROOM_FOR_NEWCOMERS);
      }
    }
  }

  /** Rows come and go between the question for the size and the search. */
  private static boolean isTooLittleRoom(int status, int capacity, SearchRequest request) {
    return status == NativeStatus.INVALID_ARGUMENT && capacity < request.k();
  }

  /** Searches into the caller's buffer; without a filter nothing is allocated. */
  void search(SearchRequest request, SearchBuffer buffer) {
    buffer.setCount(0);
    if (buffer.capacity() < request.k()) {
      Vectors.checkBuffer(buffer, spec, Math.min(request.k(), size()));
    }
    IdFilter filter = request.idFilter();
    if (filter == null) {
      search(request, NativeFilter.NONE, buffer);
      return;
    }
    try (Arena scratch = Arena.ofConfined()) {
      search(request, NativeFilter.of(filter, scratch), buffer);
    }
  }

  private void search(SearchRequest request, NativeFilter filter, SearchBuffer buffer) {
    HitSegments hits = buffer.hits();
    int status = search(request, filter, hits, buffer.capacity());
    for (int attempt = 1;
        isTooLittleRoom(status, buffer.capacity(), request) && attempt < MOST_ATTEMPTS;
        attempt++) {
      Vectors.checkBuffer(buffer, spec, Math.min(request.k(), size()));
      status = search(request, filter, hits, buffer.capacity());
    }
    NativeStatus.check(status, hits.error());
    buffer.setCount((int) hits.outputs().get(ValueLayout.JAVA_LONG, 0));
  }

  private int search(SearchRequest request, NativeFilter filter, HitSegments hits, int capacity) {
    MemorySegment query = request.query();
    if (!query.isNative()) {
      MemorySegment.copy(query, 0, oneVector, 0, oneVector.byteSize());
      query = oneVector;
    }
    return PanvecSqlitevec.panvec_sqlitevec_search(
        handle,
        query,
        request.k(),
        filter.ids(),
        filter.idCount(),
        filter.bitmap(),
        filter.firstId(),
        filter.words(),
        hits.ids(),
        hits.distances(),
        capacity,
        hits.outputs(),
        hits.error(),
        HitSegments.ERROR_BYTES);
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
