package io.github.panvec;

import io.github.panvec.spi.Vectors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;

/**
 * Several snapshots searched as one index. They share metric and dimension, and may be of different
 * backends. Read-only.
 *
 * <pre>{@code
 * List<SnapshotSource> shards = List.of(SnapshotSource.of(monday), SnapshotSource.of(tuesday));
 * try (ShardedIndex index = ShardedIndex.open(shards, ShardOptions.defaults().budget(4L << 30))) {
 *   SearchResult hits = index.search(query, 10);
 * }
 * }</pre>
 *
 * <p><b>Answers.</b> Exact searches and range searches answer exactly what one index of all the
 * rows would: the k nearest by (distance, id), distances equal bit for bit. Other searches merge
 * what each shard finds; k and everything else in a request are for each shard.
 *
 * <p><b>Ids.</b> An id is in one shard at most. Manifests do not tell the ids, so opening refuses
 * only what is twice the same snapshot. No answer has an id twice: a search that would have is
 * refused, naming both shards, and so is {@link #ids()}, which finds every such id. {@link #get}
 * and {@link #contains} take the first one they find.
 *
 * <p><b>Opening.</b> A shard is opened by the first call that needs it. With a {@linkplain
 * ShardOptions#budget budget} those used least recently are closed again for others, never while a
 * call is in them, and there is never more open than that: calls wait, within their deadline, until
 * there is room. A call goes to shards that are open first, so that a budget that is one shard too
 * small costs one opening a call, not one for each shard. Until this is closed it stays what it was
 * when it was opened: later saves to a directory are not seen, and delete nothing that is needed.
 *
 * <p><b>Threads.</b> Any number may call. Each call asks one shard after another, on its own thread
 * (batches use the {@code threads} of each shard's index). {@link #close()} waits for calls in
 * flight. The predicate of a filter must not call the index that is searched.
 *
 * <p><b>Errors</b> are those of {@link Panvec#open(SnapshotSource)} and {@link VectorIndex}; what
 * goes wrong in a shard names it. A shard that could not be opened is tried again by the next call.
 */
public final class ShardedIndex implements AutoCloseable {
  private final List<Shard> shards;

  /** For checks of what callers pass. */
  private final IndexSpec shape;

  private final int maxK;
  private final OpenShards open;

  /** Set on threads that are inside a call. */
  private final ThreadLocal<Boolean> inside = new ThreadLocal<>();

  private ShardedIndex(List<Shard> shards, ShardOptions options) {
    this.shards = List.copyOf(shards);
    SnapshotManifest first = shards.get(0).manifest();
    shape = IndexSpec.of(first.backend(), first.dimension(), first.metric());
    maxK = shards.stream().mapToInt(shard -> shard.capabilities().maxK()).min().getAsInt();
    open = new OpenShards(options);
  }

  /** With {@link ShardOptions#defaults()}. */
  public static ShardedIndex open(List<SnapshotSource> shards) {
    return open(shards, ShardOptions.defaults());
  }

  /**
   * Over these snapshots. Reads their manifests, and loads no native library.
   *
   * @param shards at least one; messages number them from 0 in this order
   * @throws IllegalArgumentException when there is none, when one has more bytes than the budget,
   *     or two are the same snapshot with rows in it
   * @throws ForeignFileException when one is no snapshot, or is of another metric or dimension than
   *     the first
   * @throws CorruptIndexException when a manifest is damaged
   * @throws IndexIoException when a manifest cannot be read
   * @throws UnknownBackendException when the backend that saved one is not on the path
   */
  public static ShardedIndex open(List<SnapshotSource> shards, ShardOptions options) {
    Objects.requireNonNull(options, "options");
    if (shards.isEmpty()) {
      throw new IllegalArgumentException("there must be at least one shard");
    }
    List<Shard> opened = new ArrayList<>();
    boolean complete = false;
    try {
      for (SnapshotSource source : List.copyOf(shards)) {
        opened.add(new Shard(opened.size(), source));
      }
      check(opened, options);
      complete = true;
      return new ShardedIndex(opened, options);
    } finally {
      if (!complete) {
        opened.forEach(Shard::giveBack);
      }
    }
  }

  private static void check(List<Shard> shards, ShardOptions options) {
    Shard first = shards.get(0);
    Map<SnapshotManifest, Shard> different = new HashMap<>();
    for (Shard shard : shards) {
      if (shard.manifest().metric() != first.manifest().metric()
          || shard.manifest().dimension() != first.manifest().dimension()) {
        throw new ForeignFileException(
            shard + " has " + shapeOf(shard) + ", " + first + " has " + shapeOf(first));
      }
      if (shard.bytes() > options.budget()) {
        throw new IllegalArgumentException(
            shard + " has " + shard.bytes() + " bytes, the budget " + options.budget());
      }
      Shard same = shard.isEmpty() ? null : different.put(shard.manifest(), shard);
      if (same != null) {
        throw new IllegalArgumentException(shard + " is the same snapshot as " + same);
      }
    }
  }

  private static String shapeOf(Shard shard) {
    return shard.manifest().dimension() + " dimensions under " + shard.manifest().metric();
  }

  /** What the manifest of each shard says, in the order in which they were given. */
  public List<SnapshotManifest> manifests() {
    return shards.stream().map(Shard::manifest).toList();
  }

  /** The metric of all shards. */
  public Metric metric() {
    return shape.metric();
  }

  /** Components per vector. */
  public int dimension() {
    return shape.dimension();
  }

  /** How many vectors are live in all shards together; opens none. */
  public long size() {
    return call(() -> shards.stream().mapToLong(shard -> shard.manifest().size()).sum());
  }

  // ------------------------------------------------------------------------------- by id

  /** Whether {@code id} is in one of the shards; asks one after another until one says so. */
  public boolean contains(long id) {
    return call(
        () -> {
          boolean[] found = {false};
          visit(Limits.NONE, (shard, index) -> found[0] = index.contains(id));
          return found[0];
        });
  }

  /** As {@link VectorIndex#get}; asks one shard after another until one has it. */
  public Optional<float[]> get(long id) {
    return getAll(id).get(0);
  }

  /** {@link #get} for each of {@code ids}, in their order. */
  public List<Optional<float[]>> getAll(long... ids) {
    Objects.requireNonNull(ids, "ids");
    return call(
        () -> {
          requireVectors("get");
          List<Optional<float[]>> rows =
              new ArrayList<>(Collections.nCopies(ids.length, Optional.empty()));
          if (ids.length > 0) {
            visit(Limits.NONE, (shard, index) -> fill(rows, ids, index));
          }
          return List.copyOf(rows);
        });
  }

  /** Fills in what is missing, as far as {@code index} has it; true when nothing is missing. */
  private static boolean fill(List<Optional<float[]>> rows, long[] ids, VectorIndex index) {
    int[] missing = missing(rows);
    List<Optional<float[]>> found =
        index.getAll(Arrays.stream(missing).mapToLong(i -> ids[i]).toArray());
    for (int i = 0; i < missing.length; i++) {
      rows.set(missing[i], found.get(i));
    }
    return missing(rows).length == 0;
  }

  private static int[] missing(List<Optional<float[]>> rows) {
    List<Integer> missing = new ArrayList<>();
    for (int i = 0; i < rows.size(); i++) {
      if (rows.get(i).isEmpty()) {
        missing.add(i);
      }
    }
    return missing.stream().mapToInt(Integer::intValue).toArray();
  }

  /**
   * The ids of all live vectors, ascending. Opens every shard.
   *
   * @throws VectorIndexException when an id is in two shards, naming them
   */
  public long[] ids() {
    return call(
        () -> {
          List<long[]> parts = new ArrayList<>();
          visit(
              Limits.NONE,
              (shard, index) -> {
                parts.add(index.ids());
                return false;
              });
          long[] all = parts.stream().flatMapToLong(Arrays::stream).sorted().toArray();
          for (int i = 1; i < all.length; i++) {
            if (all[i] == all[i - 1]) {
              throw twice(all[i], holders(all[i]));
            }
          }
          return all;
        });
  }

  private List<Shard> holders(long id) {
    List<Shard> holders = new ArrayList<>();
    visit(
        Limits.NONE,
        (shard, index) -> {
          if (index.contains(id)) {
            holders.add(shard);
          }
          return holders.size() == 2;
        });
    return holders;
  }

  private static VectorIndexException twice(long id, List<Shard> holders) {
    return new VectorIndexException(
        "id " + id + " is in " + holders.get(0) + " and in " + holders.get(1));
  }

  // --------------------------------------------------------------------------- searching

  /** The {@code k} nearest to {@code query}, see {@link #search(SearchRequest)}. */
  public SearchResult search(float[] query, int k) {
    return search(SearchRequest.of(query, k));
  }

  /**
   * Searches as {@code request} says: min(k, matching) hits. Its deadline is for the whole call,
   * with opening shards: verification notices it within milliseconds, a backend that reads its
   * files afterwards. Hits from a shard that keeps codes only have the distances of codes.
   *
   * @throws InvalidVectorException as {@link VectorIndex#search(SearchRequest)}
   * @throws IllegalArgumentException when {@code k} is above the {@link Capabilities#maxK()} of a
   *     shard
   * @throws UnsupportedOperationException when {@link SearchRequest#exact()} is asked and a shard
   *     keeps codes only
   * @throws VectorIndexException when an id among the hits is in two shards, naming them
   */
  public SearchResult search(SearchRequest request) {
    return call(
        () -> {
          check(request, 1);
          Merge merge = new Merge(request.k());
          visit(
              request.limits(),
              (shard, index) -> {
                merge.add(index.search(request), shard.number());
                return false;
              });
          return merged(merge);
        });
  }

  /** The {@code k} nearest to each query, see {@link #searchAll(SearchRequest)}. */
  public List<SearchResult> searchAll(float[] queries, int k) {
    return searchAll(SearchRequest.of(queries, k));
  }

  /**
   * Searches for many queries: each shard is asked for all of them at once, and opened once.
   *
   * @param request as for {@link VectorIndex#searchAll(SearchRequest)}
   */
  public List<SearchResult> searchAll(SearchRequest request) {
    return call(
        () -> {
          int count = Vectors.countQueries(request.query(), shape);
          check(request, count);
          if (count == 0) {
            return List.of();
          }
          List<Merge> merges = new ArrayList<>(count);
          for (int i = 0; i < count; i++) {
            merges.add(new Merge(request.k()));
          }
          visit(
              request.limits(),
              (shard, index) -> {
                List<SearchResult> found = index.searchAll(request);
                for (int i = 0; i < count; i++) {
                  merges.get(i).add(found.get(i), shard.number());
                }
                return false;
              });
          return merges.stream().map(this::merged).toList();
        });
  }

  /** Everything within {@code radius}, see {@link #searchRange(SearchRequest, float)}. */
  public RangeResult searchRange(float[] query, float radius, int limit) {
    return searchRange(SearchRequest.of(query, limit), radius);
  }

  /**
   * As {@link VectorIndex#searchRange(SearchRequest, float)}; approximate when a shard's is.
   *
   * @throws VectorIndexException as {@link #search(SearchRequest)}
   */
  public RangeResult searchRange(SearchRequest request, float radius) {
    return call(
        () -> {
          Vectors.checkRadius(radius, shape.metric());
          check(request, 1);
          Merge merge = new Merge(request.k());
          boolean[] approximate = {false};
          visit(
              request.limits(),
              (shard, index) -> {
                RangeResult found = index.searchRange(request, radius);
                merge.add(found.hits(), shard.number());
                approximate[0] |= found.approximate();
                return false;
              });
          SearchResult hits = merged(merge);
          return new RangeResult(hits, hits.count() == request.k(), approximate[0]);
        });
  }

  /** Once here, before any shard is opened for nothing. */
  private void check(SearchRequest request, int queries) {
    Vectors.checkRequest(request, queries, shape, maxK);
    if (request.isExact()) {
      requireVectors("exact search");
    }
    float[] query = new float[shape.dimension()];
    for (int i = 0; i < queries; i++) {
      Vectors.read("query", request.query(), i, query, shape.metric());
    }
    request.limits().check("the search");
  }

  private void requireVectors(String what) {
    for (Shard shard : shards) {
      if (shard.capabilities().codesOnly()) {
        throw new UnsupportedOperationException(
            what
                + (" needs the float32 vectors, and " + shard + " keeps only codes of them: ")
                + shard.manifest().spec());
      }
    }
  }

  private SearchResult merged(Merge merge) {
    Merge.Twice twice = merge.twice();
    if (twice != null) {
      throw twice(twice.id(), List.of(shards.get(twice.one()), shards.get(twice.other())));
    }
    return merge.result();
  }

  // -------------------------------------------------------------------------------- calls

  /** What a call does with a shard. */
  @FunctionalInterface
  private interface Visit {
    /** Whether the call is done. */
    boolean isLast(Shard shard, VectorIndex index);
  }

  /** Visits the shards that have rows, those that are open first. */
  private void visit(Limits limits, Visit visit) {
    List<Shard> closed = new ArrayList<>();
    for (Shard shard : shards) {
      if (!shard.isEmpty()) {
        VectorIndex index = open.useIfOpen(shard);
        if (index == null) {
          closed.add(shard);
        } else if (isLast(visit, shard, index)) {
          return;
        }
      }
    }
    for (Shard shard : closed) {
      if (isLast(visit, shard, open.use(shard, limits))) {
        return;
      }
    }
  }

  private boolean isLast(Visit visit, Shard shard, VectorIndex index) {
    try {
      return visit.isLast(shard, index);
    } catch (RuntimeException failure) {
      throw shard.named(failure);
    } finally {
      open.release(shard);
    }
  }

  /** A call. */
  @FunctionalInterface
  private interface Call<T> {
    T run();
  }

  private <T> T call(Call<T> call) {
    refuseGuests();
    open.beginCall();
    inside.set(true);
    try {
      return call.run();
    } finally {
      inside.remove();
      open.endCall();
    }
  }

  /** What runs in the middle of a call could wait for the very call that waits for it. */
  private void refuseGuests() {
    if (inside.get() != null) {
      throw new IllegalStateException(
          "the predicate of a filter, or what fetches a shard, called the index that waits for it,"
              + " which would wait for ever");
    }
  }

  // ---------------------------------------------------------------------------------- life

  /**
   * Numbers now. Size and dead rows are those of all shards, {@code nativeBytes} those of the ones
   * that are open, {@code diskBytes} the files of all; {@code details} tell the number of {@code
   * shards}, how many are {@code open} with how many {@code openBytes}, and how many were {@code
   * opened} and {@code evicted} so far. Opens none.
   */
  public IndexStats stats() {
    return call(
        () -> {
          long size = 0;
          long dead = 0;
          long bytes = 0;
          long nativeBytes = 0;
          for (Shard shard : shards) {
            size += shard.manifest().size();
            dead += shard.manifest().dead();
            bytes += shard.bytes();
            nativeBytes += nativeBytes(shard);
          }
          OpenShards.Counts counts = open.counts();
          Map<String, Object> details = new TreeMap<>();
          details.put("shards", (long) shards.size());
          details.put("open", (long) counts.open());
          details.put("openBytes", counts.bytes());
          details.put("opened", counts.opened());
          details.put("evicted", counts.evicted());
          return new IndexStats(size, dead, nativeBytes, bytes, details);
        });
  }

  private long nativeBytes(Shard shard) {
    long[] bytes = {0};
    VectorIndex index = open.useIfOpen(shard);
    if (index != null) {
      isLast(
          (any, opened) -> {
            bytes[0] = opened.stats().nativeBytes();
            return true;
          },
          shard,
          index);
    }
    return bytes[0];
  }

  /**
   * Closes all shards after waiting for calls in flight. A second call does nothing; other calls
   * then throw {@link IllegalStateException}.
   */
  @Override
  public void close() {
    refuseGuests();
    open.close(shards);
  }

  /** For example {@code 4 shards of 1200 vectors with 19 dimensions under L2}. */
  @Override
  public String toString() {
    long size = shards.stream().mapToLong(shard -> shard.manifest().size()).sum();
    String noun = shards.size() == 1 ? " shard of " : " shards of ";
    return shards.size() + noun + size + " vectors with " + shapeOf(shards.get(0));
  }
}
