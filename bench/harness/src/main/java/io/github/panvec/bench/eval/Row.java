package io.github.panvec.bench.eval;

import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** One line of the table: an index asked in one way. Filled in by {@link Measurement}. */
final class Row {
  /** Rounds whose fastest and slowest differ by more than this factor are marked. */
  private static final double STEADY_FACTOR = 1.2;

  private final Subject subject;
  private final Kind kind;
  private final int efSearch;
  private final List<Double> roundQps = new ArrayList<>();
  private final List<LatencyLog> latencies = new ArrayList<>();
  private @Nullable Recall recall;
  private int cursor;

  /** How the index is asked. */
  enum Kind {
    /** The exact scan of an index that is approximate otherwise. */
    EXACT_SCAN,
    /** An index that is always exact. */
    EXACT,
    /** A walk with some {@code efSearch}. */
    APPROXIMATE
  }

  /**
   * @param efSearch for {@link Kind#APPROXIMATE}
   */
  Row(Subject subject, Kind kind, int efSearch) {
    this.subject = subject;
    this.kind = kind;
    this.efSearch = efSearch;
  }

  Subject subject() {
    return subject;
  }

  Kind kind() {
    return kind;
  }

  int efSearch() {
    return efSearch;
  }

  /** The request over {@code buffer}'s query. */
  SearchRequest request(SearchBuffer buffer, int k) {
    SearchRequest request = SearchRequest.of(buffer.query(), k);
    return switch (kind) {
      case EXACT_SCAN -> request.exact();
      case EXACT -> request;
      case APPROXIMATE -> request.efSearch(efSearch);
    };
  }

  /** For example {@code hnswlib efSearch=64}. */
  String label() {
    return switch (kind) {
      case EXACT_SCAN -> subject.name() + " exact scan";
      case EXACT -> subject.name();
      case APPROXIMATE -> subject.name() + " efSearch=" + efSearch;
    };
  }

  /** The column "parameters". */
  String shownParameters() {
    return switch (kind) {
      case EXACT_SCAN -> "exact scan";
      case EXACT -> ("exact " + subject.shownParameters()).strip();
      case APPROXIMATE -> (subject.shownParameters() + " efSearch=" + efSearch).strip();
    };
  }

  void recall(Recall measured) {
    recall = measured;
  }

  /** Null until it was measured. */
  @Nullable Recall recall() {
    return recall;
  }

  void round(double qps, List<LatencyLog> logs) {
    roundQps.add(qps);
    latencies.addAll(logs);
  }

  List<Double> roundQps() {
    return roundQps;
  }

  /** Queries per second: the median of the rounds. */
  double qps() {
    double[] sorted = roundQps.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    int middle = sorted.length / 2;
    return sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  /** Whether the rounds agree. */
  boolean steady() {
    double[] sorted = roundQps.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    return sorted[sorted.length - 1] <= STEADY_FACTOR * sorted[0];
  }

  /** Every latency in nanoseconds, ascending. */
  long[] sortedLatencies() {
    return LatencyLog.sorted(latencies);
  }

  /** Where the next round begins among the queries, so that a slow row goes on where it stopped. */
  int cursor() {
    return cursor;
  }

  void cursor(int next) {
    cursor = next;
  }

  @Override
  public String toString() {
    return label() + Arrays.toString(roundQps.toArray());
  }
}
