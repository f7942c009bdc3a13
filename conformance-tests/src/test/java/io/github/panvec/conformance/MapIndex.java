package io.github.panvec.conformance;

import io.github.panvec.Capabilities;
import io.github.panvec.DuplicateIdException;
import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.IndexStats;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** The contract over a map, for subclasses that break it in one place. One thread at a time. */
class MapIndex implements VectorIndex {
  final Metric metric;
  final int dimension;
  final TreeMap<Long, float[]> rows = new TreeMap<>();

  MapIndex(int dimension, Metric metric) {
    this.dimension = dimension;
    this.metric = metric;
  }

  // ---- where subclasses go wrong

  /** Stores one row of a batch of so many. */
  void store(long id, float[] row, int batch) {
    rows.put(id, row);
  }

  void erase(long id) {
    rows.remove(id);
  }

  List<Hit> nearest(float[] query, SearchRequest request) {
    IdFilter filter = request.idFilter();
    return Reference.nearest(
        metric, rows, query, request.k(), id -> filter == null || filter.test(id));
  }

  // ---- the contract

  @Override
  public IndexSpec spec() {
    return IndexSpec.of("map", dimension, metric);
  }

  @Override
  public Capabilities capabilities() {
    return new Capabilities(
        EnumSet.allOf(Metric.class), 65_536, Integer.MAX_VALUE, false, false, false);
  }

  @Override
  public long size() {
    return rows.size();
  }

  @Override
  public boolean contains(long id) {
    return rows.containsKey(id);
  }

  @Override
  public Optional<float[]> get(long id) {
    return Optional.ofNullable(rows.get(id)).map(row -> Reference.stored(metric, row));
  }

  private float[] checked(String where, float[] vector) {
    if (vector.length != dimension) {
      throw new InvalidVectorException(
          where + "the vector has " + vector.length + " components, the index " + dimension);
    }
    boolean zero = true;
    for (int i = 0; i < dimension; i++) {
      if (!Float.isFinite(vector[i])) {
        String what = Float.isNaN(vector[i]) ? "NaN" : "infinite";
        throw new InvalidVectorException(where + "component " + i + " is " + what);
      }
      zero &= vector[i] == 0;
    }
    if (zero && metric == Metric.COSINE) {
      throw new InvalidVectorException(where + "the vector is zero");
    }
    return vector.clone();
  }

  @Override
  public void add(long id, float[] vector) {
    checked("", vector);
    addAll(new long[] {id}, vector);
  }

  @Override
  public void addAll(long[] ids, float[] vectors) {
    write(ids, vectors, rows.keySet());
  }

  /**
   * @param taken ids that are refused
   */
  private void write(long[] ids, float[] vectors, Set<Long> taken) {
    if (vectors.length != ids.length * dimension) {
      throw new InvalidVectorException(
          "need " + ids.length * dimension + " components, not " + vectors.length);
    }
    List<float[]> batch = new ArrayList<>();
    Set<Long> before = new HashSet<>(taken);
    for (int i = 0; i < ids.length; i++) {
      if (!before.add(ids[i])) {
        throw new DuplicateIdException(ids[i], i);
      }
      float[] row = Arrays.copyOfRange(vectors, i * dimension, (i + 1) * dimension);
      batch.add(checked("row " + i + ": ", row));
    }
    for (int i = 0; i < ids.length; i++) {
      store(ids[i], batch.get(i), ids.length);
    }
  }

  @Override
  public void addAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    addAll(ids.toArray(ValueLayout.JAVA_LONG), vectors.toArray(ValueLayout.JAVA_FLOAT));
  }

  @Override
  public void upsert(long id, float[] vector) {
    store(id, checked("", vector), 1);
  }

  @Override
  public void upsertAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    float[] flat = vectors.toArray(ValueLayout.JAVA_FLOAT);
    write(ids.toArray(ValueLayout.JAVA_LONG), flat, Set.of());
  }

  @Override
  public int removeAll(long... ids) {
    int live = 0;
    for (long id : ids) {
      live += contains(id) ? 1 : 0;
      erase(id);
    }
    return live;
  }

  @Override
  public List<Optional<float[]>> getAll(long... ids) {
    return Arrays.stream(ids).mapToObj(this::get).toList();
  }

  @Override
  public long[] ids() {
    return rows.keySet().stream().mapToLong(Long::longValue).toArray();
  }

  @Override
  public void compact(WriteOptions options) {}

  @Override
  public SearchResult search(SearchRequest request) {
    float[] query = checked("", request.query().toArray(ValueLayout.JAVA_FLOAT));
    List<Hit> hits = nearest(query, request);
    float[] distances = new float[hits.size()];
    for (int i = 0; i < distances.length; i++) {
      distances[i] = hits.get(i).distance();
    }
    return new SearchResult(hits.stream().mapToLong(Hit::id).toArray(), distances);
  }

  @Override
  public void search(SearchRequest request, SearchBuffer buffer) {
    SearchResult result = search(request);
    for (int i = 0; i < result.count(); i++) {
      buffer.hits().ids().setAtIndex(ValueLayout.JAVA_LONG, i, result.id(i));
      buffer.hits().distances().setAtIndex(ValueLayout.JAVA_FLOAT, i, result.distance(i));
    }
    buffer.setCount(result.count());
  }

  @Override
  public List<SearchResult> searchAll(SearchRequest request) {
    float[] queries = request.query().toArray(ValueLayout.JAVA_FLOAT);
    if (queries.length % dimension != 0) {
      throw new InvalidVectorException(
          queries.length + " components are no multiple of " + dimension);
    }
    List<SearchResult> results = new ArrayList<>();
    for (int i = 0; i < queries.length / dimension; i++) {
      float[] query = Arrays.copyOfRange(queries, i * dimension, (i + 1) * dimension);
      checked("query " + i + " of the batch: ", query);
      results.add(search(request.query(MemorySegment.ofArray(query))));
    }
    return results;
  }

  @Override
  public boolean train(MemorySegment sample, WriteOptions options) {
    if (sample.byteSize() % (4L * dimension) != 0) {
      throw new InvalidVectorException("the sample is no multiple of " + dimension);
    }
    return false;
  }

  @Override
  public IndexStats stats() {
    return new IndexStats(size(), 0, 0, 0, Map.of());
  }

  @Override
  public void close() {}
}
