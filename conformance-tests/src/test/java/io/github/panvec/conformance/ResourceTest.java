package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
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
import java.util.Collections;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What calls leave on the heap, in the process and in its table of files: for our own backends. */
class ResourceTest extends ConformanceTest {
  private static final int DIMENSION = 32;
  private static final int CALLERS = 200;
  private static final Path TASKS = Path.of("/proc/self/task");

  /** Threads that it may start of its own accord, apart from its compiler's and collector's. */
  private static final int OF_THE_JVM = 2;

  /** How often each of them makes its call. */
  private static final int ROUNDS = 2;

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
  void callsOfManyThreadsStartNoMoreThreadsThanOneOfThemMay() throws Exception {
    assumeTrue(Files.isDirectory(TASKS), "threads are counted in /proc");
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 2000);
    float[] query = rows.query();
    float[] queries = rows.queries(64);
    float[] more = rows.queries(400);
    AtomicLong next = new AtomicLong(10_000);
    try (VectorIndex index = rows.index(subject);
        ExecutorService pool = Executors.newFixedThreadPool(CALLERS + 2)) {
      Readers.Step search = () -> assertThat(index.search(query, 10).count()).isEqualTo(10);
      Readers.Step batch = () -> assertThat(index.searchAll(queries, 10)).hasSize(64);
      Readers.Step add =
          () -> {
            long first = next.getAndAdd(400);
            index.addAll(LongStream.range(first, first + 400).toArray(), more);
          };
      requireThreads(0, pool, Collections.nCopies(CALLERS, search));
      List<Readers.Step> batchesDuringABuild = new ArrayList<>(Collections.nCopies(CALLERS, batch));
      batchesDuringABuild.addAll(List.of(add, add));
      Object threads = index.spec().parameters().getOrDefault("threads", 1);
      requireThreads(Integer.parseInt(threads.toString()), pool, batchesDuringABuild);
    }
  }

  /** How often threads have been counted. */
  private static final AtomicLong COUNTS = new AtomicLong();

  /** Whether what calls start is counted at all. */
  @Test
  @Contract("threads.bounded")
  void threadsThatCallsStartAreNoticed() throws Exception {
    assumeTrue(Files.isDirectory(TASKS), "threads are counted in /proc");
    int callers = 10;
    CyclicBarrier allStarted = new CyclicBarrier(callers);
    Runnable untilCounted =
        () -> {
          try {
            allStarted.await();
          } catch (InterruptedException | BrokenBarrierException failed) {
            throw new AssertionError(failed);
          }
          // The second count from here on began when all of them were there.
          long before = COUNTS.get();
          while (COUNTS.get() < before + 2) {
            Thread.yield();
          }
        };
    Readers.Step startsOne =
        () -> {
          Thread helper = new Thread(untilCounted);
          helper.start();
          helper.join();
        };
    try (ExecutorService pool = Executors.newFixedThreadPool(callers)) {
      assertThatThrownBy(() -> requireThreads(0, pool, Collections.nCopies(callers, startsOne)))
          .isInstanceOf(AssertionError.class)
          .hasMessageContaining("threads that were started");
      // One that has ended may still be there when the next one starts.
      requireThreads(2 * callers, pool, Collections.nCopies(callers, startsOne));
    }
  }

  /**
   * Runs calls together, over and over, and counts threads meanwhile and afterwards.
   *
   * @param helpers how many they may start together while they run
   */
  private static void requireThreads(int helpers, ExecutorService pool, List<Readers.Step> calls)
      throws Exception {
    CyclicBarrier together = new CyclicBarrier(calls.size());
    AtomicLong before = new AtomicLong();
    AtomicLong most = new AtomicLong();
    List<Future<?>> callers = new ArrayList<>();
    Readers.Step count =
        () -> {
          most.accumulateAndGet(threads(), Math::max);
          COUNTS.incrementAndGet();
        };
    Readers.whileRunning(
        1,
        count,
        counter -> {
          for (Readers.Step call : calls) {
            callers.add(
                pool.submit(
                    () -> {
                      if (together.await() == 0) {
                        before.set(steadyThreads());
                      }
                      together.await();
                      for (int i = 0; i < ROUNDS; i++) {
                        call.run();
                      }
                      return null;
                    }));
          }
          for (Future<?> caller : callers) {
            caller.get();
          }
          // The system takes a moment to bury a thread that has ended.
          long patience = System.nanoTime() + 10_000_000_000L;
          while (threads() > before.get() && System.nanoTime() < patience) {
            Thread.yield();
          }
          assertThat(threads() - before.get())
              .as("threads that are left")
              .isLessThanOrEqualTo(OF_THE_JVM);
        });
    assertThat(most.get() - before.get())
        .as("threads that were started")
        .isLessThanOrEqualTo(helpers + OF_THE_JVM);
  }

  /** As many as there are when those of earlier tests are gone: it takes the system a moment. */
  private static long steadyThreads() throws IOException {
    long last = threads();
    for (int same = 0; same < 50; ) {
      Thread.yield();
      long now = threads();
      same = now == last ? same + 1 : 0;
      last = now;
    }
    return last;
  }

  /** Those that neither compile nor collect garbage for the JVM. */
  private static long threads() throws IOException {
    try (Stream<Path> tasks = Files.list(TASKS)) {
      return tasks.filter(task -> !isOfTheJvm(task)).count();
    }
  }

  private static boolean isOfTheJvm(Path task) {
    try {
      String name = Files.readString(task.resolve("comm"));
      return Stream.of("C1 ", "C2 ", "GC ", "G1 ", "VM ").anyMatch(name::startsWith);
    } catch (IOException ended) {
      return true;
    }
  }
}
