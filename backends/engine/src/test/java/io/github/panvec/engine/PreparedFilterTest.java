package io.github.panvec.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Cancellation;
import io.github.panvec.CancelledException;
import io.github.panvec.Capabilities;
import io.github.panvec.DeadlineExceededException;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Limits around filters that take long, and what a prepared one knows when they end it. */
@Timeout(60)
class PreparedFilterTest {
  private static final int ROWS = 100;
  private static final SearchRequest ALL = SearchRequest.of(new float[1], 1000).exact();

  private final ManagedIndex index =
      new ManagedIndex(
          new Engine(
              IndexSpec.of("java", 1, Metric.L2),
              new Capabilities(
                  EnumSet.allOf(Metric.class), 1, Integer.MAX_VALUE, true, false, false),
              "1",
              JavaSlotIndex::new,
              1,
              0));

  private final List<Long> asked = new ArrayList<>();
  private Runnable atThird = () -> {};

  /** Even ids pass; what happens when it is asked about a third one is up to the test. */
  private final IdFilter even =
      IdFilter.matching(
          id -> {
            asked.add(id);
            if (asked.size() == 3) {
              atThird.run();
            }
            return id % 2 == 0;
          });

  private final IdFilter none = IdFilter.in(-1);
  private final IdFilter several = IdFilter.in(LongStream.range(0, 50).toArray());

  private void fill() {
    index.addAll(LongStream.range(0, ROWS).toArray(), new float[ROWS]);
  }

  @AfterEach
  void close() {
    index.close();
  }

  private void assertEndsAfterThree(IdFilter filter) {
    Cancellation cancellation = new Cancellation();
    asked.clear();
    atThird = cancellation::cancel;
    assertThatThrownBy(() -> index.search(ALL.filter(filter).cancelledBy(cancellation)))
        .isInstanceOf(CancelledException.class);
    assertThat(asked).hasSize(3);

    Instant deadline = Instant.now().plusMillis(100);
    asked.clear();
    atThird =
        () -> {
          while (Instant.now().isBefore(deadline.plusMillis(20))) {
            Thread.onSpinWait();
          }
        };
    assertThatThrownBy(() -> index.search(ALL.filter(filter).deadline(deadline)))
        .isInstanceOf(DeadlineExceededException.class);
    // On a busy machine it may be over before.
    assertThat(asked).hasSizeLessThanOrEqualTo(3);
  }

  @Test
  void limitsEndASlowPredicateAtItsNextRow() {
    fill();
    assertEndsAfterThree(even);
    assertEndsAfterThree(even.not());
    assertEndsAfterThree(none.or(even));
    assertEndsAfterThree(IdFilter.range(0, 500).and(even));
    assertEndsAfterThree(several.and(even));
    assertEndsAfterThree(several.and(none.or(even.not()).not().not()));
  }

  @Test
  void whatAPreparedFilterHasLearntWhenALimitEndsItIsNotAskedAgain() {
    IdFilter prepared = index.prepare(even);
    assertThat(asked).isEmpty();
    fill();
    Cancellation cancellation = new Cancellation();
    atThird = cancellation::cancel;
    SearchRequest request = ALL.filter(prepared);
    assertThatThrownBy(() -> index.search(request.cancelledBy(cancellation)))
        .isInstanceOf(CancelledException.class);
    assertThat(asked).containsExactly(0L, 1L, 2L);
    assertThat(index.search(request).count()).isEqualTo(ROWS / 2);
    assertThat(asked).hasSize(ROWS).doesNotHaveDuplicates();
  }

  @Test
  void whatItHasLearntWhenThePredicateThrowsIsNotAskedAgain() {
    IdFilter prepared = index.prepare(even);
    fill();
    atThird =
        () -> {
          throw new ArithmeticException("no opinion");
        };
    SearchRequest request = ALL.filter(prepared);
    assertThatThrownBy(() -> index.search(request)).isInstanceOf(ArithmeticException.class);
    assertThat(index.search(request).count()).isEqualTo(ROWS / 2);
    // The third is asked about twice: the first time it had no answer.
    assertThat(asked).hasSize(ROWS + 1).containsSequence(0L, 1L, 2L, 2L, 3L).endsWith(99L);
  }

  @Test
  void whoWaitsForAnothersEvaluationEndsByLimitsOfTheirOwn() throws Exception {
    IdFilter prepared = index.prepare(even);
    fill();
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    atThird =
        () -> {
          inside.countDown();
          try {
            goOn.await();
          } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
          }
        };
    SearchRequest request = ALL.filter(prepared);
    try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
      Future<SearchResult> slow = pool.submit(() -> index.search(request));
      try {
        inside.await();
        Instant soon = Instant.now().plusMillis(50);
        Future<SearchResult> late = pool.submit(() -> index.search(request.deadline(soon)));
        assertThatThrownBy(() -> late.get(30, TimeUnit.SECONDS))
            .isInstanceOf(ExecutionException.class)
            .hasCauseInstanceOf(DeadlineExceededException.class);
        Cancellation cancellation = new Cancellation();
        Future<SearchResult> waiting =
            pool.submit(() -> index.search(request.cancelledBy(cancellation)));
        cancellation.cancel();
        assertThatThrownBy(() -> waiting.get(30, TimeUnit.SECONDS))
            .isInstanceOf(ExecutionException.class)
            .hasCauseInstanceOf(CancelledException.class);
        assertThat(slow.isDone()).isFalse();
        assertThat(asked).hasSize(3);
      } finally {
        goOn.countDown();
      }
      assertThat(slow.get().count()).isEqualTo(ROWS / 2);
      assertThat(asked).hasSize(ROWS);
    }
  }
}
