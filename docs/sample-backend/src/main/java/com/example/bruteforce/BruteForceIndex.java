package com.example.bruteforce;

import io.github.panvec.*;
import io.github.panvec.spi.Vectors;
import java.lang.foreign.*;
import java.util.*;
import java.util.concurrent.Semaphore;
import java.util.function.*;

/** Reads take one permit, writes and close all of them: each search sees one state. */
final class BruteForceIndex implements VectorIndex {
  private static final int ALL = Integer.MAX_VALUE;
  private final IndexSpec spec;
  private final Semaphore permits = new Semaphore(ALL, true); // Fair, or readers keep writers out.
  private final Map<Long, float[]> rows = new HashMap<>();
  private final ThreadLocal<float[]> query; // Not a new one each time: buffers promise no garbage.
  private boolean closed;

  BruteForceIndex(IndexSpec spec) {
    this.spec = spec;
    query = ThreadLocal.withInitial(() -> new float[spec.dimension()]);
  }

  @Override
  public IndexSpec spec() {
    return spec;
  }

  @Override
  public Capabilities capabilities() {
    return BruteForceBackend.CAPABILITIES;
  }

  private <T> T locked(int count, Supplier<T> call) {
    permits.acquireUninterruptibly(count);
    try {
      checkOpen();
      return call.get();
    } finally {
      permits.release(count);
    }
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("the index is closed");
    }
  }

  @Override
  public void close() {
    permits.acquireUninterruptibly(ALL);
    closed = true;
    permits.release(ALL);
  }

  @Override
  public long size() {
    return locked(1, rows::size);
  }

  @Override
  public List<Optional<float[]>> getAll(long... ids) {
    LongFunction<Optional<float[]>> row = id -> Optional.ofNullable(rows.get(id)).map(float[]::clone);
    return locked(1, () -> Arrays.stream(ids).mapToObj(row).toList());
  }

  @Override
  public IndexStats stats() {
    return locked(1, () -> new IndexStats(rows.size(), 0, 0, 0, Map.of()));
  }

  @Override
  public long[] ids() {
    return locked(1, () -> rows.keySet().stream().mapToLong(id -> id).sorted().toArray());
  }

  @Override
  public boolean train(MemorySegment sample, WriteOptions options) {
    Vectors.countRows("sample", sample, spec.dimension());
    options.limits().check("the training");
    return locked(1, () -> false);
  }

  @Override
  public void upsertAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    write(ids, vectors, true, options);
  }

  @Override
  public void addAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    write(ids, vectors, false, options);
  }

  private void write(
      MemorySegment ids, MemorySegment vectors, boolean replace, WriteOptions options) {
    long count = Vectors.checkBatch(ids, vectors, spec.dimension());
    locked(
        ALL,
        () -> {
          Map<Long, float[]> batch = new HashMap<>();
          options.limits().check("the build");
          for (long id : ids.toArray(ValueLayout.JAVA_LONG_UNALIGNED)) {
            int row = batch.size();
            if (batch.put(id, read("row", vectors, row, new float[spec.dimension()])) != null
                || (!replace && rows.containsKey(id))) {
              throw new DuplicateIdException(id, row);
            }
          }
          options.report(count, count);
          rows.putAll(batch);
          return null;
        });
  }

  @Override
  public int removeAll(long... ids) {
    return locked(ALL, () -> (int) Arrays.stream(ids).filter(id -> rows.remove(id) != null).count());
  }

  @Override
  public SearchResult search(SearchRequest request) {
    Vectors.checkRequest(request, 1, spec, Integer.MAX_VALUE);
    return searchAll(request).get(0);
  }

  @Override
  public List<SearchResult> searchAll(SearchRequest request) {
    int queries = Vectors.countQueries(request.query(), spec);
    return locked(
        1,
        () -> {
          int hits = Math.max(1, Math.min(request.k(), rows.size()));
          SearchBuffer buffer = SearchBuffer.allocate(spec.dimension(), hits);
          List<SearchResult> results = new ArrayList<>();
          for (int q = 0; q < queries; q++) {
            scan(request, q, buffer);
            results.add(buffer.toResult());
          }
          return results;
        });
  }

  @Override
  public void search(SearchRequest request, SearchBuffer buffer) {
    Vectors.checkRequest(request, 1, spec, Integer.MAX_VALUE);
    permits.acquireUninterruptibly();
    try {
      checkOpen();
      Vectors.checkBuffer(buffer, spec, Math.min(request.k(), rows.size()));
      scan(request, 0, buffer);
    } finally {
      permits.release();
    }
  }

  private void scan(SearchRequest request, int q, SearchBuffer buffer) {
    request.limits().check("the search");
    float[] vector = read("query", request.query(), q, query.get());
    buffer.setCount(0);
    for (Map.Entry<Long, float[]> row : rows.entrySet()) {
      request.limits().check("the search"); // A filter may take its time.
      if (request.idFilter() == null || request.idFilter().test(row.getKey())) {
        buffer.insert(row.getKey(), distance(vector, row.getValue()), request.k());
      }
    }
  }

  private float distance(float[] a, float[] b) {
    return switch (spec.metric()) {
      case L2 -> (float) Math.sqrt(sum(a, b, 0, 1));
      case COSINE -> (float) Math.min(2, Math.max(0, 1 - sum(a, b, 0, 1)));
      case DOT -> (float) -sum(a, b, 0, 1) + 0.0f;
    };
  }

  /** Every eighth component makes a sum; the eight are added in the order of the contract. */
  private double sum(float[] a, float[] b, int first, int step) {
    if (step < 8) {
      return sum(a, b, first, 2 * step) + sum(a, b, first + step, 2 * step);
    }
    double sum = 0;
    for (int i = first; i < a.length; i += 8) {
      double t = (double) a[i] - b[i];
      sum += spec.metric() == Metric.L2 ? t * t : (double) a[i] * b[i];
    }
    return sum;
  }

  /** Row i, of length 1 under COSINE. */
  private float[] read(String what, MemorySegment vectors, int i, float[] row) {
    Vectors.read(what, vectors, i, row, spec.metric());
    double norm = spec.metric() == Metric.COSINE ? Math.sqrt(sum(row, row, 0, 1)) : 1;
    for (int c = 0; c < row.length; c++) {
      row[c] = (float) (row[c] / norm);
    }
    return row;
  }
}
