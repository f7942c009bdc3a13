package io.github.panvec.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class GraphLockTest {

  @Test
  void exclusiveExcludesSharedAndBothSidesGetOn() throws Exception {
    try (Arena arena = Arena.ofShared();
        ExecutorService pool = Executors.newFixedThreadPool(8)) {
      GraphLock lock = new GraphLock(arena);
      AtomicInteger readers = new AtomicInteger();
      AtomicBoolean writing = new AtomicBoolean();
      AtomicBoolean stop = new AtomicBoolean();
      List<Future<Long>> counts = new ArrayList<>();
      for (int t = 0; t < 7; t++) {
        counts.add(
            pool.submit(
                () -> {
                  long count = 0;
                  while (!stop.get()) {
                    lock.lockShared();
                    try {
                      readers.incrementAndGet();
                      assertThat(writing).isFalse();
                      readers.decrementAndGet();
                    } finally {
                      lock.unlockShared();
                    }
                    count++;
                  }
                  return count;
                }));
      }
      for (int round = 0; round < 20_000; round++) {
        lock.lockExclusive();
        try {
          writing.set(true);
          assertThat(readers).hasValue(0);
          writing.set(false);
        } finally {
          lock.unlockExclusive();
        }
      }
      stop.set(true);
      for (Future<Long> count : counts) {
        assertThat(count.get()).isPositive();
      }
    }
  }

  @Test
  void aWaitingReaderIsAdmittedBeforeTheNextExclusiveSlice() throws Exception {
    try (Arena arena = Arena.ofShared();
        ExecutorService pool = Executors.newSingleThreadExecutor()) {
      GraphLock lock = new GraphLock(arena);
      AtomicBoolean admitted = new AtomicBoolean();
      lock.lockExclusive();
      Future<?> reader =
          pool.submit(
              () -> {
                lock.lockShared();
                admitted.set(true);
                lock.unlockShared();
              });
      while (lock.readersWaiting().get(ValueLayout.JAVA_INT, 0) == 0) {
        Thread.onSpinWait();
      }
      lock.unlockExclusive();
      // The writer comes back at once; the reader that waited must have gone before.
      lock.lockExclusive();
      assertThat(admitted).isTrue();
      lock.unlockExclusive();
      reader.get();
      assertThat(lock.readersWaiting().get(ValueLayout.JAVA_INT, 0)).isZero();
    }
  }
}
