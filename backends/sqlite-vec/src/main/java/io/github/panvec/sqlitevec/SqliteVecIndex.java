package io.github.panvec.sqlitevec;

import io.github.panvec.Capabilities;
import io.github.panvec.DuplicateIdException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexIoException;
import io.github.panvec.IndexSpec;
import io.github.panvec.IndexStats;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Limits;
import io.github.panvec.ProgressListener;
import io.github.panvec.RangeResult;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.WriteOptions;
import io.github.panvec.engine.DistinctIds;
import io.github.panvec.snapshot.ExportedFile;
import io.github.panvec.snapshot.SnapshotContent;
import io.github.panvec.snapshot.SnapshotContents;
import io.github.panvec.snapshot.SnapshotReader;
import io.github.panvec.snapshot.SnapshotWriter;
import io.github.panvec.spi.SavableIndex;
import io.github.panvec.spi.Vectors;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.CopyOption;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * An index that is a database. A database has ids, transactions and snapshots of its own, so there
 * are no slots here.
 */
final class SqliteVecIndex implements SavableIndex {
  private static final Capabilities CAPABILITIES = new SqliteVecBackend().capabilities();

  /** The file of a snapshot. */
  private static final String DATABASE = "database.sqlite";

  /** The calls, for messages. */
  private static final String SEARCH = "the search";

  private static final String COMPACTION = "the compaction";

  /** Stands for this index in filters that were prepared for it. */
  private final Object identity = new Object();

  private final IndexSpec spec;
  private final @Nullable Path file;
  private final ConnectionPool connections;
  private final int dimension;

  /** What a view reads from, else null. */
  private final @Nullable Viewed viewed;

  /**
   * A snapshot in use.
   *
   * @param name for messages
   * @param copies of bytes that cannot be used where they are
   */
  private record Viewed(SnapshotReader reader, MemorySegment bytes, String name, Arena copies) {
    synchronized void close() {
      if (copies.scope().isAlive()) {
        copies.close();
      }
      reader.close();
    }
  }

  private SqliteVecIndex(
      IndexSpec spec, @Nullable Path file, @Nullable Viewed viewed, ConnectionPool connections) {
    this.spec = spec;
    this.file = file;
    this.viewed = viewed;
    this.connections = connections;
    dimension = spec.dimension();
  }

  /** Opens what the parameter {@code path} names, or an empty database in memory. */
  static SqliteVecIndex open(IndexSpec spec) {
    Map<String, Object> parameters = spec.parameters();
    int busyTimeoutMs = busyTimeoutMs(spec);
    Object given = parameters.get(SqliteVecBackend.PATH);
    if (given == null) {
      SqliteVecConnection only = SqliteVecConnection.openWriter(spec, null, busyTimeoutMs);
      return new SqliteVecIndex(spec, null, null, ConnectionPool.inMemory(only));
    }
    // Absolute, so that a relative name like ":memory:" is a file all the same.
    Path file = Path.of(given.toString()).toAbsolutePath();
    SqliteVecConnection writer =
        SqliteVecConnection.openWriter(spec, file.toString(), busyTimeoutMs);
    return new SqliteVecIndex(
        spec,
        file,
        null,
        ConnectionPool.overFile(
            writer,
            () -> SqliteVecConnection.openReader(spec, file.toString(), busyTimeoutMs),
            readers(spec)));
  }

  private static int busyTimeoutMs(IndexSpec spec) {
    return ((Number) spec.parameters().get(SqliteVecBackend.BUSY_TIMEOUT_MS)).intValue();
  }

  private static int readers(IndexSpec spec) {
    return ((Number) spec.parameters().get(SqliteVecBackend.READERS)).intValue();
  }

  /** An index in memory with what was saved. */
  static SqliteVecIndex load(IndexSpec spec, SnapshotReader reader) {
    SqliteVecConnection only;
    try (Arena copies = Arena.ofConfined()) {
      MemorySegment bytes = readable(reader.file(DATABASE), copies);
      only = SqliteVecConnection.openCopy(spec, bytes, name(reader));
    }
    boolean opened = false;
    try {
      checkSize(reader, only);
      long dead = only.usage().deadRows();
      if (dead != reader.manifest().dead()) {
        throw reader.corrupt(
            DATABASE,
            "it holds " + dead + " removed rows; the manifest says " + reader.manifest().dead());
      }
      opened = true;
      return new SqliteVecIndex(spec, null, null, ConnectionPool.inMemory(only));
    } finally {
      if (!opened) {
        only.close();
      }
    }
  }

  /** A read-only index over what was saved. */
  static SqliteVecIndex view(IndexSpec spec, SnapshotReader reader) {
    Arena copies = Arena.ofShared();
    SqliteVecConnection first = null;
    boolean opened = false;
    try {
      MemorySegment bytes = readable(reader.file(DATABASE), copies);
      Viewed viewed = new Viewed(reader, bytes, name(reader), copies);
      first = SqliteVecConnection.openView(spec, bytes, viewed.name());
      checkSize(reader, first);
      SqliteVecIndex view =
          new SqliteVecIndex(
              spec,
              null,
              viewed,
              ConnectionPool.readOnly(
                  first,
                  () -> SqliteVecConnection.openView(spec, bytes, viewed.name()),
                  readers(spec)));
      opened = true;
      return view;
    } finally {
      if (!opened) {
        if (first != null) {
          first.close();
        }
        copies.close();
      }
    }
  }

  /** The same bytes where native code can read them. */
  private static MemorySegment readable(MemorySegment file, Arena arena) {
    boolean aligned = file.isNative() && file.address() % Long.BYTES == 0;
    return aligned ? file : arena.allocate(file.byteSize(), Long.BYTES).copyFrom(file);
  }

  /** What the database is called in messages, as {@link SnapshotReader#corrupt} does. */
  private static String name(SnapshotReader reader) {
    return reader
        .path(DATABASE)
        .map(Path::toString)
        .orElseGet(
            () ->
                reader.manifest().files().stream()
                    .filter(entry -> entry.name().equals(DATABASE))
                    .map(entry -> reader + ", " + entry.path())
                    .findFirst()
                    .orElse(DATABASE));
  }

  private static void checkSize(SnapshotReader reader, SqliteVecConnection connection) {
    long size = connection.size();
    if (size != reader.manifest().size()) {
      throw reader.corrupt(
          DATABASE, "it holds " + size + " rows; the manifest says " + reader.manifest().size());
    }
  }

  private void refuseIfView() {
    if (viewed != null) {
      throw new UnsupportedOperationException(
          "a view of a snapshot is read-only; Panvec.open gives an index that can be written to");
    }
  }

  @Override
  public IndexSpec spec() {
    return spec;
  }

  @Override
  public Capabilities capabilities() {
    return CAPABILITIES;
  }

  @Override
  public long size() {
    return read(SqliteVecConnection::size);
  }

  @Override
  public boolean contains(long id) {
    return read(reader -> reader.contains(id));
  }

  @Override
  public Optional<float[]> get(long id) {
    return read(reader -> Optional.ofNullable(reader.get(id)));
  }

  @Override
  public List<Optional<float[]>> getAll(long... ids) {
    return read(
        reader ->
            ofOneState(
                reader,
                () -> {
                  List<Optional<float[]>> rows = new ArrayList<>(ids.length);
                  for (long id : ids) {
                    rows.add(Optional.ofNullable(reader.get(id)));
                  }
                  return List.copyOf(rows);
                }));
  }

  @Override
  public long[] ids() {
    return read(reader -> ofOneState(reader, () -> reader.ids(Limits.NONE)));
  }

  private <T> T read(Function<SqliteVecConnection, T> reading) {
    return read(Limits.NONE, "reading", reading);
  }

  private <T> T read(Limits limits, String what, Function<SqliteVecConnection, T> reading) {
    SqliteVecConnection reader = connections.acquireReader(limits, what);
    try {
      return reading.apply(reader);
    } finally {
      connections.releaseReader(reader);
    }
  }

  private static <T> T ofOneState(SqliteVecConnection reader, Supplier<T> reading) {
    reader.beginRead();
    try {
      return reading.get();
    } finally {
      reader.endRead();
    }
  }

  @Override
  public void add(long id, float[] vector) {
    write(id, vector, false);
  }

  @Override
  public void upsert(long id, float[] vector) {
    write(id, vector, true);
  }

  private void write(long id, float[] vector, boolean replace) {
    refuseIfView();
    Vectors.checkDimension("vector", vector.length, dimension);
    SqliteVecConnection writer = connections.acquireWriter(Limits.NONE, "writing");
    try {
      writer.add(id, vector, replace);
    } finally {
      connections.releaseWriter();
    }
  }

  @Override
  public void addAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    writeAll(ids, vectors, false, options);
  }

  @Override
  public void upsertAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    writeAll(ids, vectors, true, options);
  }

  private void writeAll(
      MemorySegment ids, MemorySegment vectors, boolean replace, WriteOptions options) {
    refuseIfView();
    String what = replace ? "upserting the batch" : "adding the batch";
    long count = Vectors.checkBatch(ids, vectors, dimension);
    Limits limits = options.limits();
    limits.check(what);
    if (replace && count > 1) {
      // The database would take the second row for a replacement of the first.
      requireDistinct(ids.toArray(ValueLayout.JAVA_LONG_UNALIGNED));
    }
    ProgressListener listener = options.listener();
    SqliteVecConnection writer = connections.acquireWriter(limits, what);
    try {
      writer.addAll(
          ids,
          vectors,
          count,
          replace,
          limits,
          listener == null ? null : done -> tell(listener, done, count),
          what);
    } finally {
      connections.releaseWriter();
    }
  }

  private void tell(ProgressListener listener, long done, long total) {
    connections.host(ConnectionPool.Guest.LISTENER, () -> listener.progress(done, total));
  }

  private static void requireDistinct(long[] ids) {
    int twice = DistinctIds.firstRepeated(ids);
    if (twice >= 0) {
      throw new DuplicateIdException(ids[twice], twice);
    }
  }

  @Override
  public int removeAll(long... ids) {
    refuseIfView();
    SqliteVecConnection writer = connections.acquireWriter(Limits.NONE, "removing");
    try {
      return writer.removeAll(ids);
    } finally {
      connections.releaseWriter();
    }
  }

  @Override
  public SearchResult search(SearchRequest request) {
    return search(request, Float.POSITIVE_INFINITY);
  }

  private SearchResult search(SearchRequest request, float radius) {
    Vectors.checkRequest(request, 1, spec, CAPABILITIES.maxK());
    return searching(request, (reader, filter) -> reader.search(request, filter, radius));
  }

  @Override
  public void search(SearchRequest request, SearchBuffer buffer) {
    Objects.requireNonNull(buffer, "buffer");
    Vectors.checkRequest(request, 1, spec, CAPABILITIES.maxK());
    Vectors.checkBuffer(buffer, spec, 1);
    if (request.idFilter() != null) {
      searching(
          request,
          (reader, filter) -> {
            reader.search(request, filter, buffer);
            return buffer;
          });
      return;
    }
    // Without garbage.
    request.limits().check(SEARCH);
    SqliteVecConnection reader = connections.acquireReader(request.limits(), SEARCH);
    try {
      reader.search(request, NativeFilter.NONE, buffer);
    } finally {
      connections.releaseReader(reader);
    }
  }

  /** By the same native search that knows when the rest is too far away, or by a scan. */
  @Override
  public RangeResult searchRange(SearchRequest request, float radius) {
    Vectors.checkRadius(radius, spec.metric());
    return RangeResult.within(radius, search(request, radius), request.k(), false);
  }

  /** One after another, on one connection, in one state of the database. */
  @Override
  public List<SearchResult> searchAll(SearchRequest request) {
    int count = Vectors.countQueries(request.query(), spec);
    Vectors.checkRequest(request, count, spec, CAPABILITIES.maxK());
    return searching(
        request,
        (reader, filter) -> {
          // With a predicate it is one state already.
          return NativeFilter.needsJava(request.idFilter())
              ? searchEach(reader, filter, request, count)
              : ofOneState(reader, () -> searchEach(reader, filter, request, count));
        });
  }

  private List<SearchResult> searchEach(
      SqliteVecConnection reader, NativeFilter filter, SearchRequest request, int count) {
    long rowBytes = (long) dimension * Float.BYTES;
    List<SearchResult> results = new ArrayList<>(count);
    for (int i = 0; i < count; i++) {
      MemorySegment query = request.query().asSlice(i * rowBytes, rowBytes);
      try {
        results.add(reader.search(request.query(query), filter, Float.POSITIVE_INFINITY));
      } catch (InvalidVectorException invalid) {
        throw new InvalidVectorException("query " + i + " of the batch: " + invalid.getMessage());
      }
    }
    return List.copyOf(results);
  }

  /** Runs with the filter of {@code request}, on a connection that sees what it was made for. */
  private <T> T searching(
      SearchRequest request, BiFunction<SqliteVecConnection, NativeFilter, T> search) {
    Limits limits = request.limits();
    limits.check(SEARCH);
    IdFilter filter = request.idFilter();
    PreparedFilter prepared =
        filter instanceof PreparedFilter given && given.isOf(identity)
            ? given
            : NativeFilter.needsJava(filter) ? new PreparedFilter(this, filter) : null;
    SqliteVecConnection reader = connections.acquireReader(limits, SEARCH);
    try {
      if (prepared != null && prepared.verdicts() != null) {
        return searching(reader, prepared.verdicts(), limits, search);
      }
      if (prepared != null) {
        return search.apply(reader, prepared.copy());
      }
      try (Arena scratch = Arena.ofConfined()) {
        return search.apply(reader, NativeFilter.of(filter, scratch));
      }
    } finally {
      connections.releaseReader(reader);
    }
  }

  /**
   * Asks a predicate about the rows of one state of the database, as far as it has not been asked
   * before, and searches in that state.
   */
  private <T> T searching(
      SqliteVecConnection reader,
      Verdicts verdicts,
      Limits limits,
      BiFunction<SqliteVecConnection, NativeFilter, T> search) {
    return ofOneState(
        reader,
        () -> {
          Verdicts.State state = verdicts.state();
          long[] unknown = reader.idsBesides(state.known(), limits);
          while (unknown.length > 0) {
            long[] ids = unknown;
            connections.host(ConnectionPool.Guest.PREDICATE, () -> verdicts.learn(ids, limits));
            // Another search may have made it forget some that are gone from its own state alone.
            state = verdicts.state();
            unknown = reader.idsBesides(state.known(), limits);
          }
          if (verdicts.isBloated(reader.size())) {
            verdicts.retain(reader.ids(limits));
          }
          try (Arena scratch = Arena.ofConfined()) {
            return search.apply(reader, NativeFilter.ofSorted(state.accepted(), false, scratch));
          }
        });
  }

  @Override
  public IdFilter prepare(IdFilter filter) {
    Objects.requireNonNull(filter, "filter");
    if (filter instanceof PreparedFilter already && already.isOf(identity)) {
      return read(reader -> already);
    }
    IdFilter source = filter instanceof IdFilter.Prepared foreign ? foreign.source() : filter;
    PreparedFilter prepared = new PreparedFilter(identity, source);
    read(
        reader -> {
          if (prepared.verdicts() != null) {
            searching(reader, prepared.verdicts(), Limits.NONE, (same, accepted) -> same);
          }
          return prepared;
        });
    return prepared;
  }

  /** A database learns nothing. */
  @Override
  public boolean train(MemorySegment sample, WriteOptions options) {
    refuseIfView();
    Vectors.countRows("sample", sample, dimension);
    options.limits().check("training");
    connections.acquireWriter(options.limits(), "training");
    connections.releaseWriter();
    return false;
  }

  /**
   * Gives the pages of removed rows back, to the file system where the index is a file. Rows of
   * chunks that have lost some move to new chunks, or rows of pages that have lost some move
   * together; then the last pages move to the places that became free, and the file is cut. All of
   * it in transactions of some milliseconds, between which other writers of this and other
   * processes have their turn; readers, in whatever process, never wait over a file, and between
   * two slices in memory. It needs no second copy of the index: the write-ahead log grows by up to
   * some 64 MiB. A search of another process that goes on for more than a second may put off the
   * cut to a later write or to {@link #close()}. What was done before it ends early stays done.
   */
  @Override
  public void compact(WriteOptions options) {
    refuseIfView();
    Limits limits = options.limits();
    limits.check(COMPACTION);
    ProgressListener listener = options.listener();
    long total = read(limits, COMPACTION, SqliteVecConnection::size);
    long done = 0;
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment state = scratch.allocate(ValueLayout.JAVA_LONG, 3);
      MemorySegment finished = scratch.allocate(ValueLayout.JAVA_INT);
      while (finished.get(ValueLayout.JAVA_INT, 0) == 0) {
        SqliteVecConnection writer = connections.acquireWriter(limits, COMPACTION);
        try {
          done = Math.min(total, done + writer.compact(state, finished, limits));
        } finally {
          connections.releaseWriter();
        }
        if (listener != null && done < total) {
          tell(listener, done, total);
        }
      }
    }
    if (listener != null) {
      tell(listener, total, total);
    }
  }

  /**
   * One file, {@code database.sqlite}: a database of its own, packed, with the rows of one state.
   * Neither the path of an index that lives in a file is saved, nor what depends on the machine.
   *
   * <p>Over a file the state is that of the call. As long as the save goes on, the write-ahead log
   * keeps what is written meanwhile, as it does for a search that takes as long. In memory the
   * database is copied first, so that up to twice the memory is needed, and the state is the one
   * when that is done: searches and writes go on in between, but when there were writes they wait
   * for the copy once, about half a second for a gigabyte. They never wait for the disk.
   */
  @Override
  public SnapshotManifest save(SnapshotWriter writer) {
    connections.beginSave();
    try (SqliteVecConnection state = stateToSave()) {
      state.beginRead();
      return writer.write(contents(spec, state));
    } finally {
      connections.endSave();
    }
  }

  /**
   * What is saved of a database.
   *
   * @param state open until the contents have been written
   */
  static SnapshotContents contents(IndexSpec spec, SqliteVecConnection state) {
    return new SnapshotContents(
        SqliteVecBackend.NAME,
        SqliteVecBackend.UPSTREAM_VERSION,
        spec.metric(),
        spec.dimension(),
        Map.of(),
        state.size(),
        state.usage().deadRows(),
        Map.of(),
        List.of(SnapshotContent.of(DATABASE, sink -> sink.writeBy(state::save))));
  }

  /**
   * The database that a snapshot has. Its table of vectors is {@code panvec_vectors}: of {@code
   * vec0}, its column {@code vector}; under DOT, which vec0 does not know, an ordinary one with the
   * columns {@code id} and {@code vector}.
   *
   * @throws ForeignFileException also when {@code target} is a database that somebody has open, or
   *     left with a log: SQLite would take that log for the new file's
   */
  @Override
  public void export(Path target, CopyOption... options) {
    refuseInUse(target.toAbsolutePath());
    connections.beginSave();
    try (SqliteVecConnection state = stateToSave()) {
      state.beginRead();
      ExportedFile.write(target, sink -> sink.writeBy(state::save), options);
    } finally {
      connections.endSave();
    }
  }

  private void refuseInUse(Path target) {
    if (file != null && isSame(file, target)) {
      throw new ForeignFileException(
          target + " is the database of this index itself; nothing was written");
    }
    for (String suffix : List.of("-wal", "-journal")) {
      Path log = target.resolveSibling(target.getFileName() + suffix);
      if (Files.exists(log)) {
        throw new ForeignFileException(
            log + " is there, so " + target + " is a database in use; nothing was written");
      }
    }
  }

  private static boolean isSame(Path one, Path other) {
    try {
      return one.equals(other) || Files.exists(other) && Files.isSameFile(one, other);
    } catch (IOException gone) {
      return false;
    }
  }

  /** A connection of its own, on which nothing holds up others. */
  private SqliteVecConnection stateToSave() {
    if (viewed != null) {
      viewed.reader().requireVerified();
      return SqliteVecConnection.openView(spec, viewed.bytes(), viewed.name());
    }
    if (file != null) {
      return connections.openForSave(
          () -> SqliteVecConnection.openReader(spec, file.toString(), busyTimeoutMs(spec)));
    }
    SqliteVecConnection.Copy copy = connections.onWriterForSave(SqliteVecConnection::beginCopy);
    try {
      while (true) {
        SqliteVecConnection copied = connections.onWriterForSave(only -> copy.next());
        if (copied != null) {
          return copied;
        }
      }
    } finally {
      connections.onWriterForSave(
          only -> {
            copy.close();
            return only;
          });
    }
  }

  /**
   * {@code nativeBytes} counts the caches of connections that nobody uses at the moment. A file is
   * open {@code fileDescriptors} times at most now: twice by each connection, for the database and
   * its log, once for the memory that connections share, and once more since a connection was
   * opened. With all {@code readers} open that is 2 readers + 4.
   */
  @Override
  public IndexStats stats() {
    long size;
    SqliteVecConnection.Usage usage;
    SqliteVecConnection reader = connections.acquireReader(Limits.NONE, "measuring");
    try {
      size = reader.size();
      usage = reader.usage();
    } finally {
      connections.releaseReader(reader);
    }
    AtomicLong caches = new AtomicLong();
    connections.forEachIdle(idle -> caches.addAndGet(idle.cacheBytes()));
    Map<String, Object> details = new LinkedHashMap<>();
    details.put("sqliteVersion", SqliteVecLibrary.sqliteVersion());
    details.put("databaseBytes", usage.databaseBytes());
    details.put("freeBytes", usage.freeBytes());
    details.put("journalMode", viewed != null ? "none" : file == null ? "memory" : "wal");
    int openReaders = connections.openReaders();
    details.put("fileDescriptors", file == null ? 0 : 2 * (1 + openReaders) + 2);
    if (file != null) {
      details.put("path", file.toString());
      details.put("openReaders", openReaders);
    }
    if (viewed != null) {
      details.put("path", viewed.name());
      details.put("openReaders", openReaders);
    }
    return new IndexStats(
        size, usage.deadRows(), Math.max(caches.get(), usage.cacheBytes()), diskBytes(), details);
  }

  /**
   * The file and its write-ahead log. Only looks: to open the file here would drop the locks that
   * SQLite holds on it.
   */
  private long diskBytes() {
    if (viewed != null) {
      return viewed.reader().path(DATABASE).isPresent() ? viewed.bytes().byteSize() : 0;
    }
    return file == null ? 0 : bytes(file) + bytes(file.resolveSibling(file.getFileName() + "-wal"));
  }

  private static long bytes(Path file) {
    try {
      return Files.size(file);
    } catch (NoSuchFileException absent) {
      return 0;
    } catch (IOException failed) {
      throw new IndexIoException("measuring " + file + ": " + failed.getMessage());
    }
  }

  @Override
  public void close() {
    connections.close();
    if (viewed != null) {
      viewed.close();
    }
  }

  /** For example {@code sqlite-vec[384, COSINE, busyTimeoutMs=5000, readers=4]}. */
  @Override
  public String toString() {
    return spec.toString();
  }
}
