package io.github.panvec.bench.soak;

import io.github.panvec.SearchBuffer;
import io.github.panvec.bench.soak.Ledger.RowVersion;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Compares the hits of a search beside a writer with what the index held meanwhile: k hits in
 * order, each of them a row that was live and at its distance to the last bit, and all of them in
 * one and the same state. One thread.
 */
final class SearchCheck {
  private final SyntheticRows rows;
  private final Ledger ledger;
  private final float[] row;
  private final double[] sums = new double[8];

  SearchCheck(SyntheticRows rows, Ledger ledger) {
    this.rows = rows;
    this.ledger = ledger;
    this.row = new float[rows.dimension()];
  }

  /**
   * What is wrong with the hits, or null.
   *
   * @param k how many there must be
   * @param before the last operation that had returned when the search began
   * @param after the last operation that had begun when it ended
   */
  @Nullable String fault(SearchBuffer hits, float[] query, int k, long before, long after) {
    if (hits.count() != k) {
      return hits.count() + " hits, not " + k;
    }
    // The states that have all hits so far.
    long from = before;
    long until = after;
    for (int rank = 0; rank < k; rank++) {
      if (rank > 0 && !areInOrder(hits, rank)) {
        return String.format(
            Locale.ROOT,
            "hit %d (%s) must not come before hit %d (%s)",
            rank - 1,
            describe(hits, rank - 1),
            rank,
            describe(hits, rank));
      }
      RowVersion seen = seen(hits.id(rank), hits.distance(rank), query, before, after);
      if (seen == null) {
        return String.format(
            Locale.ROOT,
            "hit %d (%s) %s",
            rank,
            describe(hits, rank),
            whatItIs(hits.id(rank), query, before, after));
      }
      from = Math.max(from, seen.born());
      until = Math.min(until, seen.died() - 1);
    }
    return from <= until ? null : "its hits are of more than one state of the index";
  }

  private static boolean areInOrder(SearchBuffer hits, int rank) {
    float one = hits.distance(rank - 1);
    float next = hits.distance(rank);
    return one < next || (one == next && hits.id(rank - 1) < hits.id(rank));
  }

  private static String describe(SearchBuffer hits, int rank) {
    return "id " + hits.id(rank) + " at " + hits.distance(rank);
  }

  /** The version with this distance that was live in one of the states. */
  private @Nullable RowVersion seen(
      long id, float distance, float[] query, long before, long after) {
    for (RowVersion version = ledger.newest(id); version != null; version = version.previous()) {
      if (version.born() <= after
          && version.died() > before
          && Float.floatToRawIntBits(distance)
              == Float.floatToRawIntBits(distance(id, version, query))) {
        return version;
      }
    }
    return null;
  }

  private float distance(long id, RowVersion version, float[] query) {
    rows.fill(id, version.number(), row);
    return SyntheticRows.distance(query, row, sums);
  }

  private String whatItIs(long id, float[] query, long before, long after) {
    RowVersion version = ledger.newest(id);
    while (version != null && version.born() > after) {
      version = version.previous();
    }
    if (version == null) {
      return "was never added";
    }
    if (version.died() <= before) {
      return "was removed by operation "
          + version.died()
          + ", which had returned before the search began";
    }
    return "is at " + distance(id, version, query);
  }
}
