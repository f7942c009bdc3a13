package io.github.panvec;

/** Hears how far a batch has come. */
@FunctionalInterface
public interface ProgressListener {

  /**
   * Called on the thread of the caller, now and then, at last with {@code done == total}. The index
   * takes no other writes meanwhile, so it should be quick. It must not call the index: calls that
   * write, compact or close are refused with {@link IllegalStateException}, others may be. What it
   * throws ends the call and reaches the caller; the index is as it was, unless that was the last
   * report of a training or a compaction, which are done by then.
   *
   * @param done rows that are done
   * @param total rows in all
   */
  void progress(long done, long total);
}
