package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.DuplicateIdException;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Calls about many ids at once. */
class ManyRowsTest extends ConformanceTest {
  private static final int DIMENSION = 5;
  private static final int MOST_ROWS = 500_000;

  @Test
  @Contract("remove.all-counts")
  void removingManyCountsThoseThatWereLive() {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 200);
    try (VectorIndex index = rows.index(subject)) {
      assertThat(index.removeAll()).isZero();
      assertThat(index.removeAll(5, 6, 5, 1000, Long.MIN_VALUE, 7)).isEqualTo(3);
      assertThat(index.removeAll(5, 6, 7)).isZero();
      for (long id = 5; id < 8; id++) {
        rows.remove(id);
      }
      rows.assertUnchanged(index);
      float[] query = rows.query();
      assertThat(index.search(SearchRequest.of(query, 500).exact()).hits())
          .isEqualTo(rows.nearest(query, 500));
      assertThat(index.removeAll(rows.ids())).isEqualTo(197);
      assertThat(index.size()).isZero();
      assertThat(index.search(query, 3).count()).isZero();
      rows.addTo(index);
      rows.assertUnchanged(index);
    }
  }

  @Test
  @Contract("ids.all")
  void idsAreThoseThatAreLiveAscending() {
    try (VectorIndex index = create(DIMENSION, any(Metric.L2))) {
      assertThat(index.ids()).isEmpty();
      Rows rows = new Rows(any(Metric.L2), DIMENSION);
      for (long id : new long[] {7, -3, Long.MAX_VALUE, 0, Long.MIN_VALUE, 100}) {
        index.add(id, rows.query());
      }
      index.remove(7);
      index.upsert(100, rows.query());
      assertThat(index.ids()).containsExactly(Long.MIN_VALUE, -3, 0, 100, Long.MAX_VALUE);
    }
  }

  @Test
  @Contract("get.many")
  void getAllIsGetForEachId() {
    Rows rows = Rows.gaussian(any(Metric.COSINE), DIMENSION, 50);
    try (VectorIndex index = rows.index(subject)) {
      assertThat(index.getAll()).isEmpty();
      List<Optional<float[]>> found = index.getAll(3, 999, 3, -10);
      assertThat(found).hasSize(4);
      assertThat(found.get(1)).isEmpty();
      for (int i : new int[] {0, 2, 3}) {
        float[] row = Reference.stored(rows.metric(), rows.byId.get(i == 3 ? -10L : 3L));
        assertThat(found.get(i).orElseThrow()).isEqualTo(row);
      }
    }
  }

  @Test
  @Contract("upsert.many")
  void aBatchOfUpsertsReplacesAndAddsAllOrNothing() {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 100);
    try (VectorIndex index = rows.index(subject)) {
      float[] vectors = rows.queries(3);
      index.upsertAll(new long[] {1, 500, -10}, vectors);
      long[] ids = {1, 500, -10};
      for (int i = 0; i < 3; i++) {
        rows.put(ids[i], Arrays.copyOfRange(vectors, i * DIMENSION, (i + 1) * DIMENSION));
      }
      rows.assertUnchanged(index);
      assertThatThrownBy(() -> index.upsertAll(new long[] {2, 600, 2}, rows.queries(3)))
          .isInstanceOf(DuplicateIdException.class)
          .hasMessageContaining("2")
          .hasMessageContaining("row 2");
      float[] bad = rows.queries(3);
      bad[DIMENSION + 2] = Float.NaN;
      assertThatThrownBy(() -> index.upsertAll(new long[] {2, 600, 3}, bad))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("row 1");
      assertThatThrownBy(() -> index.upsertAll(new long[] {2, 600}, rows.queries(3)))
          .isInstanceOf(IllegalArgumentException.class);
      index.upsertAll(new long[0], new float[0]);
      rows.assertUnchanged(index);
      float[] query = rows.query();
      assertThat(index.search(SearchRequest.of(query, 500).exact()).hits())
          .isEqualTo(rows.nearest(query, 500));
    }
  }

  @Test
  @Contract("add.progress")
  void aListenerHearsHowFarABatchIsOnTheCallersThread() {
    int count = 3000;
    List<Long> heard = heardOf(count);
    // Where adding is little more than copying, there is nothing to tell on the way.
    while (heard.size() < 2 && subject.hasGraph()) {
      count *= 2;
      assertThat(count).as("rows of which nothing was heard on the way").isLessThan(MOST_ROWS);
      heard = heardOf(count);
    }
  }

  private List<Long> heardOf(int count) {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, count);
    List<Long> heard = new ArrayList<>();
    try (VectorIndex index = create(DIMENSION, rows.metric())) {
      Thread caller = Thread.currentThread();
      index.addAll(
          MemorySegment.ofArray(rows.ids()),
          MemorySegment.ofArray(rows.flat()),
          WriteOptions.defaults()
              .progress(
                  (done, total) -> {
                    assertThat(Thread.currentThread()).isSameAs(caller);
                    assertThat(total).isEqualTo(count);
                    heard.add(done);
                  }));
      assertThat(heard).isSorted().endsWith((long) count).allMatch(done -> done >= 0);
      rows.assertUnchanged(index);
    }
    return heard;
  }

  @Test
  @Contract("add.listener-throws")
  void whatAListenerThrowsReachesTheCallerAndNothingIsAdded() {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 500);
    try (VectorIndex index = create(DIMENSION, rows.metric())) {
      index.add(-500, ones(DIMENSION));
      WriteOptions options =
          WriteOptions.defaults()
              .progress(
                  (done, total) -> {
                    throw new ArithmeticException("not today");
                  });
      MemorySegment ids = MemorySegment.ofArray(rows.ids());
      MemorySegment vectors = MemorySegment.ofArray(rows.flat());
      assertThatThrownBy(() -> index.addAll(ids, vectors, options))
          .isInstanceOf(ArithmeticException.class);
      assertThat(index.ids()).containsExactly(-500);
      assertThat(index.search(ones(DIMENSION), 5).count()).isEqualTo(1);
      rows.addTo(index);
      assertThat(index.size()).isEqualTo(501);
    }
  }
}
