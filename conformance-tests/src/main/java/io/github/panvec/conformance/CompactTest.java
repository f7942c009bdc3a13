package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Giving back what removed rows take. */
class CompactTest extends ConformanceTest {
  private static final int DIMENSION = 16;
  private static final int MOST_ROWS = 200_000;

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("compact.keeps-answers")
  void afterACompactionNothingIsDeadAndEveryAnswerIsTheSame(Metric metric) {
    Rows rows = Rows.gaussian(metric, DIMENSION, 1500);
    try (VectorIndex index = rows.index(subject)) {
      index.compact();
      rows.assertUnchanged(index);
      for (int round = 0; round < 3; round++) {
        for (long id : rows.every(3)) {
          index.remove(id);
          rows.remove(id);
        }
        for (long id : rows.every(4)) {
          rows.put(id, rows.query());
          index.upsert(id, rows.byId.get(id));
        }
        index.compact();
        assertThat(index.stats().dead()).isZero();
        rows.assertUnchanged(index);
        float[] query = rows.query();
        for (int k : new int[] {1, 10, 2000}) {
          assertThat(index.search(SearchRequest.of(query, k).exact()).hits())
              .isEqualTo(rows.nearest(query, k));
          assertThat(index.search(query, k).count()).isEqualTo(Math.min(k, rows.byId.size()));
        }
        rows.assertDistances(query, index.search(query, 20));
        rows.put(5000 + round, rows.query());
        index.add(5000 + round, rows.byId.get(5000L + round));
      }
      index.removeAll(rows.ids());
      index.compact();
      assertThat(index.size()).isZero();
      assertThat(index.search(rows.query(), 3).count()).isZero();
      rows.addTo(index);
      rows.assertUnchanged(index);
    }
  }

  /**
   * While a compaction is on its way, which it tells a listener, whole searches and whole writes
   * are done: there is no lock that it holds from start to end.
   */
  @Test
  @Contract("compact.beside-reads-and-writes")
  void readsAndWritesGoOnBesideIt() throws Exception {
    int count = 5000;
    // How much there must be to do for a backend to tell of it on the way is its own business.
    while (!goOnBesideACompaction(count)) {
      count *= 2;
      assertThat(count).as("rows of which a compaction tells nobody").isLessThan(MOST_ROWS);
    }
  }

  /** False when the compaction told nobody that it was on its way, and had something to do. */
  private boolean goOnBesideACompaction(int count) throws Exception {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, count);
    float[] query = rows.query();
    AtomicInteger met = new AtomicInteger();
    try (VectorIndex index = rows.index(subject)) {
      // Too few for a compaction by itself, which would leave nothing to do.
      long[] removed = rows.every(8);
      index.removeAll(removed);
      LongStream.of(removed).forEach(rows::remove);
      int live = rows.byId.size();
      boolean anythingToDo = index.stats().dead() > 0;
      Readers.Step reader =
          () -> {
            // Every state has as many rows: only upserts go on.
            assertThat(index.search(query, 10).count()).isEqualTo(10);
            assertThat(index.ids()).hasSize(live);
          };
      long[] ids = rows.ids();
      AtomicInteger written = new AtomicInteger();
      Readers.Step writer =
          () -> {
            int i = written.getAndIncrement();
            long id = ids[i % ids.length];
            float[] row = TestVectors.scaled(query, 1 + i % 7);
            index.upsert(id, row);
            assertThat(index.get(id).orElseThrow()).isEqualTo(Reference.stored(rows.metric(), row));
            rows.put(id, row);
          };
      Readers.whileRunning(
          List.of(reader, reader, writer),
          readers ->
              index.compact(
                  WriteOptions.defaults()
                      .progress(
                          (done, total) -> {
                            if (done < total && met.get() < 3) {
                              met.incrementAndGet();
                              awaitOthers(readers);
                            }
                          })));
      index.compact();
      rows.assertUnchanged(index);
      return met.get() > 0 || !anythingToDo;
    }
  }

  private static void awaitOthers(Readers readers) {
    try {
      assertThat(readers.goOn())
          .as("each of the others did a search or a write beside the compaction")
          .isTrue();
    } catch (InterruptedException interrupted) {
      throw new AssertionError(interrupted);
    }
  }
}
