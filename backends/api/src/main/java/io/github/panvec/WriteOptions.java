package io.github.panvec;

import java.time.Instant;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Options of calls that write or build: a listener, a deadline, a cancellation. Immutable.
 *
 * <pre>{@code
 * index.addAll(ids, vectors,
 *     WriteOptions.defaults().progress((done, total) -> bar.set(done, total)).cancelledBy(stop));
 * }</pre>
 *
 * <p>What ends early has changed nothing that searches see.
 */
public final class WriteOptions {
  private static final WriteOptions DEFAULTS = new WriteOptions(null, Limits.NONE);

  private final @Nullable ProgressListener listener;
  private final Limits limits;

  private WriteOptions(@Nullable ProgressListener listener, Limits limits) {
    this.listener = listener;
    this.limits = limits;
  }

  /** No listener, no deadline, no cancellation. */
  public static WriteOptions defaults() {
    return DEFAULTS;
  }

  /** Tells {@code listener} how far the call has come. */
  public WriteOptions progress(ProgressListener listener) {
    return new WriteOptions(Objects.requireNonNull(listener, "listener"), limits);
  }

  /**
   * Ends the call with {@link DeadlineExceededException} when it is not done by then. The moment is
   * turned into the JVM's monotonic time here: later steps of the wall clock do not move it.
   */
  public WriteOptions deadline(Instant deadline) {
    return new WriteOptions(listener, limits.until(deadline));
  }

  /** Ends the call with {@link CancelledException} when {@code cancellation} is cancelled. */
  public WriteOptions cancelledBy(Cancellation cancellation) {
    return new WriteOptions(listener, limits.cancelledBy(cancellation));
  }

  /** For backends: no listener, and these limits. */
  public static WriteOptions within(Limits limits) {
    return limits.isNone() ? DEFAULTS : new WriteOptions(null, limits);
  }

  /** The listener, or null. */
  public @Nullable ProgressListener listener() {
    return listener;
  }

  /** For backends: tells the listener, if there is one. */
  public void report(long done, long total) {
    if (listener != null) {
      listener.progress(done, total);
    }
  }

  /** For backends: when to stop. */
  public Limits limits() {
    return limits;
  }
}
