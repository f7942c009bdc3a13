package io.github.panvec.bench.soak;

import io.github.panvec.bench.Variant;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What to soak, and for how long.
 *
 * @param variants one after the other
 * @param minutes how long the writer writes to the one index or the other, of each variant
 * @param rows how many each index has to begin with
 * @param dimension components per row
 * @param seed of rows, queries and operations
 * @param maxRatio what p99 beside a writer may be, as a multiple of p99 beside a writer elsewhere
 * @param json where the figures go too, or null
 */
public record SoakOptions(
    List<Variant> variants,
    double minutes,
    int rows,
    int dimension,
    long seed,
    double maxRatio,
    @Nullable Path json) {
  public SoakOptions {
    variants = List.copyOf(variants);
  }

  long nanos() {
    return (long) (minutes * 60e9);
  }
}
