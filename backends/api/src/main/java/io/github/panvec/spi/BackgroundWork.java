package io.github.panvec.spi;

import io.github.panvec.IndexSpec;
import io.github.panvec.internal.Calls;
import io.github.panvec.internal.Operation;

/**
 * Work that a backend does of its own accord, on a thread that no caller waits for: run through
 * here it is an event of JDK Flight Recorder and stands in the flight file, as calls do by
 * themselves. Thread-safe.
 */
public final class BackgroundWork {

  private BackgroundWork() {}

  /**
   * Runs {@code work} on this thread.
   *
   * @param spec of the index
   * @param liveRows how many vectors are live
   */
  public static void compact(IndexSpec spec, long liveRows, Runnable work) {
    Calls.inBackground(spec, Operation.COMPACT, liveRows, work);
  }
}
