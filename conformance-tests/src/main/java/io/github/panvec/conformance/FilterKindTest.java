package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.LongPredicate;
import org.junit.jupiter.api.Test;

/** The kinds of filters, and filters that were prepared. */
class FilterKindTest extends ConformanceTest {
  private static final int DIMENSION = 8;

  /** Filters, and what they mean. */
  private static Map<IdFilter, LongPredicate> kinds() {
    BitSet odd = new BitSet();
    for (int i = 1; i < 600; i += 2) {
      odd.set(i);
    }
    IdFilter few = IdFilter.in(3, 5, 8, 400, 9999);
    Map<IdFilter, LongPredicate> kinds = new LinkedHashMap<>();
    kinds.put(IdFilter.range(100, 199), id -> id >= 100 && id <= 199);
    kinds.put(IdFilter.range(Long.MIN_VALUE, 3), id -> id <= 3);
    kinds.put(IdFilter.range(7, 7), id -> id == 7);
    kinds.put(IdFilter.notIn(1, 2, 3, 12345), id -> id != 1 && id != 2 && id != 3);
    kinds.put(IdFilter.notIn(), id -> true);
    kinds.put(IdFilter.in().not().not(), id -> false);
    kinds.put(IdFilter.bitmap(0, odd).not(), id -> id < 0 || id >= 600 || id % 2 == 0);
    kinds.put(IdFilter.matching(id -> id % 5 == 0), id -> id % 5 == 0);
    kinds.put(few.and(IdFilter.range(4, 500)), id -> id == 5 || id == 8 || id == 400);
    kinds.put(IdFilter.range(4, 500).and(few), id -> id == 5 || id == 8 || id == 400);
    kinds.put(
        IdFilter.range(0, 299).and(IdFilter.matching(id -> id % 2 == 0)).and(few.not()),
        id -> id >= 0 && id <= 299 && id % 2 == 0 && id != 8);
    kinds.put(
        IdFilter.range(0, 9).or(few).or(IdFilter.range(490, 1_000_000)),
        id -> (id >= 0 && id <= 9) || id == 400 || id >= 490);
    kinds.put(IdFilter.matching(id -> true), id -> true);
    kinds.put(IdFilter.range(Long.MIN_VALUE, Long.MAX_VALUE), id -> true);
    return kinds;
  }

  private static void assertFilters(
      VectorIndex index, Rows rows, IdFilter filter, LongPredicate passes) {
    float[] query = rows.query();
    long matches = rows.byId.keySet().stream().filter(passes::test).count();
    for (int k : new int[] {1, 10, 1000}) {
      SearchRequest request = SearchRequest.of(query, k).filter(filter);
      assertThat(index.search(request.exact()).hits())
          .as("exact, k %d, %s", k, filter)
          .isEqualTo(rows.nearest(query, k, passes));
      assertThat(index.search(request).hits())
          .as("k %d, %s", k, filter)
          .hasSize((int) Math.min(k, matches))
          .allMatch(hit -> passes.test(hit.id()) && rows.byId.containsKey(hit.id()));
    }
  }

  @Test
  @Contract("filter.kinds")
  void rangesComplementsUnionsIntersectionsAndPredicatesFilter() {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 600);
    try (VectorIndex index = rows.index(subject)) {
      for (long id : rows.every(4)) {
        index.remove(id);
        rows.remove(id);
      }
      kinds().forEach((filter, passes) -> assertFilters(index, rows, filter, passes));
    }
    assertThatIllegalArgumentException()
        .isThrownBy(() -> IdFilter.range(5, 4))
        .withMessageContaining("5")
        .withMessageContaining("4");
  }

  @Test
  @Contract("filter.prepared")
  void aPreparedFilterOutlivesWritesAndCompaction() {
    Rows rows = Rows.gaussian(any(Metric.COSINE), DIMENSION, 600);
    try (VectorIndex index = rows.index(subject);
        VectorIndex other = create(DIMENSION, rows.metric())) {
      Map<IdFilter, LongPredicate> prepared = new LinkedHashMap<>();
      kinds().forEach((filter, passes) -> prepared.put(index.prepare(filter), passes));
      prepared.forEach((filter, passes) -> assertFilters(index, rows, filter, passes));
      for (int id = 600; id < 1200; id++) {
        rows.put(id, rows.query());
        index.add(id, rows.byId.get((long) id));
      }
      for (long id : rows.every(3)) {
        index.remove(id);
        rows.remove(id);
      }
      rows.put(-10, rows.query());
      index.upsert(-10, rows.byId.get(-10L));
      prepared.forEach((filter, passes) -> assertFilters(index, rows, filter, passes));
      index.compact();
      prepared.forEach((filter, passes) -> assertFilters(index, rows, filter, passes));
      rows.addTo(other);
      prepared.forEach((filter, passes) -> assertFilters(other, rows, filter, passes));
    }
  }

  @Test
  @Contract("filter.prepared")
  void aPreparedFilterServesManyThreadsBesideAWriter() throws Exception {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 400);
    try (VectorIndex index = rows.index(subject)) {
      IdFilter even = index.prepare(IdFilter.matching(id -> id % 2 == 0));
      SearchRequest nearest = SearchRequest.of(ones(DIMENSION), 50).filter(even);
      SearchRequest all = SearchRequest.of(ones(DIMENSION), 10_000).filter(even).exact();
      AtomicInteger added = new AtomicInteger();
      AtomicInteger adding = new AtomicInteger();
      Readers.whileRunning(
          3,
          () -> {
            int fewest = added.get();
            List<Hit> hits = index.search(all).hits();
            int most = adding.get();
            assertThat(hits)
                .hasSizeBetween(200 + fewest, 200 + most)
                .allMatch(hit -> hit.id() % 2 == 0);
            assertThat(index.search(nearest).hits()).hasSize(50).allMatch(hit -> hit.id() % 2 == 0);
          },
          readers -> {
            for (int i = 1; i <= 300; i++) {
              index.add(10_001 + 2 * i, rows.query());
              adding.set(i);
              index.add(10_000 + 2 * i, rows.query());
              added.set(i);
              if (i % 50 == 0) {
                readers.awaitNextRound();
              }
            }
          });
      assertThat(index.search(all).count()).isEqualTo(500);
    }
  }

  @Test
  @Contract("filter.predicate-once")
  void aSearchAsksAPredicateOnceForEachLiveIdOnItsOwnThread() {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 300);
    try (VectorIndex index = rows.index(subject)) {
      index.removeAll(0, 1, 2);
      Map<Long, Integer> asked = new ConcurrentHashMap<>();
      Thread caller = Thread.currentThread();
      IdFilter counting =
          IdFilter.matching(
              id -> {
                assertThat(Thread.currentThread()).isSameAs(caller);
                asked.merge(id, 1, Integer::sum);
                return id > 100;
              });
      index.search(SearchRequest.of(rows.query(), 5).filter(counting));
      assertThat(asked).hasSize(297).allSatisfy((id, times) -> assertThat(times).isEqualTo(1));
    }
  }

  @Test
  @Contract("filter.predicate-throws")
  void whatAPredicateThrowsReachesTheCallerAndChangesNothing() {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 100);
    try (VectorIndex index = rows.index(subject)) {
      IdFilter bad =
          IdFilter.matching(
              id -> {
                if (id == 42) {
                  throw new ArithmeticException("no opinion about 42");
                }
                return true;
              });
      SearchRequest request = SearchRequest.of(rows.query(), 5).filter(bad);
      assertThatThrownBy(() -> index.search(request)).isInstanceOf(ArithmeticException.class);
      assertThatThrownBy(() -> index.searchAll(request)).isInstanceOf(ArithmeticException.class);
      assertThatThrownBy(
              () -> index.search(SearchRequest.of(rows.query(), 5).filter(index.prepare(bad))))
          .isInstanceOf(ArithmeticException.class);
      rows.assertUnchanged(index);
      assertThat(index.search(rows.query(), 5).count()).isEqualTo(5);
    }
  }
}
