package io.github.panvec.bench.eval;

import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.bench.data.VectorSet;
import org.jspecify.annotations.Nullable;

/**
 * Counts hits, safe against ties: a returned id is a hit when its true distance, computed here in
 * double from the dataset (see {@link TrueDistance}), is at most d + 1e-6·|d|, d being the true
 * distance of the k-th neighbour; under COSINE at least d + the rounding of the sums themselves,
 * about 1e-14. The distance that the backend reported plays no part in that; it is checked by
 * itself.
 */
final class Scorer {
  private static final double TOLERANCE = 1e-6;

  private final Metric metric;
  private final VectorSet base;
  private final VectorSet queries;
  private final GroundTruth truth;

  Scorer(Metric metric, VectorSet base, VectorSet queries, GroundTruth truth) {
    this.metric = metric;
    this.base = base;
    this.queries = queries;
    this.truth = truth;
  }

  /**
   * Hits among the first {@code count} of {@code ids}.
   *
   * @throws WrongAnswerException when an id was never added, comes twice, or there are more or
   *     fewer than k
   */
  int hits(int query, long[] ids, int count) {
    if (count != truth.k()) {
      throw new WrongAnswerException(
          "query " + query + ": " + count + " hits came back, not " + truth.k());
    }
    float[] asked = queries.row(query);
    TrueDistance.asStored(metric, asked);
    float[] row = new float[base.dimension()];
    double kth = truth.kth(query);
    double limit =
        kth + Math.max(TOLERANCE * Math.abs(kth), TrueDistance.rounding(metric, base.dimension()));
    int hits = 0;
    for (int i = 0; i < count; i++) {
      if (ids[i] < 0 || ids[i] >= base.rows()) {
        throw new WrongAnswerException(
            "query " + query + ": id " + ids[i] + " came back, which was never added");
      }
      for (int j = 0; j < i; j++) {
        if (ids[j] == ids[i]) {
          throw new WrongAnswerException("query " + query + ": id " + ids[i] + " came back twice");
        }
      }
      base.copyRow((int) ids[i], row, 0);
      TrueDistance.asStored(metric, row);
      if (TrueDistance.of(metric, asked, row) <= limit) {
        hits++;
      }
    }
    return hits;
  }

  /**
   * The first hit whose distance is not, to the last bit, the contract's distance of that query and
   * row, which is also what exact search reports: query, id and both distances in words. Null when
   * there is none.
   */
  @Nullable String wrongDistance(int query, SearchBuffer buffer) {
    float[] asked = queries.row(query);
    TrueDistance.asStored(metric, asked);
    float[] row = new float[base.dimension()];
    for (int rank = 0; rank < buffer.count(); rank++) {
      base.copyRow((int) buffer.id(rank), row, 0);
      TrueDistance.asStored(metric, row);
      float wanted = Reference.distance(metric, asked, row);
      if (Float.floatToRawIntBits(wanted) != Float.floatToRawIntBits(buffer.distance(rank))) {
        return "query "
            + query
            + ": id "
            + buffer.id(rank)
            + " came back at "
            + ExactAnswers.bits(buffer.distance(rank))
            + ", but exact search has it at "
            + ExactAnswers.bits(wanted);
      }
    }
    return null;
  }

  /** A backend answered what no index may answer. */
  static final class WrongAnswerException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    WrongAnswerException(String message) {
      super(message);
    }
  }
}
