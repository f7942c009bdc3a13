package io.github.panvec.engine;

import io.github.panvec.Limits;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;

/** Waits for a lock no longer than a call's limits allow. */
final class Waiting {
  /** Who looks more often would lose its place in a fair queue too often. */
  private static final long LOOK_NANOS = 20_000_000;

  private Waiting() {}

  /**
   * Takes the lock.
   *
   * @param what waits, for the message of the exception that {@link Limits#check} throws
   */
  static void lock(ReentrantLock lock, Limits limits, String what) {
    if (limits.isNone()) {
      lock.lock();
      return;
    }
    boolean interrupted = false;
    boolean locked = false;
    try {
      while (!locked) {
        limits.check(what);
        try {
          locked = lock.tryLock(Math.min(limits.nanosLeft(), LOOK_NANOS), TimeUnit.NANOSECONDS);
        } catch (InterruptedException wait) {
          // Interruption is not how calls are ended: a Cancellation is.
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
