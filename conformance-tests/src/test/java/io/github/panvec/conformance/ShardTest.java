package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.RangeResult;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.ShardOptions;
import io.github.panvec.ShardedIndex;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.VectorIndex;
import io.github.panvec.Verify;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.function.LongPredicate;
import java.util.stream.LongStream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * A shard of every kind of index of every backend that keeps its vectors, together, against one
 * index of all the rows and against plain Java.
 */
class ShardTest {
  private static final int DIMENSION = 19;
  private static final int ROWS_PER_SHARD = 150;

  /** Each so many rows, one of another shard is the same vector. */
  private static final int COPIED = 3;

  @TempDir Path folder;

  private Rows rows;
  private final List<Path> shards = new ArrayList<>();

  /** Rows dealt out to shards in turn, many of them at the same distance from anything. */
  private void save(Metric metric) {
    List<Subject> kinds =
        Subjects.keepingVectors()
            .filter(kind -> kind.capabilities().snapshots() && kind.takes(metric))
            .toList();
    rows = Rows.gaussian(metric, DIMENSION, ROWS_PER_SHARD * kinds.size());
    long[] ids = rows.ids();
    for (int i = COPIED; i < ids.length; i += COPIED) {
      rows.put(ids[i], rows.byId.get(ids[rows.random.nextInt(i)]));
    }
    rows.put(Long.MIN_VALUE, rows.byId.get(ids[0]));
    rows.put(Long.MAX_VALUE, rows.byId.get(ids[0]));
    List<Rows> parts = new ArrayList<>();
    kinds.forEach(kind -> parts.add(new Rows(metric, DIMENSION)));
    int turn = 0;
    for (long id : rows.ids()) {
      parts.get(turn++ % parts.size()).put(id, rows.byId.get(id));
    }
    for (int i = 0; i < kinds.size(); i++) {
      Path path = folder.resolve("shard" + i);
      try (VectorIndex index = parts.get(i).index(kinds.get(i))) {
        // Removed and replaced rows are in the files, and in no answer.
        index.add(-1000, rows.query());
        index.remove(-1000);
        long replaced = parts.get(i).byId.firstKey();
        index.upsert(replaced, rows.query());
        index.upsert(replaced, rows.byId.get(replaced));
        index.save(path);
      }
      shards.add(path);
    }
    assertThat(shards).hasSizeGreaterThanOrEqualTo(4);
    assertThat(shards.stream().map(Panvec::describe).map(SnapshotManifest::backend).distinct())
        .hasSize(4);
  }

  private List<SnapshotSource> directories() {
    return shards.stream().map(SnapshotSource::of).toList();
  }

  /** From an object store. */
  private List<SnapshotSource> fetched() {
    List<SnapshotSource> sources = new ArrayList<>();
    for (Path shard : shards) {
      sources.add(
          SnapshotSource.of(
              "store/" + shard.getFileName(),
              (path, arena) -> {
                byte[] bytes = Files.readAllBytes(shard.resolve(path));
                return arena.allocate(bytes.length, 64).copyFrom(MemorySegment.ofArray(bytes));
              }));
    }
    return sources;
  }

  private long largest() {
    return shards.stream().mapToLong(shard -> Panvec.describe(shard).bytes()).max().getAsLong();
  }

  private interface Check {
    void check(ShardedIndex index);
  }

  /** In every way to open shards, with room for all of them and for few. */
  private void inEveryWay(Check check) {
    for (List<SnapshotSource> sources : List.of(directories(), fetched())) {
      for (ShardOptions options :
          List.of(
              ShardOptions.defaults(),
              ShardOptions.defaults().views(Verify.SIZES).budget(2 * largest()),
              ShardOptions.defaults().inMemory().budget(3 * largest()))) {
        try (ShardedIndex index = ShardedIndex.open(sources, options)) {
          check.check(index);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  @Contract("shards.as-one-index")
  void shardsAnswerAsOneIndexOfAllRows(Metric metric) {
    save(metric);
    Subject one =
        Subjects.keepingVectors().filter(kind -> kind.takes(metric)).findFirst().orElseThrow();
    try (VectorIndex all = rows.index(one)) {
      inEveryWay(
          index -> {
            assertThat(index.size()).isEqualTo(all.size());
            assertSearches(index, all);
            assertBatch(index, all);
          });
    }
  }

  private void assertSearches(ShardedIndex index, VectorIndex all) {
    IdFilter even = IdFilter.matching(id -> id % 2 == 0);
    for (int k : new int[] {1, 10, 200}) {
      // A row itself, of which there are copies in other shards, and something between rows.
      float[] row = rows.byId.get(rows.ids()[rows.random.nextInt(1000)]);
      for (float[] query : List.of(row, rows.query())) {
        SearchRequest request = SearchRequest.of(query, k).exact();
        assertSame(index, all, request, query, id -> true);
        assertSame(index, all, request.filter(even), query, id -> id % 2 == 0);
        assertSame(
            index, all, request.filter(IdFilter.range(0, 300)), query, id -> id >= 0 && id <= 300);
      }
    }
  }

  private void assertSame(
      ShardedIndex index,
      VectorIndex all,
      SearchRequest request,
      float[] query,
      LongPredicate passes) {
    List<Hit> expected = rows.nearest(query, request.k(), passes);
    assertThat(index.search(request).hits()).isEqualTo(expected);
    assertThat(all.search(request).hits()).isEqualTo(expected);
    // At the very distance of a hit, and with a limit that cuts off hits of one distance.
    float radius = expected.get(expected.size() / 2).distance();
    for (int limit : new int[] {request.k(), 5000}) {
      SearchRequest limited = SearchRequest.of(query, limit);
      if (request.idFilter() != null) {
        limited = limited.filter(request.idFilter());
      }
      RangeResult found = index.searchRange(limited, Math.max(0, radius));
      RangeResult wanted = all.searchRange(limited, Math.max(0, radius));
      assertThat(found.hits().hits()).isEqualTo(wanted.hits().hits());
      assertThat(found.truncated()).isEqualTo(wanted.truncated());
      assertThat(found.approximate()).isEqualTo(wanted.approximate());
    }
  }

  private void assertBatch(ShardedIndex index, VectorIndex all) {
    SearchRequest request = SearchRequest.of(rows.queries(20), 10).exact();
    List<SearchResult> found = index.searchAll(request);
    List<SearchResult> wanted = all.searchAll(request);
    assertThat(found).hasSize(20);
    for (int i = 0; i < 20; i++) {
      assertThat(found.get(i).hits()).isEqualTo(wanted.get(i).hits());
    }
  }

  @ParameterizedTest
  @EnumSource
  @Contract("shards.by-id")
  void shardsHoldTheRowsOfAll(Metric metric) {
    save(metric);
    long[] some =
        LongStream.concat(
                LongStream.of(Long.MIN_VALUE, -1000, Long.MAX_VALUE, 123_456),
                rows.random.ints(20, 0, 1000).mapToLong(i -> i))
            .toArray();
    TreeMap<Long, float[]> stored = new TreeMap<>();
    rows.byId.forEach((id, row) -> stored.put(id, Reference.stored(metric, row)));
    inEveryWay(
        index -> {
          assertThat(index.ids()).isEqualTo(rows.ids());
          var found = index.getAll(some);
          for (int i = 0; i < some.length; i++) {
            assertThat(found.get(i).orElse(null)).isEqualTo(stored.get(some[i]));
            assertThat(index.contains(some[i])).isEqualTo(stored.containsKey(some[i]));
          }
        });
  }

  @ParameterizedTest
  @EnumSource
  @Contract("shards.merged")
  void otherSearchesAreThoseOfTheShardsMerged(Metric metric) {
    save(metric);
    List<VectorIndex> views = shards.stream().map(Panvec::view).toList();
    try {
      inEveryWay(
          index -> {
            for (int i = 0; i < 10; i++) {
              SearchRequest request =
                  SearchRequest.of(rows.query(), 10).efSearch(20).filter(IdFilter.range(0, 2000));
              SearchResult merged =
                  Panvec.merge(views.stream().map(view -> view.search(request)).toList(), 10);
              SearchResult found = index.search(request);
              assertThat(found.hits()).isEqualTo(merged.hits());
              assertThat(found.path()).isEqualTo(merged.path());
            }
          });
    } finally {
      views.forEach(VectorIndex::close);
    }
  }
}
