package io.github.panvec.bench.soak;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.conformance.Reference;
import java.util.Arrays;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/**
 * Ids 0 and 1 are written by operation 1. Operation 2 replaces both, operation 3 removes id 0.
 * Where a test says so, more follows.
 */
class SearchCheckTest {
  private static final int DIMENSION = 5;

  private final SyntheticRows rows = new SyntheticRows(3, DIMENSION);
  private final Ledger ledger = new Ledger();
  private final SplittableRandom random = new SplittableRandom(1);
  private final SearchCheck check = new SearchCheck(rows, ledger);
  private final float[] query = new float[DIMENSION];

  SearchCheckTest() {
    rows.fill(0, SyntheticRows.QUERY, query);
    operation();
    write(0);
    write(1);
    operation();
    write(0);
    write(1);
    operation();
    ledger.remove(0);
    ledger.begin();
    ledger.end();
  }

  private void operation() {
    ledger.next();
    ledger.begin();
    ledger.end();
  }

  private void write(int id) {
    ledger.write(id);
  }

  private float distance(int id, int version) {
    float[] row = new float[DIMENSION];
    rows.fill(id, version, row);
    return Reference.distance(Metric.L2, query, row);
  }

  /** The fault of hits given as id and version. */
  private @Nullable String fault(long before, long after, int[]... hits) {
    SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 4);
    for (int[] hit : hits) {
      buffer.insert(hit[0], distance(hit[0], hit[1]), 4);
    }
    return check.fault(buffer, query, hits.length, before, after);
  }

  private static int[] hit(int id, int version) {
    return new int[] {id, version};
  }

  @Test
  void eachStateOfTheTimeIsRight() {
    assertThat(fault(1, 1, hit(0, 0), hit(1, 0))).isNull();
    assertThat(fault(2, 2, hit(0, 1), hit(1, 1))).isNull();
    assertThat(fault(3, 3, hit(1, 1))).isNull();
    assertThat(fault(0, 3, hit(0, 0), hit(1, 0))).isNull();
    assertThat(fault(0, 3, hit(0, 1), hit(1, 1))).isNull();
    assertThat(fault(0, 3, hit(1, 1))).isNull();
  }

  @Test
  void whatWasRemovedBeforeTheSearchBeganIsWrong() {
    assertThat(fault(2, 3, hit(0, 1))).isNull();
    assertThat(fault(3, 3, hit(0, 1))).contains("id 0 at", "was removed by operation 3");
  }

  @Test
  void whatWasReplacedBeforeTheSearchBeganIsWrong() {
    assertThat(fault(1, 2, hit(1, 0))).isNull();
    assertThat(fault(2, 3, hit(1, 0))).contains("is at " + distance(1, 1));
  }

  @Test
  void whatHasNotBegunWhenTheSearchEndsIsWrong() {
    assertThat(fault(1, 1, hit(1, 1))).contains("is at " + distance(1, 0));
    assertThat(fault(0, 0, hit(1, 0))).contains("was never added");
  }

  @Test
  void theNewOneOfTwoRowsAndTheOldOfTheOtherAreOfNoState() {
    assertThat(fault(1, 2, hit(0, 0), hit(1, 1))).contains("more than one state");
    assertThat(fault(1, 2, hit(0, 1), hit(1, 0))).contains("more than one state");
  }

  @Test
  void unknownIdsTooFewHitsAndWrongOrderAreWrong() {
    SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 4);
    buffer.insert(7, 1, 4);
    assertThat(check.fault(buffer, query, 1, 1, 1)).contains("id 7", "was never added");
    assertThat(check.fault(buffer, query, 2, 1, 1)).isEqualTo("1 hits, not 2");
    buffer.insert(7, 1, 4);
    assertThat(check.fault(buffer, query, 2, 1, 1)).contains("was never added");
    SearchBuffer twice = SearchBuffer.allocate(DIMENSION, 4);
    twice.insert(1, distance(1, 1), 4);
    twice.insert(1, distance(1, 1), 4);
    assertThat(check.fault(twice, query, 2, 3, 3)).contains("must not come before");
  }

  @Test
  void anIdThatCameBackIsRightAgainAndItsHistoryIsForgotten() {
    ledger.beginSearch();
    operation();
    write(0);
    assertThat(fault(3, 4, hit(0, 2))).isNull();
    assertThat(fault(4, 4, hit(0, 1))).contains("is at " + distance(0, 2));
    for (int i = 0; i < 100; i++) {
      ledger.beginSearch();
      operation();
      write(0);
    }
    int versions = 0;
    for (Ledger.RowVersion v = ledger.newest(0); v != null; v = v.previous()) {
      versions++;
    }
    assertThat(versions).isLessThanOrEqualTo(3);
  }

  @Test
  void theDistanceIsTheContractsToTheLastBit() {
    for (int dimension : new int[] {1, 2, 7, 8, 9, 100}) {
      SyntheticRows others = new SyntheticRows(random.nextLong(), dimension);
      float[] a = new float[dimension];
      float[] b = new float[dimension];
      for (int id = 0; id < 100; id++) {
        others.fill(id, 0, a);
        others.fill(id, 1, b);
        assertThat(SyntheticRows.distance(a, b, new double[8]))
            .isEqualTo(Reference.distance(Metric.L2, a, b));
      }
    }
  }

  @Test
  void rowsFollowFromSeedIdAndVersionAlone() {
    float[] row = new float[DIMENSION];
    float[] again = new float[DIMENSION];
    rows.fill(12, 3, row);
    new SyntheticRows(3, DIMENSION).fill(12, 3, again);
    assertThat(again).isEqualTo(row);
    rows.fill(12, 4, again);
    assertThat(Arrays.equals(row, again)).isFalse();
    rows.fill(13, 3, again);
    assertThat(Arrays.equals(row, again)).isFalse();
    new SyntheticRows(4, DIMENSION).fill(12, 3, again);
    assertThat(Arrays.equals(row, again)).isFalse();
  }
}
