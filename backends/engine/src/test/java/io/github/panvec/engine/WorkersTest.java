package io.github.panvec.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class WorkersTest {
  private final Set<Thread> threads = ConcurrentHashMap.newKeySet();

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The first item decides how many threads are worth starting. */
  private static boolean makesThreadsWorthStarting(int item) {
    if (item > 0) {
      return false;
    }
    for (long begin = System.nanoTime(); System.nanoTime() - begin < 1_000_000; ) {
      Thread.onSpinWait();
    }
    return true;
  }

  private void assertThatOthersHaveEnded() {
    assertThat(threads).allMatch(thread -> thread == Thread.currentThread() || !thread.isAlive());
  }

  @Test
  void everyItemRunsOnce() {
    for (int count : new int[] {0, 1, 15, 16, 17, 1000}) {
      AtomicIntegerArray runs = new AtomicIntegerArray(count + 1);
      new Workers(4)
          .run(
              count,
              i -> {
                makesThreadsWorthStarting(i);
                runs.incrementAndGet(i);
              });
      for (int i = 0; i < count; i++) {
        assertThat(runs.get(i)).isEqualTo(1);
      }
      assertThat(runs.get(count)).isZero();
    }
  }

  @Test
  void fewItemsAndOneThreadStayOnTheCaller() {
    new Workers(8).run(3, i -> threads.add(Thread.currentThread()));
    new Workers(1).run(1000, i -> threads.add(Thread.currentThread()));
    assertThat(threads).containsExactly(Thread.currentThread());
  }

  @Test
  void asManyThreadsAsAllowedRunTogether() {
    // Each waits for the others, so all four must be there at once.
    CountDownLatch together = new CountDownLatch(4);
    new Workers(4)
        .run(
            64,
            i -> {
              if (makesThreadsWorthStarting(i)) {
                return;
              }
              if (threads.add(Thread.currentThread())) {
                together.countDown();
              }
              await(together);
            });
    assertThat(threads).hasSize(4).contains(Thread.currentThread());
    assertThatOthersHaveEnded();
  }

  @Test
  void theFailureOfTheEarliestItemIsThrownEvenWhenALaterOneFailedBefore() {
    for (int round = 0; round < 50; round++) {
      CountDownLatch laterFailed = new CountDownLatch(1);
      assertThatThrownBy(
              () ->
                  new Workers(2)
                      .run(
                          64,
                          i -> {
                            makesThreadsWorthStarting(i);
                            threads.add(Thread.currentThread());
                            if (i == 5) {
                              await(laterFailed);
                              throw new IllegalArgumentException("5");
                            }
                            if (i == 30) {
                              laterFailed.countDown();
                              throw new IllegalStateException("30");
                            }
                          }))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("5");
      assertThatOthersHaveEnded();
    }
  }

  @Test
  void nothingLaterIsBegunAfterAFailure() {
    AtomicIntegerArray runs = new AtomicIntegerArray(100);
    assertThatThrownBy(
            () ->
                new Workers(1)
                    .run(
                        100,
                        i -> {
                          runs.incrementAndGet(i);
                          if (i == 7) {
                            throw new IllegalStateException("7");
                          }
                        }))
        .hasMessage("7");
    assertThat(runs.get(7)).isEqualTo(1);
    assertThat(runs.get(8)).isZero();
  }

  @Test
  void anErrorComesThroughAsItIs() {
    Error error = new StackOverflowError("deep");
    assertThatThrownBy(
            () ->
                new Workers(4)
                    .run(
                        64,
                        i -> {
                          if (!makesThreadsWorthStarting(i)) {
                            throw error;
                          }
                        }))
        .isSameAs(error);
  }

  @Test
  void anInterruptNeitherStopsTheItemsNorIsLost() {
    AtomicIntegerArray runs = new AtomicIntegerArray(64);
    Thread caller = Thread.currentThread();
    try {
      caller.interrupt();
      new Workers(2)
          .run(
              64,
              i -> {
                makesThreadsWorthStarting(i);
                threads.add(Thread.currentThread());
                // The other thread is still at its first item when the caller has done all others.
                while (Thread.currentThread() != caller && done(runs) < 63) {
                  Thread.onSpinWait();
                }
                runs.incrementAndGet(i);
              });
      assertThat(done(runs)).isEqualTo(64);
      assertThatOthersHaveEnded();
    } finally {
      assertThat(Thread.interrupted()).isTrue();
    }
  }

  private static int done(AtomicIntegerArray runs) {
    int done = 0;
    for (int i = 0; i < runs.length(); i++) {
      done += runs.get(i);
    }
    return done;
  }
}
