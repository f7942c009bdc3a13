package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What calls leave on the heap, in the process and in its table of files: for our own backends. */
class ResourceTest extends ConformanceTest {
  private static final int DIMENSION = 32;

  @Test
  @Contract("search.buffer-no-garbage")
  void aSearchIntoABufferLeavesNoGarbage() {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 300);
    try (VectorIndex index = rows.index(subject)) {
      index.remove(rows.ids()[7]);
      SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 10);
      buffer.setQuery(rows.query());
      SearchRequest request = SearchRequest.of(buffer.query(), 10);
      int searches = 2_000;
      long least = Long.MAX_VALUE;
      // The compiler needs some rounds before it removes what is only allocated in the interpreter.
      for (int round = 0; round < 60 && least >= searches; round++) {
        long before = allocatedByThisThread();
        for (int i = 0; i < searches; i++) {
          index.search(request, buffer);
        }
        least = Math.min(least, allocatedByThisThread() - before);
      }
      assertThat(least / searches).as("bytes per search").isZero();
    }
  }

  private static long allocatedByThisThread() {
    return ((com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean())
        .getCurrentThreadAllocatedBytes();
  }

  @Test
  @Contract("threads.bounded")
  void searchesOfManyThreadsStartNoThreadsOfTheirOwn() throws Exception {
    assumeTrue(Files.isDirectory(Path.of("/proc/self/task")), "threads are counted in /proc");
    int callers = 200;
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 2000);
    float[] query = rows.query();
    try (VectorIndex index = rows.index(subject);
        ExecutorService pool = Executors.newFixedThreadPool(callers)) {
      CyclicBarrier together = new CyclicBarrier(callers);
      AtomicLong most = new AtomicLong();
      AtomicLong before = new AtomicLong();
      List<Future<?>> searches = new ArrayList<>();
      for (int t = 0; t < callers; t++) {
        searches.add(
            pool.submit(
                () -> {
                  if (together.await() == 0) {
                    before.set(threads());
                  }
                  together.await();
                  for (int i = 0; i < 5; i++) {
                    assertThat(index.search(query, 10).count()).isEqualTo(10);
                    most.accumulateAndGet(threads(), Math::max);
                  }
                  together.await();
                  return null;
                }));
      }
      for (Future<?> search : searches) {
        search.get();
      }
      // The JVM may start a compiler thread of its own meanwhile.
      assertThat(most.get()).isLessThanOrEqualTo(before.get() + 8);
    }
  }

  private static long threads() throws IOException {
    try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
      return tasks.count();
    }
  }
}
