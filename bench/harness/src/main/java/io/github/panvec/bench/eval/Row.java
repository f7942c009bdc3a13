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
  private final Effort effort;
  private final List<Double> roundQps = new ArrayList<>();
  private final List<LatencyLog> latencies = new ArrayList<>();
  private @Nullable Recall recall;
  private long distancesChecked;
  private @Nullable String wrongDistance;
  private int cursor;

  /** How the index is asked. */
  enum Kind {
    /** The exact scan of an index that is approximate otherwise. */
    EXACT_SCAN,
    /** An index that is always exact. */
    EXACT,
    /** A search that may miss a neighbour. */
    APPROXIMATE
  }

  Row(Subject subject, Kind kind) {
    this(subject, kind, Effort.DEFAULT);
  }

  /**
   * @param effort for {@link Kind#APPROXIMATE}
   */
  Row(Subject subject, Kind kind, Effort effort) {
    this.subject = subject;
    this.kind = kind;
    this.effort = effort;
  }

  Subject subject() {
    return subject;
  }

  Kind kind() {
    return kind;
  }

  Effort effort() {
    return effort;
  }

  /** The request over {@code buffer}'s query. */
  SearchRequest request(SearchBuffer buffer, int k) {
    return request(SearchRequest.of(buffer.query(), k));
  }

  /** Asked as this row asks. */
  SearchRequest request(SearchRequest request) {
    return switch (kind) {
      case EXACT_SCAN -> request.exact();
      case EXACT -> request;
      case APPROXIMATE -> effort.apply(request);
    };
  }

  /** For example {@code hnswlib efSearch=64}. */
  String label() {
    return switch (kind) {
      case EXACT_SCAN -> subject.name() + " exact scan";
      case EXACT -> subject.name();
      case APPROXIMATE -> (subject.name() + " " + effort).strip();
    };
  }

  /** The column "parameters". */
  String shownParameters() {
    return switch (kind) {
      case EXACT_SCAN -> "exact scan";
      case EXACT -> ("exact " + subject.shownParameters()).strip();
      case APPROXIMATE ->
          subject.untrained() ? "untrained" : (subject.shownParameters() + " " + effort).strip();
    };
  }

  void recall(Recall measured) {
    recall = measured;
  }

  /** Null until it was measured. */
  @Nullable Recall recall() {
    return recall;
  }

  /**
   * @param checked how many distances of hits were held against those of exact search
   * @param wrong the first that was not equal to the bit, in words, or null
   */
  void distances(long checked, @Nullable String wrong) {
    distancesChecked = checked;
    wrongDistance = wrong;
  }

  /** How many distances of hits were held against those of exact search; 0 for codes only. */
  long distancesChecked() {
    return distancesChecked;
  }

  /** The first distance that is not that of exact search, in words; null when there is none. */
  @Nullable String wrongDistance() {
    return wrongDistance;
  }

  /** Recall for each MiB of native memory; null when the index holds none. */
  @Nullable Double recallPerMiB() {
    long bytes = subject.nativeBytes();
    return recall == null || bytes <= 0 ? null : recall.mean() / (bytes / (double) (1 << 20));
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
