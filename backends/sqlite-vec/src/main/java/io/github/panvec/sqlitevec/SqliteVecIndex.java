package io.github.panvec.sqlitevec;

import io.github.panvec.Capabilities;
import io.github.panvec.IndexIoException;
import io.github.panvec.IndexSpec;
import io.github.panvec.IndexStats;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import io.github.panvec.spi.Vectors;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
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
import org.jspecify.annotations.Nullable;

/**
 * An index that is a database. A database has ids, transactions and snapshots of its own, so there
 * are no slots here.
 */
final class SqliteVecIndex implements VectorIndex {
  private static final Capabilities CAPABILITIES = new SqliteVecBackend().capabilities();

  private final IndexSpec spec;
  private final @Nullable Path file;
  private final ConnectionPool connections;
  private final int dimension;

  private SqliteVecIndex(IndexSpec spec, @Nullable Path file, ConnectionPool connections) {
    this.spec = spec;
    this.file = file;
    this.connections = connections;
    dimension = spec.dimension();
  }

  /** Opens what the parameter {@code path} names, or an empty database in memory. */
  static SqliteVecIndex open(IndexSpec spec) {
    Map<String, Object> parameters = spec.parameters();
    int busyTimeoutMs = ((Number) parameters.get(SqliteVecBackend.BUSY_TIMEOUT_MS)).intValue();
    int readers = ((Number) parameters.get(SqliteVecBackend.READERS)).intValue();
    Object given = parameters.get(SqliteVecBackend.PATH);
    if (given == null) {
      SqliteVecConnection only = SqliteVecConnection.openWriter(spec, null, busyTimeoutMs);
      return new SqliteVecIndex(spec, null, ConnectionPool.inMemory(only));
    }
    // Absolute, so that a relative name like ":memory:" is a file all the same.
    Path file = Path.of(given.toString()).toAbsolutePath();
    SqliteVecConnection writer =
        SqliteVecConnection.openWriter(spec, file.toString(), busyTimeoutMs);
    return new SqliteVecIndex(
        spec,
        file,
        ConnectionPool.overFile(
            writer,
            () -> SqliteVecConnection.openReader(spec, file.toString(), busyTimeoutMs),
            readers));
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
    SqliteVecConnection reader = connections.acquireReader();
    try {
      return reader.size();
    } finally {
      connections.releaseReader(reader);
    }
  }

  @Override
  public boolean contains(long id) {
    SqliteVecConnection reader = connections.acquireReader();
    try {
      return reader.contains(id);
    } finally {
      connections.releaseReader(reader);
    }
  }

  @Override
  public Optional<float[]> get(long id) {
    SqliteVecConnection reader = connections.acquireReader();
    try {
      return Optional.ofNullable(reader.get(id));
    } finally {
      connections.releaseReader(reader);
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
    Vectors.checkDimension("vector", vector.length, dimension);
    SqliteVecConnection writer = connections.acquireWriter();
    try {
      writer.add(id, vector, replace);
    } finally {
      connections.releaseWriter();
    }
  }

  @Override
  public void addAll(long[] ids, float[] vectors) {
    addAll(MemorySegment.ofArray(ids), MemorySegment.ofArray(vectors));
  }

  @Override
  public void addAll(MemorySegment ids, MemorySegment vectors) {
    long count = Vectors.checkBatch(ids, vectors, dimension);
    SqliteVecConnection writer = connections.acquireWriter();
    try {
      writer.addAll(ids, vectors, count);
    } finally {
      connections.releaseWriter();
    }
  }

  @Override
  public boolean remove(long id) {
    SqliteVecConnection writer = connections.acquireWriter();
    try {
      return writer.remove(id);
    } finally {
      connections.releaseWriter();
    }
  }

  @Override
  public SearchResult search(SearchRequest request) {
    Vectors.checkRequest(request, 1, spec, CAPABILITIES.maxK());
    SqliteVecConnection reader = connections.acquireReader();
    try {
      return reader.search(request);
    } finally {
      connections.releaseReader(reader);
    }
  }

  @Override
  public void search(SearchRequest request, SearchBuffer buffer) {
    Objects.requireNonNull(buffer, "buffer");
    Vectors.checkRequest(request, 1, spec, CAPABILITIES.maxK());
    Vectors.checkBuffer(buffer, spec, 1);
    SqliteVecConnection reader = connections.acquireReader();
    try {
      reader.search(request, buffer);
    } finally {
      connections.releaseReader(reader);
    }
  }

  /** One after another, on one connection. */
  @Override
  public List<SearchResult> searchAll(SearchRequest request) {
    int count = Vectors.countQueries(request.query(), spec);
    Vectors.checkRequest(request, count, spec, CAPABILITIES.maxK());
    long rowBytes = (long) dimension * Float.BYTES;
    List<SearchResult> results = new ArrayList<>(count);
    SqliteVecConnection reader = connections.acquireReader();
    try {
      for (int i = 0; i < count; i++) {
        try {
          results.add(
              reader.search(request.query(request.query().asSlice(i * rowBytes, rowBytes))));
        } catch (InvalidVectorException invalid) {
          throw new InvalidVectorException("query " + i + " of the batch: " + invalid.getMessage());
        }
      }
      return List.copyOf(results);
    } finally {
      connections.releaseReader(reader);
    }
  }

  /** A database learns nothing. */
  @Override
  public boolean train(MemorySegment sample) {
    Vectors.countRows("sample", sample, dimension);
    connections.acquireWriter();
    connections.releaseWriter();
    return false;
  }

  /** {@code nativeBytes} counts the caches of connections that nobody uses at the moment. */
  @Override
  public IndexStats stats() {
    long size;
    SqliteVecConnection.Memory memory;
    SqliteVecConnection reader = connections.acquireReader();
    try {
      size = reader.size();
      memory = reader.memory();
    } finally {
      connections.releaseReader(reader);
    }
    AtomicLong caches = new AtomicLong();
    connections.forEachIdle(idle -> caches.addAndGet(idle.memory().cacheBytes()));
    Map<String, Object> details = new LinkedHashMap<>();
    details.put("sqliteVersion", SqliteVecLibrary.sqliteVersion());
    details.put("databaseBytes", memory.databaseBytes());
    details.put("journalMode", file == null ? "memory" : "wal");
    if (file != null) {
      details.put("path", file.toString());
      details.put("openReaders", connections.openReaders());
    }
    return new IndexStats(
        size, 0, Math.max(caches.get(), memory.cacheBytes()), diskBytes(), details);
  }

  /**
   * The file and its write-ahead log. Only looks: to open the file here would drop the locks that
   * SQLite holds on it.
   */
  private long diskBytes() {
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
  }

  /** For example {@code sqlite-vec[384, COSINE, busyTimeoutMs=5000, readers=4]}. */
  @Override
  public String toString() {
    return spec.toString();
  }
}
