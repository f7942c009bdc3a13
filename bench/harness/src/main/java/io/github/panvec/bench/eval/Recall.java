package io.github.panvec.bench.eval;

import java.util.List;
import java.util.Locale;

/**
 * Recall@k over queries: the share of the k true neighbours that were found.
 *
 * @param mean mean of the queries' own recalls
 * @param halfWidth half the width of its 95 % interval over queries: 1.96 standard errors of that
 *     mean (normal approximation). It speaks of a population of queries where those asked are a
 *     random sample of it: so the queries that the harness draws itself by a seed, and their first
 *     ones as well when time ended the pass early, because they lie in the order drawn. Queries
 *     from a file are what their maker chose, and their first ones are a sample only if the file is
 *     in random order. 0 when all queries scored the same
 * @param queries how many were asked
 * @param misses neighbours that were not found, over all queries
 */
record Recall(double mean, double halfWidth, int queries, long misses) {
  private static final double Z95 = 1.959963984540054;

  /**
   * From the number of hits of each query.
   *
   * @param k the most hits a query can have
   */
  static Recall of(List<Integer> hits, int k) {
    int n = hits.size();
    if (n == 0) {
      throw new IllegalArgumentException("no query was asked");
    }
    long found = 0;
    for (int h : hits) {
      found += h;
    }
    double mean = (double) found / ((double) n * k);
    double squares = 0;
    for (int h : hits) {
      double deviation = (double) h / k - mean;
      squares += deviation * deviation;
    }
    double halfWidth = n == 1 ? 0 : Z95 * Math.sqrt(squares / (n - 1) / n);
    return new Recall(mean, halfWidth, n, (long) n * k - found);
  }

  /** Whether every true neighbour of every query was found. */
  boolean perfect() {
    return misses == 0;
  }

  /**
   * For example {@code 0.9731 ± 0.0042}. Rounded down, so that only a perfect recall reads 1.0000.
   */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT, "%.4f ± %.4f", Math.floor(mean * 10_000 + 1e-9) / 10_000, halfWidth);
  }
}
