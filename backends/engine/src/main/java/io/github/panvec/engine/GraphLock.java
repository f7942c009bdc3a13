package io.github.panvec.engine;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Shared by walks, exclusive for structural change. Phase-fair: a reader waits for one exclusive
 * slice at most, the writer for the readers of one phase at most. Taking it shared, uncontended, is
 * one atomic operation and allocates nothing (which {@code ReentrantReadWriteLock} does).
 *
 * <p>There is at most one thread at a time that wants it exclusively: the holder of the index's
 * writer mutex.
 */
final class GraphLock {
  /** Set while the writer holds or awaits the lock; the bits below count readers. */
  private static final long WRITER = 1L << 40;

  private final AtomicLong state = new AtomicLong();
  private final ReentrantLock monitor = new ReentrantLock();
  private final Condition readersAdmitted = monitor.newCondition();
  private final Condition readersGone = monitor.newCondition();
  // All under the monitor:
  private long phase;
  private int waiting;

  /** int32 in native memory: not zero while readers wait, so that native code can end its slice. */
  private final MemorySegment readersWaiting;

  GraphLock(Arena arena) {
    readersWaiting = arena.allocate(ValueLayout.JAVA_INT);
  }

  MemorySegment readersWaiting() {
    return readersWaiting;
  }

  void lockShared() {
    long seen = state.get();
    while ((seen & WRITER) == 0) {
      if (state.compareAndSet(seen, seen + 1)) {
        return;
      }
      seen = state.get();
    }
    awaitAdmission();
  }

  private void awaitAdmission() {
    monitor.lock();
    try {
      // The writer clears its bit under the monitor, so either it is still set here or we may go
      // ahead.
      long seen = state.get();
      while ((seen & WRITER) == 0) {
        if (state.compareAndSet(seen, seen + 1)) {
          return;
        }
        seen = state.get();
      }
      waiting++;
      publishWaiting();
      long arrived = phase;
      while (phase == arrived) {
        readersAdmitted.awaitUninterruptibly();
      }
    } finally {
      monitor.unlock();
    }
  }

  void unlockShared() {
    if (state.decrementAndGet() == WRITER) {
      monitor.lock();
      try {
        readersGone.signal();
      } finally {
        monitor.unlock();
      }
    }
  }

  void lockExclusive() {
    if (state.getAndAdd(WRITER) == 0) {
      return;
    }
    monitor.lock();
    try {
      while (state.get() != WRITER) {
        readersGone.awaitUninterruptibly();
      }
    } finally {
      monitor.unlock();
    }
  }

  /** Hands the lock to every reader that waits; the next exclusive slice comes after them. */
  void unlockExclusive() {
    monitor.lock();
    try {
      state.getAndAdd(waiting - WRITER);
      waiting = 0;
      publishWaiting();
      phase++;
      readersAdmitted.signalAll();
    } finally {
      monitor.unlock();
    }
  }

  private void publishWaiting() {
    readersWaiting.set(ValueLayout.JAVA_INT, 0, waiting);
  }
}
