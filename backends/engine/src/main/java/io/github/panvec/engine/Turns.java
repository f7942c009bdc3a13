package io.github.panvec.engine;

import io.github.panvec.Limits;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.LockSupport;

/**
 * Permits, first come, first served. Unlike a semaphore's, a wait can be ended by {@link Limits}
 * without losing its place in the queue to looking at them. Thread-safe; allocates nothing where
 * there is no wait.
 */
public final class Turns {
  /** How long a wait goes on after it was cancelled. */
  private static final long LOOK_NANOS = 1_000_000;

  private static final class Waiter {
    private final Thread thread = Thread.currentThread();
    private volatile boolean served;
  }

  /** Guarded by this; empty while a permit is free. */
  private final Deque<Waiter> waiting = new ArrayDeque<>();

  /** Guarded by this. */
  private int free;

  /** With that many permits. */
  public Turns(int permits) {
    free = permits;
  }

  /**
   * Waits for a permit; give it back with {@link #release}. Interrupts are left for later. A call
   * whose limits are over gets none, also where one is free.
   *
   * @param what the call, for the message of what a limit throws
   */
  public void acquire(Limits limits, String what) {
    limits.check(what);
    Waiter waiter;
    synchronized (this) {
      if (free > 0) {
        free--;
        return;
      }
      waiter = new Waiter();
      waiting.add(waiter);
    }
    boolean interrupted = false;
    boolean served = false;
    try {
      while (!waiter.served) {
        limits.check(what);
        if (limits.isNone()) {
          LockSupport.park(this);
        } else {
          LockSupport.parkNanos(this, Math.min(LOOK_NANOS, limits.nanosLeft()));
        }
        interrupted |= Thread.interrupted();
      }
      served = true;
    } finally {
      if (!served) {
        leave(waiter);
      }
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Takes a permit if one is free. */
  public synchronized boolean tryAcquire() {
    if (free == 0) {
      return false;
    }
    free--;
    return true;
  }

  /** Gives a permit back, to the one who has waited longest. */
  public synchronized void release() {
    Waiter next = waiting.poll();
    if (next == null) {
      free++;
      return;
    }
    next.served = true;
    LockSupport.unpark(next.thread);
  }

  /** Gives up, or passes on what came at the last moment. */
  private synchronized void leave(Waiter waiter) {
    if (!waiting.remove(waiter)) {
      release();
    }
  }
}
