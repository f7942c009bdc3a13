package io.github.panvec.sqlitevec;

import io.github.panvec.IdFilter;
import java.lang.foreign.Arena;
import org.jspecify.annotations.Nullable;

/**
 * A filter prepared for one index. Verdicts of a predicate go by id, whoever added the row and from
 * which process, so they hold for good. A filter without predicates is only copied to native memory
 * once: which rows it lets through is found out by every search again, natively and for about a
 * hundredth of the cost of the search, because any process may have changed the rows.
 */
final class PreparedFilter implements IdFilter.Prepared {
  private final Object index;
  private final IdFilter source;
  private final @Nullable Verdicts verdicts;
  private final NativeFilter copy;

  /**
   * @param index stands for the index, which a filter is not to keep alive
   */
  PreparedFilter(Object index, IdFilter source) {
    this.index = index;
    this.source = source;
    if (NativeFilter.needsJava(source)) {
      verdicts = new Verdicts(source);
      copy = NativeFilter.NONE;
    } else {
      verdicts = null;
      copy = NativeFilter.of(source, Arena.ofAuto());
    }
  }

  boolean isOf(Object other) {
    return index == other;
  }

  /** What the predicate has said, or null when there is none, and {@link #copy} holds. */
  @Nullable Verdicts verdicts() {
    return verdicts;
  }

  /** The filter, when there are no {@link #verdicts}. */
  NativeFilter copy() {
    return copy;
  }

  @Override
  public IdFilter source() {
    return source;
  }

  @Override
  public boolean test(long id) {
    if (verdicts != null) {
      Verdicts.State state = verdicts.state();
      if (state.isKnown(id)) {
        return state.isAccepted(id);
      }
    }
    return source.test(id);
  }

  @Override
  public String toString() {
    return "prepared " + source;
  }
}
