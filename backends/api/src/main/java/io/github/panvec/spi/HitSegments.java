package io.github.panvec.spi;

import io.github.panvec.SearchPath;
import io.github.panvec.SearchResult;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Native memory that a search writes to.
 *
 * @param ids int64, room for k
 * @param distances float32, room for k
 * @param outputs a few int64 for out-parameters
 * @param error room for an error text
 */
public record HitSegments(
    MemorySegment ids, MemorySegment distances, MemorySegment outputs, MemorySegment error) {
  /** Size of {@code error}, in bytes. */
  public static final int ERROR_BYTES = 512;

  /** Room for {@code k} hits that lives as long as {@code arena}. */
  public static HitSegments allocate(Arena arena, int k) {
    return new HitSegments(
        arena.allocate(ValueLayout.JAVA_LONG, k),
        arena.allocate(ValueLayout.JAVA_FLOAT, k),
        arena.allocate(ValueLayout.JAVA_LONG, 4),
        arena.allocate(ERROR_BYTES));
  }

  /** The first {@code count} hits, copied. */
  public SearchResult toResult(int count, SearchPath path) {
    return new SearchResult(
        ids.asSlice(0, count * 8L).toArray(ValueLayout.JAVA_LONG),
        distances.asSlice(0, count * 4L).toArray(ValueLayout.JAVA_FLOAT),
        path);
  }
}
