package io.github.panvec.conformance;

import io.github.panvec.Hit;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import java.lang.foreign.Arena;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Leaks a little on purpose, evenly and in steps, which {@link MemoryProgram} has to notice, and
 * nothing, which not.
 */
final class LeakingProgram {
  private static final int DIMENSION = 16;

  private LeakingProgram() {}

  /** A map that keeps some native memory for ever. */
  private static final class Leaking extends MapIndex {
    private final Leak leak;

    Leaking(Leak ofIndex, Leak ofSearch) {
      super(DIMENSION, Metric.L2);
      leak = ofSearch;
      ofIndex.happen();
    }

    @Override
    List<Hit> nearest(float[] query, SearchRequest request) {
      leak.happen();
      return super.nearest(query, request);
    }
  }

  /** So many bytes each so many times. */
  private static final class Leak {
    private final int bytes;
    private final int times;
    private int count;

    Leak(int bytes, int times) {
      this.bytes = bytes;
      this.times = times;
    }

    void happen() {
      if (++count % times == 0) {
        Arena.global().allocate(bytes);
      }
    }
  }

  private static final int INDEXES = 1_000;
  private static final int SEARCHES = 100_000;
  private static final Leak NONE = new Leak(0, Integer.MAX_VALUE);

  /** Whether one is seen. */
  private static boolean isSeen(String name, Leak ofIndex, Leak ofSearch) {
    int indexes = ofSearch == NONE ? INDEXES : 0;
    int searches = ofIndex == NONE ? SEARCHES : 0;
    return !MemoryProgram.check(
            NativeMemory.ofThisProcess(),
            name,
            Metric.L2,
            true,
            false,
            () -> new Leaking(ofIndex, ofSearch),
            indexes,
            searches)
        .isEmpty();
  }

  /** Says which leaks were noticed: of 250 bytes for each index, and of 3 for each search. */
  public static void main(String[] arguments) {
    Map<String, Boolean> seen = new LinkedHashMap<>();
    seen.put("none", isSeen("none", NONE, NONE));
    seen.put("of indexes", isSeen("of indexes", new Leak(250, 1), NONE));
    Leak steps = new Leak(250 * INDEXES / 4, INDEXES / 4);
    seen.put("of indexes in steps", isSeen("of indexes in steps", steps, NONE));
    seen.put("of searches", isSeen("of searches", NONE, new Leak(30, 10)));
    Leak largeSteps = new Leak(3 * SEARCHES / 2, SEARCHES / 2);
    seen.put("of searches in steps", isSeen("of searches in steps", NONE, largeSteps));
    System.out.println(
        seen.entrySet().stream()
            .map(each -> each.getKey() + " " + each.getValue())
            .collect(Collectors.joining(", ")));
  }
}
