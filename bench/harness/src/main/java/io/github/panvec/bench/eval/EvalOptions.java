package io.github.panvec.bench.eval;

import io.github.panvec.Metric;
import io.github.panvec.bench.Variant;
import io.github.panvec.spi.VectorBackend;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What a run is asked to do.
 *
 * @param dataset name or file
 * @param backends the backends to run, in this order
 * @param variants the kinds of index to build of them
 * @param backendsNamed whether a person named them; all on the path otherwise
 * @param metric the metric, or null for the dataset's own
 * @param k neighbours per query
 * @param threads threads that search, also handed to builds; null: one, and the backend's default
 *     for builds
 * @param limit rows of the base, from the first; {@link Integer#MAX_VALUE}: all
 * @param maxQueries queries, from the first
 * @param out folder for everything that the run writes
 * @param parameters further parameters of backends by name
 * @param roundSeconds length of one measurement; null: a second, or less when there are many rows
 * @param rounds measurements per row, interleaved with those of the other rows
 */
public record EvalOptions(
    String dataset,
    List<VectorBackend> backends,
    List<Variant> variants,
    boolean backendsNamed,
    @Nullable Metric metric,
    int k,
    @Nullable Integer threads,
    int limit,
    int maxQueries,
    Path out,
    Map<String, String> parameters,
    @Nullable Double roundSeconds,
    int rounds) {

  int searchThreads() {
    return threads == null ? 1 : threads;
  }
}
