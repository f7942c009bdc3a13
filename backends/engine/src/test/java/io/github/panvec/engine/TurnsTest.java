package io.github.panvec.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.DeadlineExceededException;
import io.github.panvec.Limits;
import io.github.panvec.WriteOptions;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class TurnsTest {
  @Test
  void areServedInOrderAndSurviveInterruptsAndStops() throws Exception {
    Turns turns = new Turns(1);
    turns.acquire(Limits.NONE, "test");
    assertThat(turns.tryAcquire()).isFalse();
    List<Integer> order = new ArrayList<>();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      int number = i;
      boolean stops = i % 3 == 1;
      Thread thread =
          new Thread(
              () -> {
                Limits limits =
                    stops
                        ? WriteOptions.defaults()
                            .deadline(Instant.now().plusMillis(number))
                            .limits()
                        : Limits.NONE;
                try {
                  turns.acquire(limits, "test");
                } catch (DeadlineExceededException late) {
                  return;
                }
                assertThat(Thread.interrupted()).isEqualTo(number % 2 == 0);
                synchronized (order) {
                  order.add(number);
                }
                turns.release();
              });
      threads.add(thread);
      thread.start();
      // In the queue before the next one comes.
      while (thread.getState() == Thread.State.NEW
          || thread.getState() == Thread.State.RUNNABLE
          || thread.getState() == Thread.State.BLOCKED) {
        Thread.yield();
      }
      if (i % 2 == 0 && !stops) {
        thread.interrupt();
      }
    }
    for (int i = 1; i < 20; i += 3) {
      threads.get(i).join();
    }
    turns.release();
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(order).isSorted().hasSize(13);
    assertThat(turns.tryAcquire()).isTrue();
    assertThat(turns.tryAcquire()).isFalse();
  }

  @Test
  void aCallWhoseTimeIsOverGetsNoneEvenWhereOneIsFree() {
    Turns turns = new Turns(1);
    Limits past = WriteOptions.defaults().deadline(Instant.now().minusSeconds(1)).limits();
    assertThatThrownBy(() -> turns.acquire(past, "test"))
        .isInstanceOf(DeadlineExceededException.class);
    assertThat(turns.tryAcquire()).isTrue();
  }
}
