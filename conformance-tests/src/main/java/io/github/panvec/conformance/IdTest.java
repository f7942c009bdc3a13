package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.DuplicateIdException;
import io.github.panvec.Hit;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Ids, and the writes that use them. */
class IdTest extends ConformanceTest {
  private static final double SHARE_UNDER_DOT = 0.95;

  @Test
  @Contract("ids.any-long")
  void anyLongIsAnId() {
    long[] ids = {-1, 0, 1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 40, -(1L << 40)};
    try (VectorIndex index = create(2, any(Metric.L2))) {
      for (int i = 0; i < ids.length; i++) {
        index.add(ids[i], new float[] {1, i});
      }
      for (int i = 0; i < ids.length; i++) {
        assertThat(index.contains(ids[i])).isTrue();
        assertThat(index.search(new float[] {1, i}, 1).ids()).containsExactly(ids[i]);
        assertThat(index.remove(ids[i])).isTrue();
        assertThat(index.contains(ids[i])).isFalse();
      }
      assertThat(index.size()).isZero();
    }
  }

  @Test
  @Contract({"add.duplicate-refused", "add.all-or-nothing"})
  void aLiveIdIsRefusedAndNothingOfItsBatchIsAdded() {
    try (VectorIndex index = create(2, any(Metric.L2))) {
      index.add(7, new float[] {1, 1});
      assertThatThrownBy(() -> index.add(7, new float[] {2, 2}))
          .isInstanceOfSatisfying(
              DuplicateIdException.class,
              duplicate -> {
                assertThat(duplicate.id()).isEqualTo(7);
                assertThat(duplicate.row()).isZero();
              });
      assertThatThrownBy(() -> index.addAll(new long[] {1, 2, 7, 3}, ones(8)))
          .isInstanceOfSatisfying(
              DuplicateIdException.class, duplicate -> assertThat(duplicate.row()).isEqualTo(2))
          .hasMessageContaining("row 2")
          .hasMessageContaining("id 7");
      assertThatThrownBy(() -> index.addAll(new long[] {9, 4, 9}, ones(6)))
          .isInstanceOfSatisfying(
              DuplicateIdException.class, duplicate -> assertThat(duplicate.row()).isEqualTo(2));
      assertThat(index.size()).isEqualTo(1);
      assertThat(index.contains(1)).isFalse();
      float[] kept = Reference.stored(index.spec().metric(), new float[] {1, 1});
      assertThat(index.get(7)).hasValueSatisfying(row -> assertThat(row).containsExactly(kept));
      index.addAll(new long[] {1, 2, 3}, new float[] {0, 1, 0, 2, 0, 3});
      assertThat(index.size()).isEqualTo(4);
    }
  }

  @Test
  @Contract("upsert.replaces")
  void upsertReplacesAndAdds() {
    try (VectorIndex index = create(2, any(Metric.L2))) {
      index.upsert(1, new float[] {1, 0});
      index.upsert(1, new float[] {0, 5});
      assertThat(index.size()).isEqualTo(1);
      float[] replacement = Reference.stored(index.spec().metric(), new float[] {0, 5});
      assertThat(index.get(1))
          .hasValueSatisfying(row -> assertThat(row).containsExactly(replacement));
      assertThat(index.search(new float[] {0, 5}, 10).ids()).containsExactly(1);
    }
  }

  @Test
  @Contract({
    "remove.true-if-live",
    "remove.later-search-does-not-see",
    "remove.add-again",
    "get.empty-when-not-live"
  })
  void aRemovedIdIsNotFoundAndCanBeAddedAgain() {
    try (VectorIndex index = create(2, any(Metric.L2))) {
      index.addAll(new long[] {1, 2}, new float[] {1, 0, 1, 2});
      assertThat(index.remove(1)).isTrue();
      assertThat(index.remove(1)).isFalse();
      assertThat(index.remove(99)).isFalse();
      assertThat(index.size()).isEqualTo(1);
      assertThat(index.get(1)).isEmpty();
      assertThat(index.search(new float[] {1, 0}, 10).ids()).containsExactly(2);
      index.add(1, new float[] {3, 0});
      assertThat(index.search(new float[] {3, 0}, 10).ids()).containsExactly(1, 2);
    }
  }

  @Test
  @Contract("remove.everything")
  void everythingCanBeRemovedAndAddedAgain() {
    Metric metric = any(Metric.L2);
    Rows rows = Rows.gaussian(metric, 8, 500);
    try (VectorIndex index = create(8, metric)) {
      for (int round = 0; round < 3; round++) {
        rows.addTo(index);
        assertThat(index.size()).isEqualTo(500);
        float[] query = TestVectors.gaussian(rows.random, 8);
        assertThat(index.search(SearchRequest.of(query, 7).exact()).hits())
            .isEqualTo(Reference.nearest(metric, rows.byId, query, 7, id -> true));
        rows.byId.keySet().forEach(id -> assertThat(index.remove(id)).isTrue());
        assertThat(index.size()).isZero();
        assertThat(index.search(query, 5).count()).isZero();
      }
    }
  }

  @Test
  @Contract("add.one-of-many-wins")
  void oneOfManyConcurrentAddsOfAnIdWins() throws Exception {
    float[][] rows = new float[8][];
    Arrays.setAll(rows, t -> new float[] {1, t});
    try (VectorIndex index = create(2, any(Metric.L2))) {
      requireOneWinner(index, rows);
    }
  }

  /** Adds each of {@code rows} under the same id at once, forty times over. */
  static void requireOneWinner(VectorIndex index, float[][] rows) throws Exception {
    try (ExecutorService pool = Executors.newFixedThreadPool(rows.length)) {
      for (long id = 0; id < 40; id++) {
        long contested = id;
        CountDownLatch start = new CountDownLatch(1);
        List<Future<Boolean>> adders = new ArrayList<>();
        for (float[] row : rows) {
          adders.add(
              pool.submit(
                  () -> {
                    start.await();
                    try {
                      index.add(contested, row);
                      return true;
                    } catch (DuplicateIdException lost) {
                      return false;
                    }
                  }));
        }
        start.countDown();
        int winners = 0;
        for (Future<Boolean> adder : adders) {
          winners += adder.get() ? 1 : 0;
        }
        assertThat(winners).isEqualTo(1);
      }
      assertThat(index.size()).isEqualTo(40);
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract({"remove.add-again", "search.min-k-live"})
  void idsThatWereReplacedTenTimesAreFoundByTheirLastVector(Metric metric) {
    Rows rows = Rows.gaussian(metric, 12, 300);
    try (VectorIndex index = rows.index(subject)) {
      for (int round = 0; round < 10; round++) {
        for (long id : rows.ids()) {
          assertThat(index.remove(id)).isTrue();
          float[] row = rows.query();
          index.add(id, row);
          rows.put(id, row);
        }
      }
      rows.assertUnchanged(index);
      int nearest = 0;
      for (long id : rows.ids()) {
        SearchRequest self = SearchRequest.of(rows.byId.get(id), 1);
        List<Hit> exact = index.search(self.exact()).hits();
        assertThat(exact).isEqualTo(rows.nearest(rows.byId.get(id), 1));
        SearchResult found = index.search(self);
        assertThat(found.count()).isEqualTo(1);
        nearest += found.hits().equals(exact) ? 1 : 0;
        if (metric != Metric.DOT) {
          assertThat(found.ids()).containsExactly(id);
        }
      }
      // Under DOT a longer row may be nearer than the row itself, and be missed.
      assertThat((double) nearest / rows.byId.size())
          .as("share of the rows that a plain search finds the nearest to")
          .isGreaterThanOrEqualTo(SHARE_UNDER_DOT);
    }
  }
}
