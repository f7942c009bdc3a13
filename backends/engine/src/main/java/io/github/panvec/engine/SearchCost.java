package io.github.panvec.engine;

/**
 * What an engine's own search costs, counted in float32 rows of an exact scan in the same time: the
 * model behind {@link SlotIndex#searchCost}, with figures from measurement
 * (docs/adr/0016-filter-paths.md).
 */
public final class SearchCost {
  /** Rows for each candidate that a walk over a graph keeps. */
  private static final double ROWS_PER_CANDIDATE = 20;

  /** A walk that sees every node costs so many times a scan of all rows. */
  private static final double WHOLE_GRAPH = 3;

  /** A code that is looked at, as a share of a row. */
  private static final double ROWS_PER_CODE = 0.5;

  /** A slot that the filter refuses, as a share of a row. */
  private static final double ROWS_PER_REFUSED = 0.05;

  private SearchCost() {}

  /**
   * A walk over a graph: one that has to find {@code kept} matches among slots of which a share
   * matches goes on until it has met so many more.
   *
   * @param kept how many candidates it keeps: max(efSearch, k)
   */
  public static double ofGraph(long kept, long candidates, long slotCount) {
    double share = Math.max(candidates, 1) / (double) Math.max(slotCount, 1);
    return Math.min(ROWS_PER_CANDIDATE * kept / share, WHOLE_GRAPH * slotCount);
  }

  /**
   * A look into some of the inverted lists, or through all codes as if they were one list.
   *
   * @param lists how many lists there are, at least 1
   * @param probed how many are looked into
   * @param ranked how many candidates are ranked again by their rows
   */
  public static double ofLists(
      long lists, long probed, long candidates, long slotCount, long ranked) {
    double part = Math.min(1, probed / (double) lists);
    double refused = ROWS_PER_REFUSED * (slotCount - candidates);
    return lists * (lists > 1 ? 1 : 0)
        + part * (ROWS_PER_CODE * candidates + refused)
        + Math.min(ranked, candidates);
  }
}
