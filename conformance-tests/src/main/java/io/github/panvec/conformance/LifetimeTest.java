package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

/** Closing, and what a library does to the JVM. */
class LifetimeTest extends ConformanceTest {

  @Test
  @Contract({"close.waits", "close.later-calls-refused"})
  void closeWaitsForSearchesAndLaterCallsAreRefused() throws Exception {
    for (int round = 0; round < 4; round++) {
      Rows rows = Rows.gaussian(any(Metric.L2), 32, 2000);
      VectorIndex index = create(32, any(Metric.L2));
      rows.addTo(index);
      try (ExecutorService pool = Executors.newFixedThreadPool(16)) {
        CountDownLatch running = new CountDownLatch(16);
        List<Future<Long>> searchers = new ArrayList<>();
        for (int t = 0; t < 16; t++) {
          boolean exact = t % 2 == 0;
          searchers.add(
              pool.submit(
                  () -> {
                    float[] query = rows.byId.get(rows.ids()[0]);
                    SearchRequest request = SearchRequest.of(query, 10);
                    request = exact ? request.exact() : request;
                    running.countDown();
                    for (long searches = 0; ; searches++) {
                      try {
                        assertThat(index.search(request).count()).isEqualTo(10);
                      } catch (IllegalStateException closed) {
                        assertThat(closed).hasMessageContaining("closed");
                        return searches;
                      }
                    }
                  }));
        }
        running.await();
        index.close();
        for (Future<Long> searcher : searchers) {
          assertThat(searcher.get()).isGreaterThanOrEqualTo(0);
        }
      }
      index.close();
    }
  }

  @Test
  @Contract({"close.later-calls-refused", "close.idempotent"})
  void everyCallOnAClosedIndexIsRefused() {
    VectorIndex index = create(2, any(Metric.L2));
    index.add(1, new float[] {1, 2});
    index.close();
    index.close();
    float[] vector = {1, 2};
    SearchBuffer buffer = SearchBuffer.allocate(2, 1);
    List<Runnable> calls =
        List.of(
            () -> index.add(2, vector),
            () -> index.addAll(new long[] {2}, vector),
            () -> index.addAll(new long[0], new float[0]),
            () -> index.upsert(1, vector),
            () -> index.remove(1),
            () -> index.get(1),
            () -> index.contains(1),
            index::size,
            index::stats,
            () -> index.search(vector, 1),
            () -> index.search(SearchRequest.of(vector, 1), buffer),
            () -> index.search(SearchRequest.of(vector, 1).exact().efSearch(5).nprobe(1)),
            () -> index.searchAll(new float[] {1, 2, 3, 4}, 1),
            () -> index.searchAll(new float[0], 1),
            () -> index.train(new float[] {1, 2, 3, 4}));
    for (Runnable call : calls) {
      assertThatThrownBy(call::run)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("closed");
    }
    assertThat(index.spec().dimension()).isEqualTo(2);
  }

  @Test
  @Contract("close.many")
  void manyIndexesCanBeCreatedAndClosed() {
    for (int i = 0; i < 1000; i++) {
      try (VectorIndex index = create(4, any(Metric.L2))) {
        index.add(i, new float[] {1, 2, 3, 4});
        assertThat(index.search(new float[] {1, 2, 3, 4}, 1).id(0)).isEqualTo(i);
      }
    }
  }

  @Test
  @Contract("jvm.denormals")
  void denormalsStillWorkInTheJvmAfterTheLibraryIsLoaded() {
    create(2, any(Metric.L2)).close();
    float tiny = Float.MIN_VALUE;
    assertThat(tiny * 2 / 2).isEqualTo(Float.MIN_VALUE).isCloseTo(0f, within(1e-40f)).isNotZero();
  }

  @Test
  @Contract("close.waits")
  void closeReturnsWhenABatchInFlightIsAnswered() throws Exception {
    Metric metric = any(Metric.L2);
    Rows rows = Rows.gaussian(metric, 32, 2000);
    IndexSpec spec = spec(32, metric);
    VectorIndex index = subject.create(subject.takes("threads") ? spec.with("threads", 1) : spec);
    rows.addTo(index);
    SearchRequest few = SearchRequest.of(rows.queries(200), 10).exact();
    try (ExecutorService pool = Executors.newSingleThreadExecutor()) {
      long thread = pool.submit(() -> Thread.currentThread().threadId()).get();
      // The second time for the compiler, the third for us.
      long cost = 0;
      for (int round = 0; round < 3; round++) {
        long before = cpuNanos(thread);
        pool.submit(() -> index.searchAll(few)).get();
        cost = cpuNanos(thread) - before;
      }
      int count = (int) Math.min(100_000, 200 * (1 + 300_000_000 / Math.max(1, cost)));
      SearchRequest many = SearchRequest.of(rows.queries(count), 10).exact();
      long begin = cpuNanos(thread);
      Future<List<SearchResult>> inFlight = pool.submit(() -> index.searchAll(many));
      // Time of the processor, not of the clock: a busy machine changes nothing.
      while (cpuNanos(thread) - begin < 30_000_000 && !inFlight.isDone()) {
        Thread.onSpinWait();
      }
      index.close();
      long closed = cpuNanos(thread);
      assertThat(inFlight.get()).hasSize(count);
      long afterwards = cpuNanos(thread) - closed;
      assertThat((double) afterwards / (cpuNanos(thread) - begin))
          .as("share of the batch that was searched after close returned")
          .isLessThan(0.25);
    }
  }

  private static long cpuNanos(long thread) {
    return ManagementFactory.getThreadMXBean().getThreadCpuTime(thread);
  }
}
