package io.github.panvec.engine;

import org.jspecify.annotations.Nullable;

/**
 * What an engine's own search costs, counted in float32 rows of an exact scan in the same time: the
 * model behind {@link SlotIndex#searchCost}, with figures from measurement
 * (docs/adr/0016-filter-paths.md).
 */
public final class SearchCost {
  /** Without a filter, all of it: the kind of index that was chosen answers, but for few rows. */
  private static final double ROWS_UNFILTERED = 20;

  /** A candidate that a walk over a graph keeps: its neighbours are that many rows to read. */
  private static final double ROWS_PER_CANDIDATE = 14;

  /** And that many components' worth of time to come by them. */
  private static final double COMPONENTS_PER_CANDIDATE = 7000;

  /** Rows with fewer components are not scanned quicker. */
  private static final int LEAST_COMPONENTS = 64;

  /** Codes that no filter is asked about, and lists of them. */
  private static final Codes UNFILTERED = new Codes(0.5, 0.05, 0);

  /** An inverted list whose centroid is compared with the query. */
  private static final double ROWS_PER_LIST = 3;

  private SearchCost() {}

  /**
   * What it costs to look through codes of one kind, in rows.
   *
   * @param perCode a code that passes the filter
   * @param perRefused one that does not
   * @param perProbe a list that is looked into, beside its codes: tables of distances
   */
  public record Codes(double perCode, double perRefused, double perProbe) {}

  /**
   * A walk over a graph: one that has to find {@code kept} matches among slots of which a share
   * matches goes on until it has met so many more.
   *
   * @param kept how many candidates it keeps: max(efSearch, k)
   */
  public static double ofGraph(
      int dimension, long kept, boolean filtered, long candidates, long slotCount) {
    double share = Math.max(candidates, 1) / (double) Math.max(slotCount, 1);
    double each =
        filtered
            ? ROWS_PER_CANDIDATE + COMPONENTS_PER_CANDIDATE / Math.max(dimension, LEAST_COMPONENTS)
            : ROWS_UNFILTERED;
    return each * kept / share;
  }

  /**
   * A look into some of the inverted lists, or through all codes as if they were one list.
   *
   * @param filtered what codes cost with a filter; null without one
   * @param lists how many lists there are, at least 1
   * @param probed how many are looked into
   * @param ranked how many candidates are ranked again by their rows
   */
  public static double ofLists(
      @Nullable Codes filtered,
      long lists,
      long probed,
      long candidates,
      long slotCount,
      long ranked) {
    Codes codes = filtered == null ? UNFILTERED : filtered;
    double perList = filtered == null ? 1 : ROWS_PER_LIST;
    double part = Math.min(1, probed / (double) lists);
    double refused = codes.perRefused * (slotCount - candidates);
    return (lists > 1 ? perList * lists : 0)
        + codes.perProbe * probed
        + part * (codes.perCode * candidates + refused)
        + Math.min(ranked, candidates);
  }
}
