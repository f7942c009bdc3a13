package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.github.panvec.Cancellation;
import io.github.panvec.CancelledException;
import io.github.panvec.DeadlineExceededException;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import java.lang.foreign.MemorySegment;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** Deadlines and cancellation. That calls end within milliseconds is measured, not tested. */
class LimitsTest extends ConformanceTest {
  private static final int DIMENSION = 16;
  private static final int MOST_ROWS = 1_000_000;
  private static final int MOST_QUERIES = 1 << 18;

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
          () -> index.train(vectors, options),
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
      // Where adding is little more than copying, nothing is heard on the way.
      while (!isCancelledOnItsWay(index, rows, count) && subject.hasGraph()) {
        count *= 2;
        assertThat(count).as("rows whose listener heard nothing on the way").isLessThan(MOST_ROWS);
      }
      long[] ids = LongStream.range(1000, 1000 + count).toArray();
      index.upsertAll(ids, rows.queries(count));
      assertThat(index.size()).isEqualTo(100 + count);
      assertThat(index.get(1000 + count - 1)).isPresent();
    }
  }

  /**
   * Adds so many rows, with a listener that cancels when it hears that they are under way.
   *
   * @return whether it has heard that, and so it ended and nothing was added
   */
  private boolean isCancelledOnItsWay(VectorIndex index, Rows rows, int count) {
    long[] ids = LongStream.range(1000, 1000 + count).toArray();
    MemorySegment vectors = MemorySegment.ofArray(rows.queries(count));
    Cancellation cancellation = new Cancellation();
    WriteOptions options =
        WriteOptions.defaults()
            .cancelledBy(cancellation)
            .progress(
                (done, total) -> {
                  if (done < total) {
                    cancellation.cancel();
                  }
                });
    ThrowingCallable build = () -> index.addAll(MemorySegment.ofArray(ids), vectors, options);
    Throwable thrown = catchThrowable(build);
    if (!cancellation.isCancelled()) {
      assertThat(thrown).isNull();
      assertThat(index.size()).isEqualTo(100 + count);
      index.removeAll(ids);
      return false;
    }
    assertThat(thrown).isInstanceOf(CancelledException.class);
    rows.assertUnchanged(index);
    assertThat(index.search(rows.query(), 1000).count()).isEqualTo(100);
    return true;
  }

  @Test
  @Contract("time.cancel")
  void aSearchThatIsCancelledOnItsWayEnds() {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 300);
    SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 10);
    try (VectorIndex index = rows.index(subject)) {
      Map<String, Consumer<SearchRequest>> searches = new LinkedHashMap<>();
      searches.put("search", index::search);
      searches.put("exact search", request -> index.search(request.exact()));
      searches.put("search into a buffer", request -> index.search(request, buffer));
      searches.put("batch", index::searchAll);
      searches.put("range search", request -> index.searchRange(request, 100));
      searches.forEach(
          (how, search) -> {
            // Cancelled by a predicate, so that it is under way for certain.
            Cancellation cancellation = new Cancellation();
            IdFilter cancels =
                IdFilter.matching(
                    id -> {
                      cancellation.cancel();
                      return true;
                    });
            SearchRequest request =
                SearchRequest.of(rows.query(), 10).filter(cancels).cancelledBy(cancellation);
            assertThatThrownBy(() -> search.accept(request))
                .as(how)
                .isInstanceOf(CancelledException.class);
          });
      rows.assertUnchanged(index);
      assertThat(index.search(rows.query(), 10).count()).isEqualTo(10);
    }
  }

  @Test
  @Contract("time.cancel")
  void aBatchOfQueriesThatIsCancelledBetweenThemEnds() throws Exception {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 500);
    try (VectorIndex index = rows.index(subject)) {
      int count = 512;
      // How long a batch has to take for another thread to meet it is not known beforehand.
      while (!isCancelledBetweenQueries(index, rows, count)) {
        count *= 2;
        assertThat(count)
            .as("queries of a batch that was done before anybody could cancel it")
            .isLessThan(MOST_QUERIES);
      }
      rows.assertUnchanged(index);
    }
  }

  /** Whether a batch of so many queries was still to be done when it was cancelled. */
  private static boolean isCancelledBetweenQueries(VectorIndex index, Rows rows, int count)
      throws Exception {
    Cancellation cancellation = new Cancellation();
    AtomicInteger asked = new AtomicInteger();
    // It is asked once about each id, before the first query is answered.
    IdFilter counting = IdFilter.matching(id -> asked.incrementAndGet() > 0);
    SearchRequest request =
        SearchRequest.of(rows.queries(count), 10).filter(counting).cancelledBy(cancellation);
    try (ExecutorService pool = Executors.newSingleThreadExecutor()) {
      Future<Throwable> batch = pool.submit(() -> catchThrowable(() -> index.searchAll(request)));
      while (asked.get() < rows.byId.size() && !batch.isDone()) {
        Thread.onSpinWait();
      }
      cancellation.cancel();
      Throwable thrown = batch.get();
      if (thrown != null) {
        assertThat(thrown).isInstanceOf(CancelledException.class);
      }
      return thrown != null;
    }
  }

  @Test
  @Contract("time.cancel")
  void searchesOfAnotherThreadEndWhenCancelled() {
    Rows rows = Rows.gaussian(any(Metric.L2), DIMENSION, 2000);
    try (VectorIndex index = rows.index(subject)) {
      Cancellation cancellation = new Cancellation();
      SearchRequest request = SearchRequest.of(rows.query(), 10).cancelledBy(cancellation);
      ThrowingCallable beside =
          () ->
              Readers.whileRunning(
                  1,
                  () -> index.search(request),
                  readers -> {
                    cancellation.cancel();
                    // Which never is done, unless it takes no notice.
                    readers.awaitNextRound();
                  });
      assertThatThrownBy(beside).isInstanceOf(CancelledException.class);
      rows.assertUnchanged(index);
    }
  }
}
