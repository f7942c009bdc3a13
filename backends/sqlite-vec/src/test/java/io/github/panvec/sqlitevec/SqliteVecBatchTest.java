package io.github.panvec.sqlitevec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.panvec.Cancellation;
import io.github.panvec.CancelledException;
import io.github.panvec.DuplicateIdException;
import io.github.panvec.IdFilter;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.RangeResult;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls that take or give many rows. */
class SqliteVecBatchTest {
  /** Rows of this dimension that make three slices of a batch. */
  private static final int WIDE = 1024;

  private static final int THREE_SLICES = 2500;

  @TempDir Path directory;
  private final Random random = Rows.random("SqliteVecBatchTest");

  private VectorIndex open(Metric metric, int dimension, boolean inFile) {
    return inFile
        ? Rows.open(metric, dimension, directory.resolve("batches.db"))
        : Panvec.create(Rows.spec(metric, dimension));
  }

  private float[] query(int dimension) {
    return Rows.random(random, Metric.L2, dimension, 1, 0).vectors;
  }

  @ParameterizedTest
  @EnumSource
  void idsAreAscendingWhateverTheOrderOfAdding(Metric metric) {
    try (VectorIndex index = open(metric, 3, false)) {
      assertThat(index.ids()).isEmpty();
      long[] ids = {5, -1, Long.MAX_VALUE, 0, Long.MIN_VALUE, 3};
      index.addAll(ids, Rows.random(random, metric, 3, 6, 0).vectors);
      assertThat(index.ids()).containsExactly(Long.MIN_VALUE, -1, 0, 3, 5, Long.MAX_VALUE);
      index.removeAll(0, 3);
      index.upsert(4, query(3));
      assertThat(index.ids()).containsExactly(Long.MIN_VALUE, -1, 4, 5, Long.MAX_VALUE);
      Rows many = Rows.random(random, metric, 3, 10_000, 100);
      index.addAll(many.ids, many.vectors);
      assertThat(index.ids()).hasSize(10_005).isSorted();
    }
  }

  @ParameterizedTest
  @EnumSource
  void getAllKeepsTheOrderOfTheIds(Metric metric) {
    try (VectorIndex index = open(metric, 3, true)) {
      Rows rows = Rows.random(random, metric, 3, 10, 0);
      index.addAll(rows.ids, rows.vectors);
      assertThat(index.getAll()).isEmpty();
      List<Optional<float[]>> found = index.getAll(7, 100, 0, 7);
      assertThat(found).hasSize(4);
      assertThat(found.get(0).orElseThrow()).isEqualTo(index.get(7).orElseThrow());
      assertThat(found.get(1)).isEmpty();
      assertThat(found.get(2).orElseThrow()).isEqualTo(index.get(0).orElseThrow());
      assertThat(found.get(3).orElseThrow()).isEqualTo(index.get(7).orElseThrow());
    }
  }

  @ParameterizedTest
  @EnumSource
  void upsertAllReplacesAndAddsAtOnce(Metric metric) {
    try (VectorIndex index = open(metric, WIDE, false)) {
      Rows old = Rows.random(random, metric, WIDE, 500, 0);
      index.addAll(old.ids, old.vectors);
      Rows rows = Rows.random(random, metric, WIDE, THREE_SLICES, -1000);
      index.upsertAll(rows.ids, rows.vectors);
      assertThat(index.size()).isEqualTo(THREE_SLICES);
      float[] query = query(WIDE);
      assertThat(Rows.of(index.search(query, 50))).isEqualTo(rows.nearest(query, 50, null));
    }
  }

  @Test
  void upsertAllRefusesAnIdThatComesTwiceAndABadRowAndChangesNothing() {
    try (VectorIndex index = open(Metric.L2, WIDE, false)) {
      Rows old = Rows.random(random, Metric.L2, WIDE, 100, 0);
      index.addAll(old.ids, old.vectors);
      Rows rows = Rows.random(random, Metric.L2, WIDE, THREE_SLICES, 0);
      rows.ids[2400] = rows.ids[3];
      rows.ids[2450] = rows.ids[2];
      DuplicateIdException duplicate =
          catchThrowableOfType(
              DuplicateIdException.class, () -> index.upsertAll(rows.ids, rows.vectors));
      assertThat(duplicate.id()).isEqualTo(3);
      assertThat(duplicate.row()).isEqualTo(2400);
      rows.ids[2400] = 2400;
      rows.ids[2450] = 2450;
      rows.vectors[2345 * WIDE + 7] = Float.NaN;
      assertThatThrownBy(() -> index.upsertAll(rows.ids, rows.vectors))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("row 2345");
      assertThat(index.ids()).isEqualTo(old.ids);
      float[] query = query(WIDE);
      assertThat(Rows.of(index.search(query, 100))).isEqualTo(old.nearest(query, 100, null));
    }
  }

  @ParameterizedTest
  @EnumSource
  void removeAllCountsEachLiveIdOnce(Metric metric) {
    try (VectorIndex index = open(metric, 2, false)) {
      Rows rows = Rows.random(random, metric, 2, 100, 0);
      index.addAll(rows.ids, rows.vectors);
      assertThat(index.removeAll()).isZero();
      assertThat(index.removeAll(5, 5, 1000, 6, 5, -1)).isEqualTo(2);
      assertThat(index.remove(5)).isFalse();
      assertThat(index.remove(7)).isTrue();
      assertThat(index.size()).isEqualTo(97);
      assertThat(index.removeAll(LongStream.range(0, 200).toArray())).isEqualTo(97);
      assertThat(index.ids()).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aListenerHearsHowFarABatchIsOnTheCallersThread(boolean inFile) {
    Rows rows = Rows.random(random, Metric.L2, WIDE, THREE_SLICES, 0);
    try (VectorIndex index = open(Metric.L2, WIDE, inFile)) {
      List<Long> heard = new ArrayList<>();
      Thread caller = Thread.currentThread();
      WriteOptions options =
          WriteOptions.defaults()
              .progress(
                  (done, total) -> {
                    assertThat(Thread.currentThread()).isSameAs(caller);
                    assertThat(total).isEqualTo(THREE_SLICES);
                    heard.add(done);
                    if (inFile) {
                      assertThat(index.size()).isZero();
                    }
                  });
      MemorySegment ids = MemorySegment.ofArray(rows.ids);
      MemorySegment vectors = MemorySegment.ofArray(rows.vectors);
      index.addAll(ids, vectors, options);
      assertThat(heard).containsExactly(1024L, 2048L, 2500L);
      index.removeAll(rows.ids);
      heard.clear();
      index.upsertAll(ids, vectors, options);
      assertThat(heard).containsExactly(1024L, 2048L, 2500L);
      index.addAll(
          MemorySegment.ofArray(new long[0]),
          MemorySegment.ofArray(new float[0]),
          WriteOptions.defaults().progress((done, total) -> heard.add(-1 - done - total)));
      assertThat(heard).endsWith(-1L);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aListenerThatThrowsOrCancelsLeavesTheIndexAsItWas(boolean inFile) {
    Rows rows = Rows.random(random, Metric.DOT, WIDE, THREE_SLICES, 0);
    MemorySegment ids = MemorySegment.ofArray(rows.ids);
    MemorySegment vectors = MemorySegment.ofArray(rows.vectors);
    try (VectorIndex index = open(Metric.DOT, WIDE, inFile)) {
      float[] old = query(WIDE);
      index.add(3, old);
      for (long at : new long[] {1024, 2500}) {
        Error mine = new AssertionError("mine");
        WriteOptions throwing =
            WriteOptions.defaults()
                .progress(
                    (done, total) -> {
                      if (done == at) {
                        throw mine;
                      }
                    });
        assertThatThrownBy(() -> index.upsertAll(ids, vectors, throwing)).isSameAs(mine);
        Cancellation cancellation = new Cancellation();
        WriteOptions cancelling =
            WriteOptions.defaults()
                .cancelledBy(cancellation)
                .progress(
                    (done, total) -> {
                      if (done == at) {
                        cancellation.cancel();
                      }
                    });
        assertThatThrownBy(() -> index.upsertAll(ids, vectors, cancelling))
            .isInstanceOf(CancelledException.class);
        assertThat(index.ids()).containsExactly(3);
        assertThat(index.get(3).orElseThrow()).isEqualTo(old);
      }
      WriteOptions writing =
          WriteOptions.defaults().progress((done, total) -> index.add(-1, query(WIDE)));
      assertThatThrownBy(() -> index.upsertAll(ids, vectors, writing))
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("listener");
      index.upsertAll(ids, vectors, WriteOptions.defaults());
      assertThat(index.size()).isEqualTo(THREE_SLICES);
    }
  }

  @ParameterizedTest
  @EnumSource
  void searchRangeFindsAllWithinTheRadiusUpToTheLimit(Metric metric) {
    Rows rows = Rows.random(random, metric, 8, 8000, 0);
    try (VectorIndex index = open(metric, 8, false)) {
      index.addAll(rows.ids, rows.vectors);
      IdFilter some = IdFilter.range(500, 5499).and(IdFilter.matching(id -> id % 5 != 0));
      for (int round = 0; round < 5; round++) {
        float[] query = query(8);
        for (IdFilter filter : new IdFilter[] {null, some}) {
          List<Rows.Expected> all = rows.nearest(query, 8000, filter);
          for (int rank : new int[] {0, 10, 200, 3999}) {
            float radius = all.get(rank).distance();
            int within = (int) all.stream().filter(hit -> hit.distance() <= radius).count();
            for (int limit : new int[] {1, 100, 5000, Integer.MAX_VALUE}) {
              SearchRequest request = SearchRequest.of(query, limit);
              RangeResult found =
                  index.searchRange(filter == null ? request : request.filter(filter), radius);
              assertThat(Rows.of(found.hits())).isEqualTo(all.subList(0, Math.min(within, limit)));
              assertThat(found.truncated()).isEqualTo(within >= limit);
              assertThat(found.approximate()).isFalse();
            }
          }
        }
      }
      assertThatThrownBy(() -> index.searchRange(query(8), Float.NaN, 5))
          .isInstanceOf(IllegalArgumentException.class);
      assertThat(index.searchRange(query(8), Float.POSITIVE_INFINITY, 5).hits().count())
          .isEqualTo(5);
      if (metric == Metric.DOT) {
        assertThat(index.searchRange(query(8), Float.NEGATIVE_INFINITY, 5).hits().count()).isZero();
      } else {
        assertThatThrownBy(() -> index.searchRange(query(8), -1, 5))
            .isInstanceOf(IllegalArgumentException.class);
      }
    }
  }
}
