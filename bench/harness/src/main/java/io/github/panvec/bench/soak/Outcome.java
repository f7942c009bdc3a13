package io.github.panvec.bench.soak;

import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What came of soaking one kind of index.
 *
 * @param name for people, for example {@code faiss hnsw}
 * @param parameters all that both indexes had
 * @param seconds how long it was written to the index that is searched, and to the other
 * @param beside latencies of searches while the writer wrote to the same index
 * @param elsewhere latencies of searches while it wrote to the other one
 * @param operations of the writer, on both indexes
 * @param compactions of the index that is searched, and of the other
 * @param rows live in the index that is searched, when it began and in the end
 * @param nativeBytes that it held, then
 * @param diskBytes of its file, then
 * @param threads of the process, the most that were seen, without those before the indexes were
 *     made; {@link ProcessResources#UNKNOWN}
 * @param descriptors open in the process, likewise
 * @param failureCount how often something was wrong
 * @param failures the first of these
 * @param unfinished why the writer did not finish, or null
 */
record Outcome(
    String name,
    Map<String, Object> parameters,
    double[] seconds,
    Latencies beside,
    Latencies elsewhere,
    long operations,
    long[] compactions,
    long[] rows,
    long[] nativeBytes,
    long[] diskBytes,
    int threads,
    int descriptors,
    long failureCount,
    List<String> failures,
    @Nullable String unfinished) {
  private static final double SHARE = 0.99;

  double p99Beside() {
    return beside.micros(SHARE);
  }

  double p99Elsewhere() {
    return elsewhere.micros(SHARE);
  }

  /** NaN when either has no search. */
  double ratio() {
    return p99Beside() / p99Elsewhere();
  }
}
