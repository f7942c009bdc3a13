package io.github.panvec.bench.toy;

import io.github.panvec.Capabilities;
import io.github.panvec.DuplicateIdException;
import io.github.panvec.IndexSpec;
import io.github.panvec.IndexStats;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;

/**
 * Brute force in plain Java. An approximate one overlooks about 4 rows in {@code efSearch}, always
 * the same ones.
 */
final class ToyIndex implements VectorIndex {
  private final IndexSpec spec;
  private final Capabilities capabilities;
  private final boolean flawed;
  private final Map<Long, float[]> rows = new LinkedHashMap<>();
  private volatile boolean closed;

  private record Candidate(long id, double distance) {
    static final Comparator<Candidate> NEAREST =
        Comparator.comparingDouble(Candidate::distance).thenComparingLong(Candidate::id);
  }

  ToyIndex(IndexSpec spec, Capabilities capabilities, boolean flawed) {
    this.spec = spec;
    this.capabilities = capabilities;
    this.flawed = flawed;
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
    requireOpen();
    return rows.size();
  }

  @Override
  public boolean contains(long id) {
    requireOpen();
    return rows.containsKey(id);
  }

  @Override
  public Optional<float[]> get(long id) {
    requireOpen();
    return Optional.ofNullable(rows.get(id)).map(float[]::clone);
  }

  @Override
  public void add(long id, float[] vector) {
    addAll(new long[] {id}, vector);
  }

  @Override
  public void addAll(long[] ids, float[] vectors) {
    addAll(MemorySegment.ofArray(ids), MemorySegment.ofArray(vectors));
  }

  @Override
  public void addAll(MemorySegment ids, MemorySegment vectors) {
    requireOpen();
    int dimension = spec.dimension();
    for (int i = 0; i < ids.byteSize() / 8; i++) {
      float[] row =
          vectors.asSlice(4L * i * dimension, 4L * dimension).toArray(ValueLayout.JAVA_FLOAT);
      long id = ids.getAtIndex(ValueLayout.JAVA_LONG, i);
      if (rows.put(id, row) != null) {
        throw new DuplicateIdException(id, i);
      }
    }
  }

  @Override
  public void upsert(long id, float[] vector) {
    requireOpen();
    rows.put(id, vector.clone());
  }

  @Override
  public boolean remove(long id) {
    requireOpen();
    return rows.remove(id) != null;
  }

  @Override
  public SearchResult search(SearchRequest request) {
    requireOpen();
    float[] query = request.query().toArray(ValueLayout.JAVA_FLOAT);
    boolean exact = request.isExact() || !capabilities.approximate();
    int overlooked = exact ? 0 : 4_000 / request.efSearchOr(64);
    PriorityQueue<Candidate> best = new PriorityQueue<>(Candidate.NEAREST.reversed());
    rows.forEach(
        (id, row) -> {
          if (exact || Math.floorMod(id * 0x9E3779B97F4A7C15L >>> 20, 1_000) >= overlooked) {
            best.add(new Candidate(id, distance(query, row)));
            if (best.size() > request.k()) {
              best.poll();
            }
          }
        });
    List<Candidate> sorted = new ArrayList<>(best);
    sorted.sort(Candidate.NEAREST);
    if (flawed) {
      long notAmongThem =
          rows.keySet().stream()
              .filter(id -> sorted.stream().noneMatch(hit -> hit.id() == id))
              .findFirst()
              .orElseThrow();
      sorted.set(0, new Candidate(notAmongThem, 0));
    }
    long[] ids = sorted.stream().mapToLong(Candidate::id).toArray();
    float[] distances = new float[ids.length];
    for (int i = 0; i < ids.length; i++) {
      distances[i] = (float) sorted.get(i).distance();
    }
    return new SearchResult(ids, distances);
  }

  private double distance(float[] a, float[] b) {
    double dot = 0;
    double squares = 0;
    double lengths = 1;
    for (int i = 0; i < a.length; i++) {
      dot += (double) a[i] * b[i];
      squares += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
    }
    if (spec.metric() == Metric.COSINE) {
      double lengthA = 0;
      double lengthB = 0;
      for (int i = 0; i < a.length; i++) {
        lengthA += (double) a[i] * a[i];
        lengthB += (double) b[i] * b[i];
      }
      lengths = Math.sqrt(lengthA * lengthB);
    }
    return switch (spec.metric()) {
      case L2 -> Math.sqrt(squares);
      case COSINE -> 1 - dot / lengths;
      case DOT -> -dot;
    };
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
  public IndexStats stats() {
    requireOpen();
    return new IndexStats(rows.size(), 0, 4L * rows.size() * spec.dimension(), 0, Map.of());
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("closed");
    }
  }

  @Override
  public void close() {
    closed = true;
  }
}
