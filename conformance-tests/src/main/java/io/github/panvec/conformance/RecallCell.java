package io.github.panvec.conformance;

import io.github.panvec.Metric;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** Data that recall is measured on, and under which metric. */
record RecallCell(Metric metric, int dimension, RecallData.Distribution distribution) {
  private static final List<Integer> DAILY = List.of(2, 16, 100, 384, 1536);

  /**
   * From here on a cell takes ten seconds and more: every day each distribution is measured with
   * one metric, in turn, and with the others every night.
   */
  private static final int LONG_ROWS = 384;

  /** Where filtered searches are measured too. */
  private static final List<Integer> FILTERED = List.of(16, 100);

  /** With codes alone recall is that of the codes, which few cells tell. */
  private static final List<Integer> CODES_ONLY = List.of(16, 384);

  Subject.Shape shape() {
    return new Subject.Shape(metric, dimension);
  }

  RecallData data() {
    return RecallData.of(distribution, dimension);
  }

  /** Whether recall is held: not where parameters serve tests with a handful of rows. */
  static boolean holds(Subject subject) {
    return !subject.parameters().containsKey(Subject.TRAINING_ROWS);
  }

  /**
   * The cells of a kind: every metric, dimension and distribution where it is covered in full, else
   * every dimension once, with metrics and distributions in turn, so that each metric comes with
   * each distribution, and among the kinds with each dimension.
   */
  static List<RecallCell> of(Subject subject) {
    List<RecallCell> cells = new ArrayList<>();
    List<Metric> metrics = subject.metrics();
    List<RecallData.Distribution> distributions = List.of(RecallData.Distribution.values());
    if (subject.isCoveredInFull()) {
      for (Subject.Shape shape : subject.shapes()) {
        for (RecallData.Distribution each : distributions) {
          cells.add(new RecallCell(shape.metric(), shape.dimension(), each));
        }
      }
      return cells;
    }
    int turn = Math.floorMod(subject.toString().hashCode(), metrics.size() * distributions.size());
    for (int dimension : dimensions(subject)) {
      Metric metric = metrics.get(turn % metrics.size());
      cells.add(new RecallCell(metric, dimension, distributions.get(turn % distributions.size())));
      turn++;
    }
    return cells;
  }

  /** Those of every day first: their cells, too, take metrics and distributions in turn. */
  private static List<Integer> dimensions(Subject subject) {
    Set<Integer> dimensions = new LinkedHashSet<>(DAILY);
    if (subject.capabilities().codesOnly()) {
      dimensions.retainAll(CODES_ONLY);
    } else {
      subject.shapes().forEach(shape -> dimensions.add(shape.dimension()));
    }
    return List.copyOf(dimensions);
  }

  /** Whether it is measured in every run of the tests, not every night alone. */
  boolean isDaily(Subject subject) {
    int at = DAILY.indexOf(dimension);
    return at >= 0
        && (dimension < LONG_ROWS
            || !subject.isCoveredInFull()
            || subject.metrics().indexOf(metric)
                == (at + distribution.ordinal()) % subject.metrics().size());
  }

  /** Whether recall of filtered searches is measured in it. */
  boolean isFiltered() {
    return isFiltered(dimension);
  }

  static boolean isFiltered(int dimension) {
    return FILTERED.contains(dimension);
  }

  /** For example {@code L2 100 CLUSTERED}. */
  @Override
  public String toString() {
    return metric + " " + dimension + " " + distribution;
  }
}
