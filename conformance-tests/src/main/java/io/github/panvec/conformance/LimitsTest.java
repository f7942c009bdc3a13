package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Cancellation;
import io.github.panvec.CancelledException;
import io.github.panvec.DeadlineExceededException;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import java.lang.foreign.MemorySegment;
import java.time.Instant;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** Deadlines and cancellation. That calls end within milliseconds is measured, not tested. */
class LimitsTest extends ConformanceTest {
  private static final int DIMENSION = 16;

  private static final Instant PAST = Instant.now().minusSeconds(60);
  private static final Instant FUTURE = Instant.now().plusSeconds(3600);

  private static Cancellation cancelled() {
    Cancellation cancellation = new Cancellation();
    cancellation.cancel();
    return cancellation;
  }

  @Test
  @Contract("time.deadline")
  void aDeadlineInThePastEndsEveryCallAtOnceAndChangesNothing() {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 300);
    try (VectorIndex index = rows.index(subject)) {
      index.remove(0);
      rows.remove(0);
      assertEnds(
          index,
          rows,
          SearchRequest.of(rows.query(), 10).deadline(PAST),
          WriteOptions.defaults().deadline(PAST),
          DeadlineExceededException.class);
      SearchRequest inTime = SearchRequest.of(rows.query(), 10).deadline(FUTURE);
      assertThat(index.search(inTime).count()).isEqualTo(10);
      index.compact(WriteOptions.defaults().deadline(FUTURE));
      rows.assertUnchanged(index);
    }
  }

  @Test
  @Contract("time.cancel")
  void aCancelledCallEndsAtOnceAndChangesNothing() {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 300);
    try (VectorIndex index = rows.index(subject)) {
      index.remove(0);
      rows.remove(0);
      assertEnds(
          index,
          rows,
          SearchRequest.of(rows.query(), 10).cancelledBy(cancelled()),
          WriteOptions.defaults().cancelledBy(cancelled()),
          CancelledException.class);
      Cancellation never = new Cancellation();
      SearchRequest request = SearchRequest.of(rows.query(), 10).cancelledBy(never);
      assertThat(index.search(request).count()).isEqualTo(10);
    }
  }

  private void assertEnds(
      VectorIndex index,
      Rows rows,
      SearchRequest request,
      WriteOptions options,
      Class<? extends Exception> type) {
    SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 10);
    MemorySegment ids = MemorySegment.ofArray(LongStream.range(1000, 1100).toArray());
    MemorySegment vectors = MemorySegment.ofArray(rows.queries(100));
    for (ThrowingCallable call :
        new ThrowingCallable[] {
          () -> index.search(request),
          () -> index.search(request.exact()),
          () -> index.search(request, buffer),
          () -> index.searchAll(request),
          () -> index.searchRange(request, 1),
          () -> index.addAll(ids, vectors, options),
          () -> index.upsertAll(ids, vectors, options),
          () -> index.compact(options)
        }) {
      assertThatThrownBy(call).isInstanceOf(type);
    }
    rows.assertUnchanged(index);
    assertThat(index.search(rows.query(), 1000).count()).isEqualTo(rows.byId.size());
  }

  @Test
  @Contract("time.cancel")
  void aBuildThatIsCancelledOnItsWayAddsNothing() {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 100);
    try (VectorIndex index = rows.index(subject)) {
      int count = 20_000;
      long[] ids = LongStream.range(1000, 1000 + count).toArray();
      float[] vectors = rows.queries(count);
      Cancellation cancellation = new Cancellation();
      // Cancelled by the listener, so that it is under way for certain.
      WriteOptions options =
          WriteOptions.defaults()
              .cancelledBy(cancellation)
              .progress(
                  (done, total) -> {
                    if (done < total) {
                      cancellation.cancel();
                    }
                  });
      boolean ended = false;
      try {
        index.addAll(MemorySegment.ofArray(ids), MemorySegment.ofArray(vectors), options);
      } catch (CancelledException expected) {
        ended = true;
      }
      if (ended) {
        rows.assertUnchanged(index);
        index.addAll(ids, vectors);
      }
      assertThat(index.size()).isEqualTo(100 + count);
      assertThat(index.get(1000 + count - 1)).isPresent();
    }
  }

  @Test
  @Contract("time.cancel")
  void searchesOfAnotherThreadEndWhenCancelled() throws Exception {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 2000);
    try (VectorIndex index = rows.index(subject);
        ExecutorService pool = Executors.newSingleThreadExecutor()) {
      Cancellation cancellation = new Cancellation();
      CountDownLatch first = new CountDownLatch(1);
      SearchRequest request = SearchRequest.of(rows.query(), 10).cancelledBy(cancellation);
      Future<?> searches =
          pool.submit(
              () -> {
                while (true) {
                  index.search(request);
                  first.countDown();
                }
              });
      first.await();
      cancellation.cancel();
      assertThatThrownBy(searches::get)
          .isInstanceOf(ExecutionException.class)
          .hasCauseInstanceOf(CancelledException.class);
      rows.assertUnchanged(index);
    }
  }
}
