package io.github.panvec;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;

/**
 * Ends calls early: any thread may {@link #cancel()}, and every call that was given this object,
 * running or yet to come, then throws {@link CancelledException} within milliseconds. For good:
 * there is no way back. One object may serve any number of calls.
 *
 * <pre>{@code
 * Cancellation cancellation = new Cancellation();
 * executor.submit(() -> index.search(SearchRequest.of(query, 10).cancelledBy(cancellation)));
 * cancellation.cancel();
 * }</pre>
 *
 * <p>Its few bytes of native memory, where native code looks, are freed when it is no longer
 * reachable.
 */
public final class Cancellation {
  private static final VarHandle FLAG = ValueLayout.JAVA_INT.varHandle();

  private final MemorySegment flag = Arena.ofAuto().allocate(ValueLayout.JAVA_INT);

  /** Not cancelled yet. */
  public Cancellation() {}

  /** Cancels; a second time does nothing. */
  public void cancel() {
    FLAG.setVolatile(flag, 0L, 1);
  }

  /** Whether {@link #cancel()} has been called. */
  public boolean isCancelled() {
    return (int) FLAG.getVolatile(flag, 0L) != 0;
  }

  /** For backends: an int32 that is not zero once cancelled. */
  public MemorySegment flag() {
    return flag;
  }
}
