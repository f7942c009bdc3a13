package io.github.panvec.conformance;

import io.github.panvec.Hit;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import java.lang.foreign.Arena;
import java.util.List;

/** Leaks a little on purpose, which {@link MemoryProgram} has to notice, and nothing, which not. */
final class LeakingProgram {
  private static final int DIMENSION = 16;

  private LeakingProgram() {}

  /** A map that keeps some native memory for ever. */
  private static final class Leaking extends MapIndex {
    private final int bytesPerSearch;

    Leaking(int bytes, int bytesPerSearch) {
      super(DIMENSION, Metric.L2);
      this.bytesPerSearch = bytesPerSearch;
      leak(bytes);
    }

    private static void leak(int bytes) {
      if (bytes > 0) {
        Arena.global().allocate(bytes);
      }
    }

    @Override
    List<Hit> nearest(float[] query, SearchRequest request) {
      leak(bytesPerSearch);
      return super.nearest(query, request);
    }
  }

  private static String check(String name, int bytes, int bytesPerSearch) {
    return MemoryProgram.check(
        NativeMemory.ofThisProcess(),
        name,
        Metric.L2,
        true,
        () -> new Leaking(bytes, bytesPerSearch),
        1_000,
        40_000);
  }

  /** Says which leaks were noticed. */
  public static void main(String[] arguments) {
    boolean none = check("none", 0, 0).isEmpty();
    boolean byIndex = !check("by index", 1_000, 0).isEmpty();
    boolean bySearch = !check("by search", 0, 100).isEmpty();
    System.out.println("none " + none + ", of an index " + byIndex + ", of a search " + bySearch);
  }
}
