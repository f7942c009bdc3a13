package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.conformance.Report.TestOutcome;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ComparisonTest {

  private static List<String> differences(Report a, Report b) {
    return Comparison.of("a", a, "b", b).differences();
  }

  @Test
  void reportsThatAreAlikeHaveNoDifference() {
    Comparison comparison = Comparison.of("a", Reports.passed(), "b", Reports.passed());
    assertThat(comparison.alike()).isTrue();
    assertThat(comparison.facts())
        .hasSize(2)
        .allSatisfy(fact -> assertThat(fact).contains("amd64"));
  }

  @Test
  void aCellThatFailedOnOneSideIsADifferenceAndItsMessageIsNot() {
    Report failed = Reports.with(List.of(Reports.FLAT, failing("was 7")));
    assertThat(differences(Reports.passed(), failed))
        .containsExactly("toy pq codes only DOT 8 codes.writes: passed in a, failed in b");
    assertThat(differences(failed, Reports.with(List.of(Reports.FLAT, failing("was 8")))))
        .isEmpty();
  }

  private static Report.CellResult failing(String failure) {
    return Reports.cell("pq codes only", "DOT", 8, "codes.writes", failure);
  }

  @Test
  void aCellThatOnlyOneSideHasIsADifference() {
    Report less = Reports.with(List.of(Reports.FLAT));
    assertThat(differences(less, Reports.passed()))
        .containsExactly("toy pq codes only DOT 8 codes.writes: absent in a, passed in b");
    assertThat(differences(Reports.passed(), less)).hasSize(1);
  }

  @Test
  void fingerprintsAreCompared() {
    Report other =
        Reports.with(List.of(Reports.FLAT, Reports.CODES), Map.of("toy flat L2", "bb"), "");
    assertThat(differences(Reports.passed(), other))
        .contains("fingerprint L2: aa in a, bb in b")
        .hasSize(2);
    Report none = Reports.with(List.of(Reports.FLAT, Reports.CODES), Map.of(), "");
    assertThat(differences(none, Reports.passed()))
        .contains("fingerprint L2: absent in a, aa in b")
        .hasSize(2);
  }

  @Test
  void aBackendThatLoadsOnOneSideOnlyAndATestThatFailedWithoutACellAreDifferences() {
    Report broken =
        Reports.with(
            List.of(Reports.FLAT, Reports.CODES),
            Map.of("toy flat L2", "aa"),
            "no library",
            new TestOutcome("ToyTest.early", "toy flat", TestOutcome.FAILED, "boom"));
    assertThat(differences(Reports.passed(), broken))
        .containsExactly(
            "backend toy: 1.0 in a, 1.0, which does not load in b",
            "test ToyTest.early, toy flat: not failed in a, failed in b");
  }
}
