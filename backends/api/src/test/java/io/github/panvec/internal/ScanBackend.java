package io.github.panvec.internal;

import io.github.panvec.Availability;
import io.github.panvec.Capabilities;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.IndexStats;
import io.github.panvec.Metric;
import io.github.panvec.Parameter;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchPath;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import io.github.panvec.spi.VectorBackend;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Function;

/** A scan over one-dimensional vectors, which does what a test wants in the middle of a search. */
public final class ScanBackend implements VectorBackend {
  static final Capabilities CAPABILITIES =
      new Capabilities(EnumSet.of(Metric.L2), 1, 100, false, false, false);

  /** What a search does before it looks at anything. */
  static volatile Consumer<SearchRequest> mischief = request -> {};

  /** What it makes of a spec. */
  static volatile Function<IndexSpec, VectorIndex> made = Index::new;

  @Override
  public String name() {
    return "scan";
  }

  @Override
  public String upstreamVersion() {
    return "1.0";
  }

  @Override
  public Capabilities capabilities() {
    return CAPABILITIES;
  }

  @Override
  public List<Parameter> parameters() {
    return List.of(Parameter.integer("m", 16, 2, 512, "neighbours"));
  }

  @Override
  public Availability availability() {
    return Availability.of("libscan.so", "1.0.1", "avx2");
  }

  @Override
  public VectorIndex create(IndexSpec spec) {
    return made.apply(spec);
  }

  static final class Index implements VectorIndex {
    private final IndexSpec spec;
    private final TreeMap<Long, Float> rows = new TreeMap<>();
    private volatile boolean closed;

    Index(IndexSpec spec) {
      this.spec = spec;
    }

    private void requireOpen() {
      if (closed) {
        throw new IllegalStateException("closed");
      }
    }

    boolean isClosed() {
      return closed;
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
      requireOpen();
      return rows.size();
    }

    @Override
    public boolean contains(long id) {
      return rows.containsKey(id);
    }

    @Override
    public Optional<float[]> get(long id) {
      return Optional.ofNullable(rows.get(id)).map(x -> new float[] {x});
    }

    @Override
    public List<Optional<float[]>> getAll(long... ids) {
      List<Optional<float[]>> all = new ArrayList<>();
      for (long id : ids) {
        all.add(get(id));
      }
      return all;
    }

    @Override
    public long[] ids() {
      return rows.keySet().stream().mapToLong(Long::longValue).toArray();
    }

    @Override
    public void addAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
      upsertAll(ids, vectors, options);
    }

    @Override
    public void upsertAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
      requireOpen();
      for (long i = 0; i < ids.byteSize() / Long.BYTES; i++) {
        rows.put(
            ids.getAtIndex(ValueLayout.JAVA_LONG, i),
            vectors.getAtIndex(ValueLayout.JAVA_FLOAT, i));
      }
    }

    @Override
    public int removeAll(long... ids) {
      int removed = 0;
      for (long id : ids) {
        removed += rows.remove(id) == null ? 0 : 1;
      }
      return removed;
    }

    @Override
    public SearchResult search(SearchRequest request) {
      SearchBuffer buffer = SearchBuffer.allocate(1, request.k());
      search(request, buffer);
      return buffer.toResult();
    }

    @Override
    public void search(SearchRequest request, SearchBuffer buffer) {
      mischief.accept(request);
      requireOpen();
      buffer.setCount(0);
      if (!rows.isEmpty()) {
        IdFilter filter = request.idFilter();
        float query = request.query().get(ValueLayout.JAVA_FLOAT, 0);
        rows.forEach(
            (id, x) -> {
              if (filter == null || filter.test(id)) {
                buffer.insert(id, Math.abs(query - x), request.k());
              }
            });
      }
      buffer.setPath(request.isExact() ? SearchPath.SCAN : SearchPath.WALK);
    }

    @Override
    public List<SearchResult> searchAll(SearchRequest request) {
      List<SearchResult> all = new ArrayList<>();
      for (long i = 0; i < request.dimension(); i++) {
        SearchRequest one = request.query(request.query().asSlice(i * 4, 4));
        all.add(search(i == 0 ? one : one.exact()));
      }
      return all;
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
    public IndexStats stats() {
      return new IndexStats(rows.size(), 1, 2, 3, Map.of("rows", rows.size()));
    }

    @Override
    public void close() {
      closed = true;
    }

    @Override
    public String toString() {
      return "the scan index";
    }
  }
}
