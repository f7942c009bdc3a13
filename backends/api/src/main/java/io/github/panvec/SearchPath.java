package io.github.panvec;

/** How a search came to its hits. */
public enum SearchPath {
  /** The engine's own approximate search: a walk over a graph, or through the nearest lists. */
  WALK,
  /** A scan of all rows that are live and match. */
  SCAN,
  /** A walk that found fewer than there are, and a scan to complete it. */
  WALK_THEN_SCAN
}
