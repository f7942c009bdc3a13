package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.conformance.RecallData.Distribution;
import io.github.panvec.conformance.RecallMeasurement.Sample;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The floors catch what they are for. */
class RecallFloorsTest {
  private static final RecallCell CELL = new RecallCell(Metric.L2, 16, Distribution.CLUSTERED);
  private static final Subject FLAT = new Subject("faiss", "flat", Map.of("type", "flat"));
  private static final Subject HNSW = new Subject("faiss", "hnsw", Map.of("type", "hnsw"));

  static Stream<Subject> graphs() {
    return Stream.of(
        HNSW,
        new Subject("usearch", "f32", Map.of("quantization", "f32")),
        new Subject("hnswlib", "default", Map.of()));
  }

  @ParameterizedTest
  @MethodSource("graphs")
  void aGraphThatIsTooThinIsBelowItsFloor(Subject subject) {
    IndexSpec thin = subject.spec(CELL.dimension(), CELL.metric());
    thin = thin.with("m", 2).with("efConstruction", 4);
    RecallMeasurement measured = RecallMeasurement.of(subject, thin, CELL.data());
    assertThatThrownBy(() -> RecallTest.checkFresh(subject, CELL, measured))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("recall@10 of " + subject + ", L2 16 CLUSTERED");
    assertThatThrownBy(() -> RecallTest.checkReplaced(subject, CELL, measured))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("after every row was replaced");
    assertThatThrownBy(() -> RecallTest.checkFiltered(subject, CELL, measured))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("share 0.5");
  }

  @Test
  void everyCellHasAFloorThoseOfTheNightToo() {
    RecallFloors floors = RecallFloors.committed();
    RecallTest.subjects()
        .forEach(
            subject ->
                RecallCell.of(subject)
                    .forEach(
                        cell ->
                            assertThatCode(
                                    () -> {
                                      floors.of(subject, cell);
                                      if (cell.isFiltered()) {
                                        RecallData.SHARES.forEach(
                                            share -> floors.ofFiltered(subject, cell, share));
                                      }
                                    })
                                .as("%s, %s", subject, cell)
                                .doesNotThrowAnyException()));
  }

  @Test
  void everyMetricMeetsEveryDimensionAndDistributionAlsoWhereKindsAreNotCoveredInFull() {
    Set<List<Object>> pairs = new HashSet<>();
    List<Subject> others =
        RecallTest.subjects()
            .filter(subject -> !subject.isCoveredInFull() && !subject.capabilities().codesOnly())
            .toList();
    for (Subject subject : others) {
      Set<List<Object>> ofThisKind = new HashSet<>();
      for (RecallCell cell : RecallCell.of(subject)) {
        pairs.add(List.of(cell.metric(), cell.dimension(), cell.isDaily(subject)));
        pairs.add(List.of(cell.distribution(), cell.dimension(), cell.isDaily(subject)));
        ofThisKind.add(List.of(cell.metric(), cell.distribution()));
      }
      assertThat(ofThisKind).as(subject.toString()).hasSize(2 * subject.metrics().size());
    }
    assertThat(pairs).hasSize((3 + 2) * 22);
  }

  @Test
  void kindsCoveredInFullHaveEveryCell() {
    assertThat(RecallCell.of(HNSW)).doesNotHaveDuplicates().hasSize(3 * 22 * 2);
    List<RecallCell> daily =
        RecallCell.of(HNSW).stream().filter(cell -> cell.isDaily(HNSW)).toList();
    assertThat(daily).hasSize(3 * 3 * 2 + 2 * 2);
    assertThat(daily.stream().filter(cell -> cell.dimension() >= 384).map(RecallCell::metric))
        .contains(Metric.values());
  }

  @Test
  void aBackendWithoutFloorsIsHeldToTheWeakestGraph() {
    RecallFloors floors =
        new RecallFloors(
            """
            # backend,type,metric,dimension,data,recall,floor,recall_after_replacing,floor_after_replacing
            faiss,hnsw,L2,16,CLUSTERED,0.9,0.8,0.9,0.7
            usearch,f32,L2,16,CLUSTERED,0.9,0.85,0.9,0.6
            usearch,i8,L2,16,CLUSTERED,0.9,0.1,0.9,0.1
            """,
            """
            backend,type,metric,dimension,data,share,recall,floor
            faiss,hnsw,L2,16,CLUSTERED,0.5,0.9,0.8
            usearch,f32,L2,16,CLUSTERED,0.5,0.9,0.7
            usearch,i8,L2,16,CLUSTERED,0.5,0.9,0.1
            """);
    // hnswlib stands for a backend that the table does not know.
    Subject unknown = new Subject("hnswlib", "default", Map.of());
    Subject unknownAndExact = new Subject("sqlite-vec", "default", Map.of());
    assertThat(floors.of(unknown, CELL)).isEqualTo(new RecallFloors.Floor(0.8, 0.6));
    assertThat(floors.of(unknownAndExact, CELL)).isEqualTo(new RecallFloors.Floor(1, 1));
    assertThat(floors.of(HNSW, CELL)).isEqualTo(new RecallFloors.Floor(0.8, 0.7));
    assertThat(floors.ofFiltered(unknown, CELL, 0.5)).isEqualTo(0.7);
    assertThat(floors.ofFiltered(unknownAndExact, CELL, 0.5)).isEqualTo(1);
    assertThat(floors.ofFiltered(HNSW, CELL, 0.5)).isEqualTo(0.8);
    assertThatThrownBy(() -> floors.ofFiltered(HNSW, CELL, 0.1))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("no floor for faiss hnsw, L2 16 CLUSTERED, share 0.1")
        .hasMessageContaining("filter-recall-floors.csv");
    for (Subject withoutLine : List.of(FLAT, unknown)) {
      RecallCell other = new RecallCell(Metric.DOT, 16, Distribution.UNIFORM);
      assertThatThrownBy(() -> floors.of(withoutLine, other))
          .isInstanceOf(AssertionError.class)
          .hasMessageContaining("no floor for " + withoutLine)
          .hasMessageContaining("-Dpanvec.conformance.measureRecall=FILE");
    }
  }

  @Test
  void twoFloorsForACellAreRefused() {
    String line = "faiss,hnsw,L2,16,CLUSTERED,0.9,0.8,0.9,0.7\n";
    assertThatThrownBy(() -> new RecallFloors(line + line, ""))
        .hasMessageContaining("two floors for faiss,hnsw,L2,16,CLUSTERED");
  }

  @Test
  void aFloorIsThreeStandardErrorsBelowTheMean() {
    assertThat(RecallFloors.floor(HNSW, new Sample(0.9, 0.01))).isEqualTo(0.87, within(1e-4));
    assertThat(RecallFloors.floor(HNSW, new Sample(1, 0))).isEqualTo(0.9985, within(1e-9));
    assertThat(RecallFloors.floor(HNSW, new Sample(0.01, 0.1))).isZero();
    assertThat(RecallFloors.floor(FLAT, new Sample(0.98, 0.01))).isEqualTo(1);
  }

  @Test
  void theErrorOfAMeanIsThatOfItsQueriesAndThatOfItsRuns() {
    Sample one = Sample.of(new double[] {1, 0.8, 0.8, 1});
    assertThat(one.mean()).isEqualTo(0.9, within(1e-12));
    // Deviations of 0.1: sqrt(4 * 0.01 / 3 / 4).
    assertThat(one.standardError()).isEqualTo(Math.sqrt(0.01 / 3), within(1e-12));
    Sample both = Sample.of(List.of(new Sample(0.8, 0.03), new Sample(0.9, 0.03)));
    assertThat(both.mean()).isEqualTo(0.85, within(1e-12));
    assertThat(both.standardError()).isEqualTo(Math.sqrt(0.0009 + 0.005), within(1e-12));
  }
}
