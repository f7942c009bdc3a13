package io.github.panvec.bench.soak;

import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.util.Locale;
import java.util.SplittableRandom;

/** Searches one index all the time, and checks every answer. */
final class Searcher implements Runnable {
  static final int K = 10;

  private final VectorIndex index;
  private final SyntheticRows rows;
  private final Ledger ledger;
  private final Stage stage;
  private final Stage.Activity activity;
  private final Failures failures;
  private final SplittableRandom random;
  private final int startRows;

  /**
   * @param startRows how many ids the index began with
   */
  Searcher(
      VectorIndex index,
      SyntheticRows rows,
      Ledger ledger,
      Stage stage,
      Stage.Activity activity,
      Failures failures,
      long seed,
      int startRows) {
    this.index = index;
    this.rows = rows;
    this.ledger = ledger;
    this.stage = stage;
    this.activity = activity;
    this.failures = failures;
    this.random = new SplittableRandom(seed);
    this.startRows = startRows;
  }

  @Override
  public void run() {
    SearchCheck check = new SearchCheck(rows, ledger);
    float[] query = new float[rows.dimension()];
    SearchBuffer buffer = SearchBuffer.allocate(rows.dimension(), K);
    SearchRequest request = SearchRequest.of(buffer.query(), K);
    for (long number = 1; !stage.isOver(); number++) {
      fill(query, number);
      buffer.setQuery(query);
      Latencies latencies = stage.latencies();
      long before = ledger.beginSearch();
      activity.begin("a search");
      String fault;
      try {
        long start = System.nanoTime();
        index.search(request, buffer);
        latencies.add(System.nanoTime() - start);
        fault = check.fault(buffer, query, K, before, ledger.endSearch());
      } catch (RuntimeException | Error thrown) {
        fault = thrown.toString();
      }
      if (fault != null) {
        failures.add(
            String.format(
                Locale.ROOT, "search %,d, begun after operation %,d: %s", number, before, fault));
      }
    }
  }

  /**
   * Every other query is the row that the writer has touched last: what was just removed, or must
   * just have been found, is nearest to it.
   */
  private void fill(float[] query, long number) {
    if ((number & 1) == 0) {
      long touched = stage.touched();
      rows.fill(Stage.touchedId(touched), Stage.touchedVersion(touched), query);
    } else {
      rows.fill(random.nextInt(startRows), SyntheticRows.QUERY, query);
    }
  }
}
