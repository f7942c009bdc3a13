package io.github.panvec;

import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.time.Instant;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** For backends: when a call is to stop before it is done. Immutable. */
public final class Limits {
  /** Never. */
  public static final Limits NONE = new Limits(null, false, 0);

  private final @Nullable Cancellation cancellation;
  private final boolean hasDeadline;

  /** Of {@link System#nanoTime()}. */
  private final long deadline;

  private Limits(@Nullable Cancellation cancellation, boolean hasDeadline, long deadline) {
    this.cancellation = cancellation;
    this.hasDeadline = hasDeadline;
    this.deadline = deadline;
  }

  Limits until(Instant moment) {
    Objects.requireNonNull(moment, "deadline");
    return new Limits(cancellation, true, System.nanoTime() + nanosUntil(moment));
  }

  /** At most some 146 years in either direction, so that the sum cannot overflow. */
  private static long nanosUntil(Instant moment) {
    Duration left = Duration.between(Instant.now(), moment);
    Duration most = Duration.ofNanos(Long.MAX_VALUE / 2);
    if (left.compareTo(most) > 0) {
      return most.toNanos();
    }
    return left.compareTo(most.negated()) < 0 ? -most.toNanos() : left.toNanos();
  }

  Limits cancelledBy(Cancellation other) {
    Objects.requireNonNull(other, "cancellation");
    return new Limits(other, hasDeadline, deadline);
  }

  /** Whether there is neither a deadline nor a cancellation. */
  public boolean isNone() {
    return cancellation == null && !hasDeadline;
  }

  /**
   * Returns while the call may go on.
   *
   * @param what the call, for the message
   * @throws CancelledException when it was cancelled
   * @throws DeadlineExceededException when its deadline has passed
   */
  public void check(String what) {
    if (cancellation != null && cancellation.isCancelled()) {
      throw new CancelledException(what + " was cancelled");
    }
    if (hasDeadline && deadline - System.nanoTime() <= 0) {
      throw new DeadlineExceededException(what + " was not done by its deadline");
    }
  }

  /** An int32 that is not zero once the call is cancelled, or {@link MemorySegment#NULL}. */
  public MemorySegment flag() {
    return cancellation == null ? MemorySegment.NULL : cancellation.flag();
  }

  /** Nanoseconds to the deadline, at least 0; {@link Long#MAX_VALUE} without one. */
  public long nanosLeft() {
    return hasDeadline ? Math.max(0, deadline - System.nanoTime()) : Long.MAX_VALUE;
  }
}
