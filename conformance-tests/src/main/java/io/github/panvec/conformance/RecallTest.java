package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import io.github.panvec.IndexSpec;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * How many of the true neighbours default parameters find.
 *
 * <p>{@code -Dpanvec.conformance.measureRecall=FILE} writes a line of {@code recall-floors.csv} for
 * each cell in place of the check, from {@code -Dpanvec.conformance.recallRuns} runs (3).
 */
class RecallTest extends ConformanceTest {
  private static final RecallFloors FLOORS = RecallFloors.committed();

  /** Both claims are measured on one index; an instance of this class serves many subjects. */
  private final Map<Subject, Map<RecallCell, RecallMeasurement>> measured = new HashMap<>();

  static Stream<Subject> subjects() {
    return Subjects.all().stream().filter(RecallCell::holds).filter(RecallTest::hasFloors);
  }

  /** What codes lose is held for the kinds here alone. */
  private static boolean hasFloors(Subject subject) {
    return !subject.capabilities().codesOnly()
        || isMeasuring()
        || FLOORS.isKnown(subject.backend());
  }

  final List<RecallCell> cells() {
    return RecallCell.of(subject).stream().filter(cell -> cell.isDaily(subject)).toList();
  }

  final List<RecallCell> filteredCells() {
    return cells().stream().filter(RecallCell::isFiltered).toList();
  }

  final List<RecallCell> nightlyCells() {
    return RecallCell.of(subject).stream().filter(cell -> !cell.isDaily(subject)).toList();
  }

  @Contract("search.recall")
  @ParameterizedTest
  @MethodSource("cells")
  void recallIsAboveItsFloor(RecallCell cell) {
    assertFresh(cell);
  }

  @Contract("search.recall-after-replacing")
  @ParameterizedTest
  @MethodSource("cells")
  void recallIsAboveItsFloorAfterEveryRowWasReplaced(RecallCell cell) {
    assertReplaced(cell);
  }

  @Contract("filter.recall")
  @ParameterizedTest
  @MethodSource("filteredCells")
  void filteredRecallIsAboveItsFloor(RecallCell cell) {
    checkFiltered(subject, cell, measurement(cell));
  }

  @Contract("search.recall")
  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("nightlyCells")
  @Tag("nightly")
  void recallIsAboveItsFloorInEveryOtherDimension(RecallCell cell) {
    assertFresh(cell);
  }

  @Contract("search.recall-after-replacing")
  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("nightlyCells")
  @Tag("nightly")
  void recallIsAboveItsFloorInEveryOtherDimensionAfterEveryRowWasReplaced(RecallCell cell) {
    assertReplaced(cell);
  }

  private void assertFresh(RecallCell cell) {
    checkFresh(subject, cell, measurement(cell));
  }

  private void assertReplaced(RecallCell cell) {
    checkReplaced(subject, cell, measurement(cell));
  }

  /** The check itself, of any index that claims to be of this kind. */
  static void checkFresh(Subject subject, RecallCell cell, RecallMeasurement measurement) {
    check(subject, cell, measurement.fresh(), FLOORS.of(subject, cell).fresh(), "");
  }

  /** The check itself after every row was replaced. */
  static void checkReplaced(Subject subject, RecallCell cell, RecallMeasurement measurement) {
    double floor = FLOORS.of(subject, cell).replaced();
    check(subject, cell, measurement.replaced(), floor, " after every row was replaced");
  }

  /** The check itself of filtered searches. */
  static void checkFiltered(Subject subject, RecallCell cell, RecallMeasurement measurement) {
    RecallData.SHARES.forEach(
        share ->
            check(
                subject,
                cell,
                measurement.filtered().get(share),
                FLOORS.ofFiltered(subject, cell, share),
                ", share " + share));
  }

  private static void check(
      Subject subject,
      RecallCell cell,
      RecallMeasurement.Sample sample,
      double floor,
      String when) {
    assertThat(sample.mean())
        .as("recall@%d of %s, %s%s", RecallData.K, subject, cell, when)
        .isGreaterThanOrEqualTo(floor);
  }

  private RecallMeasurement measurement(RecallCell cell) {
    // Also the test that finds it measured is one of this cell.
    CellLog.touch(cell.shape());
    RecallMeasurement measurement =
        measured
            .computeIfAbsent(subject, any -> new HashMap<>())
            .computeIfAbsent(cell, this::measure);
    assumeFalse(isMeasuring(), "measured in place of a check");
    return measurement;
  }

  private RecallMeasurement measure(RecallCell cell) {
    IndexSpec spec = spec(cell.dimension(), cell.metric());
    if (!isMeasuring()) {
      return RecallMeasurement.of(subject, spec, cell.data());
    }
    int runs = subject.capabilities().approximate() ? Integer.getInteger(RecallFloors.RUNS, 3) : 1;
    RecallMeasurement mean =
        RecallMeasurement.of(
            Stream.generate(() -> RecallMeasurement.of(subject, spec, cell.data()))
                .limit(runs)
                .toList());
    RecallFloors.append(RecallFloors.measuring().orElseThrow(), subject, cell, mean);
    return mean;
  }

  private static boolean isMeasuring() {
    return RecallFloors.measuring().isPresent();
  }
}
