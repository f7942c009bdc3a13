package io.github.panvec;

import io.github.panvec.snapshot.FileOperations;
import io.github.panvec.snapshot.SnapshotContent;
import io.github.panvec.snapshot.SnapshotContents;
import io.github.panvec.snapshot.SnapshotReader;
import io.github.panvec.snapshot.SnapshotWriter;
import io.github.panvec.spi.VectorBackend;
import io.github.panvec.spi.Vectors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.Enumeration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/** Two backends in Java whose indexes can only be opened, and say what is done to them. */
final class ShardToys {
  /** A row takes so many bytes of its snapshot. */
  static final long ROW_BYTES = 16;

  /** Bytes of the indexes that are open, and the most there ever were. */
  static final AtomicLong OPEN_BYTES = new AtomicLong();

  static final AtomicLong MOST_BYTES = new AtomicLong();

  /** Generations that were opened, as {@code view one} or {@code open two}. */
  static final ConcurrentLinkedQueue<String> OPENED = new ConcurrentLinkedQueue<>();

  /** What must not happen. */
  static final ConcurrentLinkedQueue<String> WRONG = new ConcurrentLinkedQueue<>();

  /** What happens when one is opened, by the name of its shard. */
  static volatile Consumer<String> onOpen = name -> {};

  /** What happens in the middle of a search, by the name of the shard. */
  static volatile Consumer<String> onSearch = name -> {};

  private ShardToys() {}

  /** As if nothing had been; this thread finds the toys alone. */
  static void reset() {
    OPEN_BYTES.set(0);
    MOST_BYTES.set(0);
    OPENED.clear();
    WRONG.clear();
    onOpen = name -> {};
    onSearch = name -> {};
    onlyHere();
  }

  /** For this thread, and those it starts, the toys alone. */
  static void onlyHere() {
    try {
      Path list = Files.createTempFile("panvec", "services");
      Files.writeString(list, One.class.getName() + "\n" + Two.class.getName());
      list.toFile().deleteOnExit();
      URL url = list.toUri().toURL();
      Thread.currentThread()
          .setContextClassLoader(
              new ClassLoader(ShardToys.class.getClassLoader()) {
                @Override
                public Enumeration<URL> getResources(String name) throws IOException {
                  return name.equals("META-INF/services/" + VectorBackend.class.getName())
                      ? Collections.enumeration(List.of(url))
                      : super.getResources(name);
                }
              });
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  /** Saves rows of one dimension; the folder's name is the name of the shard. */
  static SnapshotManifest save(Path folder, String backend, Map<Long, Float> rows) {
    return save(folder, backend, Map.of(), rows);
  }

  static SnapshotManifest save(
      Path folder, String backend, Map<String, Object> parameters, Map<Long, Float> rows) {
    return save(folder, backend, Metric.L2, 1, parameters, rows);
  }

  static SnapshotManifest save(
      Path folder,
      String backend,
      Metric metric,
      int dimension,
      Map<String, Object> parameters,
      Map<Long, Float> rows) {
    SnapshotContent content =
        SnapshotContent.of(
            "rows",
            sink ->
                rows.forEach(
                    (id, x) ->
                        sink.write(
                            MemorySegment.ofArray(new long[] {id, Float.floatToRawIntBits(x)}))));
    return new SnapshotWriter(folder, FileOperations.disk())
        .write(
            new SnapshotContents(
                backend,
                "1",
                metric,
                dimension,
                parameters,
                rows.size(),
                rows.isEmpty() ? 0 : 1,
                Map.of("name", folder.getFileName().toString()),
                List.of(content)));
  }

  /** One of them. */
  abstract static class Toy implements VectorBackend {
    @Override
    public String upstreamVersion() {
      return "1";
    }

    @Override
    public Capabilities capabilities() {
      return new Capabilities(EnumSet.of(Metric.L2, Metric.DOT), 2, 1000, true, false, false, true);
    }

    @Override
    public Capabilities capabilities(IndexSpec spec) {
      boolean codes = "false".equals(spec.parameters().get("keepVectors"));
      return new Capabilities(EnumSet.of(Metric.L2, Metric.DOT), 2, 1000, true, codes, false, true);
    }

    @Override
    public List<Parameter> parameters() {
      return List.of(Parameter.choice("keepVectors", List.of("true", "false"), "rows"));
    }

    @Override
    public Availability availability() {
      return Availability.of("none", "1", "baseline");
    }

    @Override
    public VectorIndex create(IndexSpec spec) {
      throw new UnsupportedOperationException("only opened");
    }

    @Override
    public VectorIndex open(IndexSpec spec, SnapshotReader reader) {
      return new Index(spec, reader, "open ", () -> {});
    }

    @Override
    public VectorIndex view(IndexSpec spec, SnapshotReader reader) {
      return new Index(spec, reader, "view ", reader::close);
    }
  }

  /** Of the name {@code one}. */
  public static final class One extends Toy {
    @Override
    public String name() {
      return "one";
    }
  }

  /** Of the name {@code two}. */
  public static final class Two extends Toy {
    @Override
    public String name() {
      return "two";
    }
  }

  private static final class Index implements VectorIndex {
    private final IndexSpec spec;
    private final String name;
    private final long bytes;
    private final Runnable closing;
    private final TreeMap<Long, Float> rows = new TreeMap<>();
    private final AtomicInteger inside = new AtomicInteger();
    private volatile boolean closed;

    Index(IndexSpec spec, SnapshotReader reader, String how, Runnable closing) {
      this.spec = spec;
      this.name = reader.manifest().details().get("name").toString();
      this.bytes = reader.manifest().bytes();
      this.closing = closing;
      MOST_BYTES.accumulateAndGet(OPEN_BYTES.addAndGet(bytes), Math::max);
      boolean complete = false;
      try {
        onOpen.accept(name);
        MemorySegment file = reader.file("rows");
        for (long at = 0; at < bytes; at += ROW_BYTES) {
          rows.put(
              file.get(ValueLayout.JAVA_LONG_UNALIGNED, at),
              Float.intBitsToFloat((int) file.get(ValueLayout.JAVA_LONG_UNALIGNED, at + 8)));
        }
        complete = true;
      } finally {
        if (!complete) {
          OPEN_BYTES.addAndGet(-bytes);
        }
      }
      OPENED.add(how + name);
    }

    private <T> T call(java.util.function.Supplier<T> call) {
      inside.incrementAndGet();
      try {
        if (closed) {
          WRONG.add(name + " was called when it was closed");
        }
        T result = call.get();
        if (closed) {
          WRONG.add(name + " was closed during a call");
        }
        return result;
      } finally {
        inside.decrementAndGet();
      }
    }

    @Override
    public IndexSpec spec() {
      return spec;
    }

    @Override
    public Capabilities capabilities() {
      return Panvec.capabilities(spec);
    }

    @Override
    public long size() {
      return rows.size();
    }

    @Override
    public boolean contains(long id) {
      return call(() -> rows.containsKey(id));
    }

    @Override
    public List<Optional<float[]>> getAll(long... ids) {
      return call(
          () -> {
            List<Optional<float[]>> all = new ArrayList<>();
            for (long id : ids) {
              all.add(Optional.ofNullable(rows.get(id)).map(x -> new float[] {x}));
            }
            return all;
          });
    }

    @Override
    public long[] ids() {
      return call(() -> rows.keySet().stream().mapToLong(Long::longValue).toArray());
    }

    @Override
    public SearchResult search(SearchRequest request) {
      return call(
          () -> {
            onSearch.accept(name);
            request.limits().check("the search");
            Vectors.checkRequest(request, 1, spec, 1000);
            float query = request.query().get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0);
            SearchBuffer buffer = SearchBuffer.allocate(1, request.k());
            rows.forEach(
                (id, x) -> {
                  if (request.idFilter() == null || request.idFilter().test(id)) {
                    buffer.insert(id, Math.abs(query - x), request.k());
                  }
                });
            buffer.setPath(request.isExact() ? SearchPath.SCAN : SearchPath.WALK);
            return buffer.toResult();
          });
    }

    @Override
    public void search(SearchRequest request, SearchBuffer buffer) {
      throw new UnsupportedOperationException();
    }

    @Override
    public List<SearchResult> searchAll(SearchRequest request) {
      List<SearchResult> all = new ArrayList<>();
      for (long i = 0; i < request.dimension(); i++) {
        all.add(search(request.query(request.query().asSlice(i * Float.BYTES, Float.BYTES))));
      }
      return all;
    }

    @Override
    public void addAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void upsertAll(MemorySegment ids, MemorySegment vectors, WriteOptions options) {
      throw new UnsupportedOperationException();
    }

    @Override
    public int removeAll(long... ids) {
      throw new UnsupportedOperationException();
    }

    @Override
    public boolean train(MemorySegment sample, WriteOptions options) {
      throw new UnsupportedOperationException();
    }

    @Override
    public IndexStats stats() {
      return call(() -> new IndexStats(rows.size(), 0, 7, 0, Map.of()));
    }

    @Override
    public void close() {
      if (inside.get() != 0) {
        WRONG.add(name + " is closed while " + inside + " calls are in it");
      }
      if (closed) {
        WRONG.add(name + " is closed twice");
      }
      closed = true;
      OPEN_BYTES.addAndGet(-bytes);
      closing.run();
    }
  }
}
