package io.github.panvec.bench.toy;

import io.github.panvec.Capabilities;
import io.github.panvec.DuplicateIdException;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.IndexStats;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.VectorIndex;
import io.github.panvec.VectorIndexException;
import io.github.panvec.WriteOptions;
import io.github.panvec.snapshot.FileOperations;
import io.github.panvec.snapshot.SnapshotContent;
import io.github.panvec.snapshot.SnapshotContents;
import io.github.panvec.snapshot.SnapshotReader;
import io.github.panvec.snapshot.SnapshotWriter;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.PriorityQueue;

/**
 * Brute force in plain Java, with the contract's distances. An approximate one overlooks about 4
 * rows in {@code efSearch}, or most of the share of lists that {@code nprobe} leaves out, always
 * the same ones. One with codes ranks by components rounded to multiples of a sixteenth.
 *
 * <p>The property {@code panvec.toy} makes it do wrong, of {@code toy} or of the type of {@code
 * toy-kinds} that follows a colon: {@code wrong} (a hit that is none), {@code exact-bits} (an exact
 * distance is off by its last bit), {@code filter} (a filtered search returns what does not match),
 * {@code bits} (an approximate distance is off by its last bit), {@code removed} (an approximate
 * search finds what was removed), {@code lost} (the first row of each batch is not added), {@code
 * full} (there is room for 1,005 rows).
 *
 * <p>Thread-safe: one call at a time.
 */
final class ToyIndex implements VectorIndex {
  private final IndexSpec spec;
  private final Capabilities capabilities;
  private final String flaw;
  private final Map<Long, float[]> rows = new LinkedHashMap<>();
  private final Map<Long, float[]> undead = new LinkedHashMap<>();
  private volatile boolean closed;

  private record Candidate(long id, double distance) {
    static final Comparator<Candidate> NEAREST =
        Comparator.comparingDouble(Candidate::distance).thenComparingLong(Candidate::id);
  }

  ToyIndex(IndexSpec spec, Capabilities capabilities) {
    this.spec = spec;
    this.capabilities = capabilities;
    String[] mischief = ToyBackend.mischief().split(":");
    boolean mine = mischief.length == 1 ? spec.backend().equals("toy") : mischief[1].equals(type());
    this.flaw = mine ? mischief[0] : "";
  }

  private String type() {
    return spec.parameters().getOrDefault("type", "").toString();
  }

  private boolean hasCodes() {
    return type().endsWith("code");
  }

  private int parameter(String name) {
    return ((Number) spec.parameters().getOrDefault(name, 0L)).intValue();
  }

  private int nlist() {
    return parameter("nlist") == 0 ? 32 : parameter("nlist");
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
  public synchronized long size() {
    requireOpen();
    return rows.size();
  }

  @Override
  public synchronized boolean contains(long id) {
    requireOpen();
    return rows.containsKey(id);
  }

  @Override
  public synchronized Optional<float[]> get(long id) {
    requireOpen();
    requireVectors();
    return Optional.ofNullable(rows.get(id)).map(float[]::clone);
  }

  @Override
  public synchronized List<Optional<float[]>> getAll(long... ids) {
    return Arrays.stream(ids).mapToObj(this::get).toList();
  }

  @Override
  public synchronized long[] ids() {
    requireOpen();
    return rows.keySet().stream().mapToLong(Long::longValue).sorted().toArray();
  }

  @Override
  public synchronized void addAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    for (int i = 0; i < ids.byteSize() / 8; i++) {
      long id = ids.getAtIndex(ValueLayout.JAVA_LONG, i);
      if (contains(id)) {
        throw new DuplicateIdException(id, i);
      }
    }
    upsertAll(ids, vectors, options);
  }

  @Override
  public synchronized void upsertAll(
      MemorySegment ids, MemorySegment vectors, WriteOptions options) {
    requireOpen();
    if (flaw.equals("full") && rows.size() >= 1005) {
      throw new VectorIndexException("full on purpose");
    }
    int dimension = spec.dimension();
    for (int i = flaw.equals("lost") ? 1 : 0; i < ids.byteSize() / 8; i++) {
      float[] row =
          vectors.asSlice(4L * i * dimension, 4L * dimension).toArray(ValueLayout.JAVA_FLOAT);
      rows.put(ids.getAtIndex(ValueLayout.JAVA_LONG, i), stored(row));
    }
  }

  @Override
  public synchronized int removeAll(long... ids) {
    requireOpen();
    int removed = 0;
    for (long id : ids) {
      float[] row = rows.remove(id);
      removed += row == null ? 0 : 1;
      if (row != null && flaw.equals("removed")) {
        undead.put(id, row);
      }
    }
    return removed;
  }

  @Override
  public synchronized SearchResult search(SearchRequest request) {
    requireOpen();
    if (request.isExact()) {
      requireVectors();
    }
    float[] query = stored(request.query().toArray(ValueLayout.JAVA_FLOAT));
    boolean exact = request.isExact() || !capabilities.approximate();
    int overlooked = exact ? 0 : overlooked(request);
    IdFilter filter = flaw.equals("filter") ? null : request.idFilter();
    boolean byCode = !exact && hasCodes();
    int wanted = request.k();
    if (byCode && !capabilities.codesOnly()) {
      wanted *= request.refineFactorOr(4);
    }
    PriorityQueue<Candidate> best = new PriorityQueue<>(Candidate.NEAREST.reversed());
    Map<Long, float[]> candidates = rows;
    if (!exact && !undead.isEmpty()) {
      candidates = new LinkedHashMap<>(undead);
      candidates.putAll(rows);
    }
    for (Map.Entry<Long, float[]> row : candidates.entrySet()) {
      long id = row.getKey();
      boolean seen = Math.floorMod(id * 0x9E3779B97F4A7C15L >>> 20, 1_000) >= overlooked;
      if (seen && (filter == null || filter.test(id))) {
        float[] vector = byCode ? coded(row.getValue()) : row.getValue();
        best.add(new Candidate(id, distance(query, vector)));
        if (best.size() > wanted) {
          best.poll();
        }
      }
    }
    List<Candidate> sorted = new ArrayList<>(best);
    if (byCode && !capabilities.codesOnly()) {
      sorted.replaceAll(hit -> new Candidate(hit.id(), distance(query, rows.get(hit.id()))));
    }
    sorted.sort(Candidate.NEAREST);
    sorted = new ArrayList<>(sorted.subList(0, Math.min(request.k(), sorted.size())));
    if (flaw.equals(exact ? "exact-bits" : "bits")) {
      Candidate last = sorted.remove(sorted.size() - 1);
      sorted.add(new Candidate(last.id(), Math.nextUp((float) last.distance())));
    }
    if (flaw.equals("wrong")) {
      List<Candidate> hits = List.copyOf(sorted);
      long notAmongThem =
          rows.keySet().stream()
              .filter(id -> hits.stream().noneMatch(hit -> hit.id() == id))
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

  /** So many rows of a thousand are not looked at. */
  private int overlooked(SearchRequest request) {
    if (type().startsWith("lists")) {
      int nprobe = request.nprobeOr(1);
      if (nprobe > nlist()) {
        throw new IllegalArgumentException("nprobe " + nprobe + " of " + nlist() + " lists");
      }
      return Math.max(0, 1_000 - 8_000 * nprobe / nlist());
    }
    return type().equals("code") ? 0 : 4_000 / request.efSearchOr(64);
  }

  private static float[] coded(float[] vector) {
    float[] code = new float[vector.length];
    for (int i = 0; i < code.length; i++) {
      code[i] = Math.round(vector[i] * 16) / 16f;
    }
    return code;
  }

  private float[] stored(float[] vector) {
    float[] stored = vector.clone();
    if (spec.metric() == Metric.COSINE) {
      double norm = Math.sqrt(sum(vector, vector, false));
      for (int i = 0; i < stored.length; i++) {
        stored[i] = (float) (stored[i] / norm);
      }
    }
    return stored;
  }

  /** By the contract's formula. */
  private double distance(float[] a, float[] b) {
    return switch (spec.metric()) {
      case L2 -> (float) Math.sqrt(sum(a, b, true));
      case COSINE -> (float) Math.clamp(1 - sum(a, b, false), 0.0, 2.0);
      case DOT -> (float) (0.0 - sum(a, b, false));
    };
  }

  private static double sum(float[] a, float[] b, boolean squares) {
    double[] c = new double[8];
    for (int i = 0; i < a.length; i++) {
      double difference = (double) a[i] - b[i];
      c[i % 8] += squares ? difference * difference : (double) a[i] * b[i];
    }
    return ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7]));
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
    long rowBytes = 4L * spec.dimension();
    List<SearchResult> results = new ArrayList<>();
    for (long at = 0; at < request.query().byteSize(); at += rowBytes) {
      results.add(search(request.query(request.query().asSlice(at, rowBytes))));
    }
    return results;
  }

  @Override
  public boolean train(MemorySegment sample, WriteOptions options) {
    return false;
  }

  @Override
  public void compact(WriteOptions options) {
    requireOpen();
  }

  @Override
  public synchronized IndexStats stats() {
    requireOpen();
    long bytesPerComponent = (capabilities.codesOnly() ? 0 : 4) + (hasCodes() ? 1 : 0);
    Map<String, Object> details =
        type().startsWith("lists") ? Map.of("nlist", nlist()) : Map.of("toySimd", "abacus");
    return new IndexStats(
        rows.size(), 0, bytesPerComponent * rows.size() * spec.dimension(), 0, details);
  }

  @Override
  public synchronized SnapshotManifest save(Path directory) {
    requireOpen();
    MemorySegment ids = MemorySegment.ofArray(ids());
    SnapshotContents contents =
        new SnapshotContents(
            spec.backend(),
            "1.0",
            spec.metric(),
            spec.dimension(),
            spec.parameters(),
            rows.size(),
            0,
            Map.of(),
            List.of(
                SnapshotContent.of("ids", sink -> sink.write(ids)),
                SnapshotContent.of(
                    "rows",
                    sink -> {
                      for (long id : ids()) {
                        sink.write(MemorySegment.ofArray(rows.get(id)));
                      }
                    })));
    return new SnapshotWriter(directory, FileOperations.disk()).write(contents);
  }

  /** What {@link #save} has written. */
  static ToyIndex read(IndexSpec spec, Capabilities capabilities, SnapshotReader reader) {
    ToyIndex index = new ToyIndex(spec, capabilities);
    long[] ids = reader.file("ids").toArray(ValueLayout.JAVA_LONG_UNALIGNED);
    float[] vectors = reader.file("rows").toArray(ValueLayout.JAVA_FLOAT_UNALIGNED);
    for (int i = 0; i < ids.length; i++) {
      int from = i * spec.dimension();
      index.rows.put(ids[i], Arrays.copyOfRange(vectors, from, from + spec.dimension()));
    }
    return index;
  }

  private void requireVectors() {
    if (capabilities.codesOnly()) {
      throw new UnsupportedOperationException("only codes are kept");
    }
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("closed");
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
  }
}
