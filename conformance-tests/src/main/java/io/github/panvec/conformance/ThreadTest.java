package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Many threads. */
class ThreadTest extends ConformanceTest {

  @Test
  @Contract("threads.search-beside-writes")
  void searchesReadTheRightIdsWhileTheIndexGrows() throws Exception {
    int count = 40_000;
    try (VectorIndex index = create(2, only(Metric.L2));
        ExecutorService pool = Executors.newFixedThreadPool(2)) {
      index.add(1, new float[] {0, 0});
      AtomicBoolean stop = new AtomicBoolean();
      List<Future<?>> searchers = new ArrayList<>();
      CountDownLatch searching = new CountDownLatch(2);
      for (int t = 0; t < 2; t++) {
        searchers.add(
            pool.submit(
                () -> {
                  searching.countDown();
                  while (!stop.get()) {
                    // The row at (x, 0) has the id x + 1: a hit's distance tells its id.
                    for (Hit hit : index.search(new float[] {0, 0}, 5).hits()) {
                      assertThat(hit.id()).isEqualTo((long) hit.distance() + 1);
                    }
                  }
                }));
      }
      searching.await();
      for (int from = 1; from < count; from *= 2) {
        int rows = Math.min(from, count - from);
        long[] ids = new long[rows];
        float[] vectors = new float[rows * 2];
        for (int i = 0; i < rows; i++) {
          // In no order, so that what is learned from the first rows fits the others.
          long x = (from + i) * 7919L % count;
          ids[i] = x + 1;
          vectors[2 * i] = x;
        }
        index.addAll(ids, vectors);
      }
      stop.set(true);
      for (Future<?> searcher : searchers) {
        searcher.get();
      }
      assertThat(index.size()).isEqualTo(count);
    }
  }

  @Test
  @Contract({"upsert.old-or-new", "threads.one-version"})
  void aReaderSeesTheOldOrTheNewVectorOfAnUpsertNeverNeither() throws Exception {
    try (VectorIndex index = create(2, any(Metric.L2));
        ExecutorService pool = Executors.newFixedThreadPool(4)) {
      for (long id = 0; id < 50; id++) {
        index.add(id, new float[] {1, id});
      }
      AtomicBoolean stop = new AtomicBoolean();
      List<Future<?>> readers = new ArrayList<>();
      for (int t = 0; t < 3; t++) {
        readers.add(
            pool.submit(
                () -> {
                  while (!stop.get()) {
                    SearchResult all =
                        index.search(SearchRequest.of(new float[] {1, 0}, 100).exact());
                    assertThat(all.count()).isEqualTo(50);
                    assertThat(LongStream.of(all.ids()).distinct().count()).isEqualTo(50);
                    assertThat(index.contains(7)).isTrue();
                    assertThat(index.get(7)).isPresent();
                    assertThat(
                            index.search(SearchRequest.of(ones(2), 1).filter(IdFilter.in(7))).ids())
                        .containsExactly(7);
                  }
                }));
      }
      for (int round = 0; round < 400; round++) {
        index.upsert(round % 50, new float[] {1 + round % 50, round});
        index.upsert(7, new float[] {7, round});
      }
      stop.set(true);
      for (Future<?> reader : readers) {
        reader.get();
      }
    }
  }

  @Test
  @Contract("threads.returned-adds-are-seen")
  void searchesSeeEveryRowWhoseAddReturned() throws Exception {
    try (VectorIndex index = create(16, any(Metric.COSINE));
        ExecutorService pool = Executors.newFixedThreadPool(3)) {
      Rows rows = Rows.gaussian(any(Metric.COSINE), 16, 3000);
      AtomicBoolean stop = new AtomicBoolean();
      List<Future<?>> searchers = new ArrayList<>();
      for (int t = 0; t < 3; t++) {
        searchers.add(
            pool.submit(
                () -> {
                  float[] query = rows.byId.get(rows.ids()[0]);
                  while (!stop.get()) {
                    long before = index.size();
                    SearchResult result = index.search(query, 10);
                    assertThat(result.count()).isGreaterThanOrEqualTo((int) Math.min(10, before));
                  }
                }));
      }
      for (int from = 0; from < 3000; from += 100) {
        rows.addTo(index, from, from + 100);
        long id = rows.ids()[from + 50];
        SearchResult self = index.search(SearchRequest.of(rows.byId.get(id), 1).exact());
        assertThat(self.id(0)).isEqualTo(id);
      }
      stop.set(true);
      for (Future<?> searcher : searchers) {
        searcher.get();
      }
    }
  }

  @Test
  @Contract({"threads.one-version", "add.all-or-nothing"})
  void aReaderSeesABatchAsAWholeOrNotAtAll() throws Exception {
    Metric metric = any(Metric.L2);
    int batch = 100;
    Rows rows = Rows.gaussian(metric, 4, 30 * batch);
    try (VectorIndex index = create(4, metric);
        ExecutorService pool = Executors.newFixedThreadPool(2)) {
      AtomicBoolean stop = new AtomicBoolean();
      List<Future<?>> readers = new ArrayList<>();
      CountDownLatch reading = new CountDownLatch(2);
      for (boolean exact : new boolean[] {false, true}) {
        SearchRequest all = SearchRequest.of(rows.query(), 30 * batch);
        SearchRequest request = exact ? all.exact() : all;
        readers.add(
            pool.submit(
                () -> {
                  reading.countDown();
                  while (!stop.get()) {
                    assertThat(index.size() % batch).isZero();
                    assertThat(index.search(request).count() % batch).isZero();
                  }
                }));
      }
      reading.await();
      for (int from = 0; from < 30 * batch; from += batch) {
        rows.addTo(index, from, from + batch);
      }
      stop.set(true);
      for (Future<?> reader : readers) {
        reader.get();
      }
    }
  }
}
