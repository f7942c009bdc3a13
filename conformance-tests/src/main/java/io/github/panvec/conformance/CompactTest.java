package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Giving back what removed rows take. */
class CompactTest extends ConformanceTest {
  private static final int DIMENSION = 16;

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

  @Test
  @Contract("compact.beside-reads-and-writes")
  void readsAndWritesGoOnBesideIt() throws Exception {
    int count = 2000;
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, count);
    try (VectorIndex index = rows.index(subject);
        ExecutorService pool = Executors.newFixedThreadPool(3)) {
      AtomicBoolean stop = new AtomicBoolean();
      List<Future<?>> others = new ArrayList<>();
      float[] query = rows.query();
      for (int t = 0; t < 2; t++) {
        others.add(
            pool.submit(
                () -> {
                  do {
                    // Every state has as many rows: only upserts go on.
                    assertThat(index.search(query, 10).count()).isEqualTo(10);
                    assertThat(index.ids()).hasSize(count);
                  } while (!stop.get());
                }));
      }
      others.add(
          pool.submit(
              () -> {
                int i = 0;
                do {
                  long id = i % count - 10;
                  float[] row = TestVectors.scaled(query, 1 + i % 7);
                  index.upsert(id, row);
                  assertThat(index.get(id).orElseThrow())
                      .isEqualTo(Reference.stored(rows.metric(), row));
                  rows.put(id, row);
                  i++;
                } while (!stop.get());
              }));
      try {
        for (int round = 0; round < 5; round++) {
          index.compact();
        }
      } finally {
        stop.set(true);
      }
      for (Future<?> other : others) {
        other.get();
      }
      index.compact();
      rows.assertUnchanged(index);
    }
  }
}
