package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalDouble;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongSupplier;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Closing, and what a library does to the JVM. */
class LifetimeTest extends ConformanceTest {

  static Stream<Subject> subjects() {
    return Subjects.all().stream();
  }

  /** Exact, where the index has its vectors. */
  private SearchRequest exact(SearchRequest request) {
    return subject.keepsVectors() ? request.exact() : request;
  }

  @Test
  @Contract({"close.waits", "close.later-calls-refused"})
  void closeWaitsForSearchesAndLaterCallsAreRefused() throws Exception {
    Metric metric = any(Metric.L2);
    Rows rows = Rows.gaussian(metric, 32, 2000);
    SearchRequest request = SearchRequest.of(rows.query(), 10);
    for (int round = 0; round < 4; round++) {
      VectorIndex index = create(32, metric);
      rows.addTo(index);
      AtomicBoolean closing = new AtomicBoolean();
      AtomicBoolean closed = new AtomicBoolean();
      List<Readers.Step> searchers = new ArrayList<>();
      for (int t = 0; t < 16; t++) {
        SearchRequest own = t % 2 == 0 ? exact(request) : request;
        searchers.add(
            () -> {
              boolean late = closed.get();
              try {
                assertThat(index.search(own).count()).isEqualTo(10);
                assertThat(late).as("a search was answered after close had returned").isFalse();
              } catch (IllegalStateException refused) {
                assertThat(refused).hasMessageContaining("closed");
                assertThat(closing).as("close was called").isTrue();
              }
            });
      }
      // Each of them has searched before the index is closed, and tries again afterwards.
      Readers.whileRunning(
          searchers,
          readers -> {
            closing.set(true);
            index.close();
            closed.set(true);
            readers.awaitNextRound();
          });
      index.close();
    }
  }

  @Test
  @Contract({"close.later-calls-refused", "close.idempotent"})
  void everyCallOnAClosedIndexIsRefused() {
    VectorIndex index = create(2, any(Metric.L2));
    index.add(1, new float[] {1, 2});
    float[] vector = {1, 2};
    SearchBuffer buffer = SearchBuffer.allocate(2, 1);
    SearchRequest request = SearchRequest.of(vector, 1);
    IdFilter prepared = index.prepare(IdFilter.matching(id -> true));
    index.close();
    index.close();
    List<Runnable> calls =
        new ArrayList<>(
            List.of(
                () -> index.add(2, vector),
                () -> index.addAll(new long[] {2}, vector),
                () -> index.addAll(new long[0], new float[0]),
                () -> index.upsert(1, vector),
                () -> index.upsertAll(new long[] {1}, vector),
                () -> index.upsertAll(new long[0], new float[0]),
                () -> index.remove(1),
                () -> index.removeAll(1, 2),
                index::removeAll,
                () -> index.contains(1),
                index::ids,
                index::size,
                index::stats,
                () -> index.search(vector, 1),
                () -> index.search(request, buffer),
                () -> index.search(request.efSearch(5).nprobe(1)),
                () -> index.searchAll(new float[] {1, 2, 3, 4}, 1),
                () -> index.searchAll(new float[0], 1),
                () -> index.searchAll(request.filter(IdFilter.in(1))),
                () -> index.searchRange(vector, 5, 1),
                () -> index.searchRange(request.filter(prepared), 5),
                () -> index.search(request.filter(prepared)),
                () -> index.search(request.filter(prepared), buffer),
                () -> index.searchAll(request.filter(prepared)),
                () -> index.prepare(IdFilter.in(1)),
                () -> index.prepare(prepared),
                index::compact,
                () -> index.train(new float[] {1, 2, 3, 4})));
    for (IdFilter filter : Filters.ofEveryKind()) {
      calls.add(() -> index.search(request.filter(filter)));
      calls.add(() -> index.prepare(filter));
    }
    if (subject.keepsVectors()) {
      calls.add(() -> index.get(1));
      calls.add(() -> index.getAll(1, 2));
      calls.add(() -> index.search(request.exact().efSearch(5).nprobe(1)));
    }
    calls.forEach(LifetimeTest::requireClosed);
    assertThat(index.spec().dimension()).isEqualTo(2);
  }

  private static void requireClosed(Runnable call) {
    assertThatThrownBy(call::run)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
  }

  @Test
  @Contract("close.many")
  void manyIndexesCanBeCreatedAndClosed() {
    int count = subject.isCoveredInFull() ? 10_000 : 1_000;
    for (int i = 0; i < count; i++) {
      try (VectorIndex index = create(4, any(Metric.L2))) {
        index.add(i, new float[] {1, 2, 3, 4});
        assertThat(index.search(new float[] {1, 2, 3, 4}, 1).id(0)).isEqualTo(i);
      }
    }
  }

  // Fields that change, so that the compiler computes nothing beforehand.
  private volatile float one = 1;
  private volatile double two = 2;

  /** Denormals are neither read nor written as zero, and sums are rounded to nearest. */
  private void requireArithmeticOfJava(String when) {
    float half = one / (float) two;
    assertThat(Float.floatToRawIntBits(Float.MIN_VALUE * (float) two)).as(when).isEqualTo(2);
    assertThat(Float.floatToRawIntBits(Float.MIN_NORMAL * half)).as(when).isEqualTo(0x400000);
    assertThat(one + 0x1.8p-24f).as(when).isEqualTo(0x1.000002p0f);
    assertThat(one + 0x0.8p-24f).as(when).isEqualTo(1);
    assertThat(-one - 0x0.8p-24f).as(when).isEqualTo(-1);
    assertThat(Double.doubleToRawLongBits(Double.MIN_VALUE * two)).as(when).isEqualTo(2);
    assertThat(Double.doubleToRawLongBits(Double.MIN_NORMAL / two))
        .as(when)
        .isEqualTo(0x8000000000000L);
    assertThat(two + 0x1.8p-52).as(when).isEqualTo(0x1.0000000000001p1);
    assertThat(two + 0x0.8p-52).as(when).isEqualTo(2);
    assertThat(-two - 0x0.8p-52).as(when).isEqualTo(-2);
  }

  private void requireArithmeticOfJavaBesideAnIndex() {
    Metric metric = any(Metric.L2);
    Rows rows = Rows.gaussian(metric, 8, 300);
    try (VectorIndex index = create(8, metric)) {
      requireArithmeticOfJava("after create");
      index.train(rows.queries(300));
      requireArithmeticOfJava("after train");
      rows.addTo(index);
      index.upsert(5, rows.query());
      requireArithmeticOfJava("after writes");
      index.search(rows.query(), 5);
      requireArithmeticOfJava("after a search");
      index.search(exact(SearchRequest.of(rows.query(), 5)));
      requireArithmeticOfJava("after an exact search");
      index.searchAll(rows.queries(64), 5);
      requireArithmeticOfJava("after a batch of queries");
    }
    requireArithmeticOfJava("after close");
  }

  @Test
  @Contract("jvm.denormals")
  void arithmeticIsJavasOnTheThreadThatUsesAnIndexAndOnOthers() throws Exception {
    // How to treat denormals is a matter of each thread, and inherited by those that it starts.
    try (ExecutorService before = Executors.newSingleThreadExecutor()) {
      before.submit(() -> requireArithmeticOfJava("before")).get();
      requireArithmeticOfJavaBesideAnIndex();
      before.submit(() -> requireArithmeticOfJava("on an older thread")).get();
      before.submit(this::requireArithmeticOfJavaBesideAnIndex).get();
    }
    try (ExecutorService after = Executors.newSingleThreadExecutor()) {
      after.submit(() -> requireArithmeticOfJava("on a new thread")).get();
    }
  }

  /** Enough for a batch to be in flight when it is closed, unless it never is. */
  private static final int ATTEMPTS = 6;

  @Test
  @Contract("close.waits")
  void closeReturnsWhenABatchInFlightIsAnswered() throws Exception {
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
      OptionalDouble late = shareAfterClose(1 << attempt);
      if (late.isPresent()) {
        assertThat(late.getAsDouble())
            .as("share of the batch that was searched after close returned")
            .isLessThan(0.25);
        return;
      }
    }
    throw new AssertionError(
        "no batch of " + ATTEMPTS + " was in flight when the index was closed");
  }

  /**
   * Closes an index with a batch of queries in flight.
   *
   * @param size how large a batch: a multiple of what takes 0.3 seconds
   * @return how much of it was searched after close had returned; nothing when the batch was
   *     answered before
   */
  private OptionalDouble shareAfterClose(int size) throws Exception {
    Metric metric = any(Metric.L2);
    Rows rows = Rows.gaussian(metric, 32, 2000);
    IndexSpec spec = spec(32, metric);
    VectorIndex index = subject.create(subject.onOneThread(spec));
    rows.addTo(index);
    SearchRequest few = exact(SearchRequest.of(rows.queries(200), 10));
    try (ExecutorService pool = Executors.newSingleThreadExecutor()) {
      long thread = pool.submit(() -> Thread.currentThread().threadId()).get();
      // The second time for the compiler, the third for us.
      long cost = 0;
      long wall = 0;
      for (int round = 0; round < 3; round++) {
        long before = cpuNanos(thread);
        long begin = System.nanoTime();
        pool.submit(() -> index.searchAll(few)).get();
        wall = System.nanoTime() - begin;
        cost = cpuNanos(thread) - before;
      }
      // Time of the caller's processor, not of the clock, so that a busy machine changes nothing:
      // unless the work is done on threads of the index.
      boolean byCaller = cost > wall / 10;
      LongSupplier clock = byCaller ? () -> cpuNanos(thread) : System::nanoTime;
      long each = Math.max(1, byCaller ? cost : wall);
      int count = (int) Math.min(200_000, 200 * (1 + size * 300_000_000L / each));
      SearchRequest many = exact(SearchRequest.of(rows.queries(count), 10));
      long begin = clock.getAsLong();
      Future<List<SearchResult>> inFlight = pool.submit(() -> index.searchAll(many));
      while (clock.getAsLong() - begin < 30_000_000 && !inFlight.isDone()) {
        Thread.onSpinWait();
      }
      boolean tooLate = inFlight.isDone();
      index.close();
      long closed = clock.getAsLong();
      assertThat(inFlight.get()).hasSize(count);
      long end = clock.getAsLong();
      return tooLate
          ? OptionalDouble.empty()
          : OptionalDouble.of((double) (end - closed) / (end - begin));
    } finally {
      index.close();
    }
  }

  private static long cpuNanos(long thread) {
    return ManagementFactory.getThreadMXBean().getThreadCpuTime(thread);
  }
}
