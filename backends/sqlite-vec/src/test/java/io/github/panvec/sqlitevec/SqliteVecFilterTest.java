package io.github.panvec.sqlitevec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchPath;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Filters that are more than a list or a bitmap, and those that are prepared. */
class SqliteVecFilterTest {
  private static final int DIMENSION = 6;

  @TempDir Path directory;
  private final Random random = Rows.random("SqliteVecFilterTest");

  private VectorIndex open(Metric metric, boolean inFile) {
    return inFile
        ? Rows.open(metric, DIMENSION, directory.resolve("filtered.db"))
        : Panvec.create(Rows.spec(metric, DIMENSION));
  }

  private float[] query() {
    return Rows.random(random, Metric.L2, DIMENSION, 1, 0).vectors;
  }

  private IdFilter anyFilter(int depth) {
    int kind = random.nextInt(depth == 0 ? 4 : 8);
    long id = random.nextInt(10) == 0 ? Long.MIN_VALUE : random.nextInt(3500) - 250;
    switch (kind) {
      case 0:
        return IdFilter.in(random.longs(random.nextInt(2000), -100, 3200).toArray());
      case 1:
        BitSet bits = new BitSet();
        random.ints(random.nextInt(2000), 0, 3000).forEach(bits::set);
        return IdFilter.bitmap(random.nextInt(300) - 150, bits);
      case 2:
        return IdFilter.range(id, Math.max(id, random.nextInt(4000) - 250));
      case 3:
        long divisor = 1 + random.nextInt(7);
        return IdFilter.matching(each -> each % divisor == 0);
      case 4:
        return anyFilter(depth - 1).not();
      case 5:
        return anyFilter(depth - 1).and(anyFilter(depth - 1));
      case 6:
        return anyFilter(depth - 1).or(anyFilter(depth - 1));
      default:
        return IdFilter.notIn(random.longs(20, 0, 3000).toArray());
    }
  }

  @ParameterizedTest
  @EnumSource
  void anyCombinationReturnsExactlyTheMatches(Metric metric) {
    Rows rows = Rows.random(random, metric, DIMENSION, 3000, 0);
    try (VectorIndex index = open(metric, false);
        VectorIndex other = open(metric, false)) {
      index.addAll(rows.ids, rows.vectors);
      other.add(0, query());
      SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 20);
      for (int round = 0; round < 200; round++) {
        IdFilter filter = anyFilter(3);
        float[] query = query();
        List<Rows.Expected> expected = rows.nearest(query, 20, filter);
        IdFilter prepared = index.prepare(filter);
        for (IdFilter each :
            List.of(
                filter,
                prepared,
                other.prepare(filter),
                other.prepare(prepared),
                prepared.not().not(),
                prepared.and(IdFilter.range(Long.MIN_VALUE, Long.MAX_VALUE)))) {
          SearchRequest request = SearchRequest.of(query, 20).filter(each);
          assertThat(Rows.of(index.search(request))).as("%s", each).isEqualTo(expected);
          assertThat(index.search(request).path()).isEqualTo(SearchPath.SCAN);
          index.search(request, buffer);
          assertThat(Rows.of(buffer.toResult())).as("%s", each).isEqualTo(expected);
          assertThat(Rows.of(index.searchAll(request).get(0))).as("%s", each).isEqualTo(expected);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aPreparedPredicateIsAskedOnceForEachRowWhoeverAddedIt(boolean inFile) {
    Map<Long, AtomicInteger> asked = new ConcurrentHashMap<>();
    IdFilter odd =
        IdFilter.matching(
            id -> {
              asked.computeIfAbsent(id, unused -> new AtomicInteger()).incrementAndGet();
              return id % 2 != 0;
            });
    try (VectorIndex index = open(Metric.L2, inFile);
        VectorIndex writer = inFile ? open(Metric.L2, true) : null) {
      VectorIndex adding = writer == null ? index : writer;
      IdFilter prepared = index.prepare(odd);
      assertThat(index.prepare(prepared)).isSameAs(prepared);
      for (int round = 0; round < 5; round++) {
        Rows rows = Rows.random(random, Metric.L2, DIMENSION, 100, round * 100);
        adding.addAll(rows.ids, rows.vectors);
        adding.removeAll(round * 100 + 1, round * 100 + 2);
        SearchRequest request = SearchRequest.of(query(), 1000).filter(prepared);
        for (int i = 0; i < 3; i++) {
          assertThat(index.search(request).count()).isEqualTo(49 * (round + 1));
        }
        index.compact();
        assertThat(index.search(request).count()).isEqualTo(49 * (round + 1));
      }
      assertThat(asked).hasSize(490);
      assertThat(asked.values()).allMatch(times -> times.get() == 1);
      // An id that comes back is known.
      adding.add(1, query());
      assertThat(index.search(SearchRequest.of(query(), 1000).filter(prepared)).count())
          .isEqualTo(246);
      assertThat(asked).hasSize(491);
    }
  }

  @Test
  void aPreparedPredicateForgetsRowsThatAreGone() {
    AtomicInteger asked = new AtomicInteger();
    try (VectorIndex index = open(Metric.DOT, false)) {
      PreparedFilter prepared =
          (PreparedFilter)
              index.prepare(
                  IdFilter.matching(
                      id -> {
                        asked.incrementAndGet();
                        return true;
                      }));
      for (int round = 0; round < 20; round++) {
        Rows rows = Rows.random(random, Metric.DOT, DIMENSION, 1000, round * 1000L);
        index.addAll(rows.ids, rows.vectors);
        assertThat(index.search(SearchRequest.of(query(), 5000).filter(prepared)).count())
            .isEqualTo(1000);
        index.removeAll(rows.ids);
      }
      assertThat(asked.get()).isEqualTo(20_000);
      assertThat(prepared.verdicts().state().known().length).isLessThan(10_000);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void threadsShareAPreparedPredicateWhileRowsCome(boolean inFile) throws Exception {
    Map<Long, AtomicInteger> asked = new ConcurrentHashMap<>();
    try (VectorIndex index = open(Metric.L2, inFile);
        ExecutorService pool = Executors.newFixedThreadPool(6)) {
      IdFilter prepared =
          index.prepare(
              IdFilter.matching(
                  id -> {
                    asked.computeIfAbsent(id, unused -> new AtomicInteger()).incrementAndGet();
                    return id % 3 == 0;
                  }));
      List<Future<?>> searches = new ArrayList<>();
      for (int thread = 0; thread < 6; thread++) {
        float[] query = query();
        searches.add(
            pool.submit(
                () -> {
                  int seen = 0;
                  while (seen < 1000) {
                    int count =
                        index.search(SearchRequest.of(query, 5000).filter(prepared)).count();
                    assertThat(count % 100).isZero();
                    assertThat(count).isGreaterThanOrEqualTo(seen);
                    seen = count;
                  }
                }));
      }
      for (int batch = 0; batch < 10; batch++) {
        Rows rows = Rows.random(random, Metric.L2, DIMENSION, 300, batch * 300L);
        index.addAll(rows.ids, rows.vectors);
      }
      for (Future<?> search : searches) {
        search.get();
      }
      assertThat(asked).hasSize(3000);
      assertThat(asked.values()).allMatch(times -> times.get() == 1);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aPredicateThatThrowsEndsTheSearchAndTheIndexGoesOn(boolean inFile) {
    try (VectorIndex index = open(Metric.COSINE, inFile)) {
      Rows rows = Rows.random(random, Metric.COSINE, DIMENSION, 100, 0);
      index.addAll(rows.ids, rows.vectors);
      IllegalStateException mine = new IllegalStateException("id 50");
      AtomicInteger asked = new AtomicInteger();
      boolean[] fails = {false};
      IdFilter filter =
          IdFilter.matching(
              id -> {
                if (id == 50 && fails[0]) {
                  throw mine;
                }
                asked.incrementAndGet();
                return true;
              });
      fails[0] = true;
      SearchRequest request = SearchRequest.of(query(), 200).filter(filter);
      assertThatThrownBy(() -> index.search(request)).isSameAs(mine);
      assertThatThrownBy(() -> index.searchAll(request)).isSameAs(mine);
      assertThatThrownBy(() -> index.prepare(filter)).isSameAs(mine);
      index.add(1000, query());
      assertThat(index.search(query(), 200).count()).isEqualTo(101);
      // What it said before it threw is remembered.
      fails[0] = false;
      IdFilter prepared = index.prepare(IdFilter.range(0, 99).and(filter));
      fails[0] = true;
      assertThat(index.search(SearchRequest.of(query(), 200).filter(prepared)).count())
          .isEqualTo(100);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aPredicateThatCallsTheIndexIsRefusedInsteadOfWaitingForItself(boolean inFile) {
    try (VectorIndex index = open(Metric.L2, inFile)) {
      index.add(1, query());
      for (Runnable call :
          List.<Runnable>of(
              index::size, () -> index.remove(1), index::close, () -> index.search(query(), 1))) {
        IdFilter filter =
            IdFilter.matching(
                id -> {
                  call.run();
                  return true;
                });
        assertThatThrownBy(() -> index.search(SearchRequest.of(query(), 1).filter(filter)))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("predicate");
      }
      assertThat(index.size()).isEqualTo(1);
      // Another index is free to be called.
      try (VectorIndex other = Panvec.create(Rows.spec(Metric.L2, DIMENSION))) {
        other.add(1, query());
        IdFilter there = IdFilter.matching(other::contains);
        assertThat(index.search(SearchRequest.of(query(), 1).filter(there)).count()).isEqualTo(1);
      }
    }
  }

  @Test
  void aSearchWithAPredicateSeesOneStateThoughRowsGoMeanwhile() {
    try (VectorIndex index = open(Metric.L2, true);
        VectorIndex other = open(Metric.L2, true)) {
      index.addAll(new long[] {1, 2}, new float[2 * DIMENSION]);
      IdFilter removing =
          IdFilter.matching(
              id -> {
                other.remove(2);
                return true;
              });
      SearchRequest request = SearchRequest.of(query(), 5).filter(removing);
      assertThat(index.search(request).ids()).containsExactly(1, 2);
      assertThat(index.search(request).ids()).containsExactly(1);
    }
  }

  @Test
  void hostileFiltersAreHarmless() {
    try (VectorIndex index = open(Metric.L2, false)) {
      Rows rows = Rows.random(random, Metric.L2, DIMENSION, 50, -25);
      index.addAll(rows.ids, rows.vectors);
      IdFilter deep = IdFilter.range(Long.MIN_VALUE, Long.MAX_VALUE);
      for (int i = 0; i < IdFilter.MAX_DEPTH / 2 - 1; i++) {
        deep = deep.and(IdFilter.in(-3, 7)).or(IdFilter.in(8)).not().not();
      }
      for (IdFilter filter :
          List.of(
              deep,
              IdFilter.in().not(),
              IdFilter.in().not().and(IdFilter.in()),
              IdFilter.notIn(LongStream.range(-100, 100).toArray()),
              IdFilter.range(Long.MIN_VALUE, Long.MAX_VALUE),
              IdFilter.range(Long.MIN_VALUE, Long.MIN_VALUE),
              IdFilter.range(Long.MAX_VALUE, Long.MAX_VALUE),
              IdFilter.bitmap(Long.MAX_VALUE, new BitSet()).not())) {
        float[] query = query();
        assertThat(Rows.of(index.search(SearchRequest.of(query, 100).filter(filter))))
            .isEqualTo(rows.nearest(query, 100, filter));
      }
    }
  }
}
