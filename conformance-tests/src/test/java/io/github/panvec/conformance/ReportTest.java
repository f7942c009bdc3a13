package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.conformance.Report.FingerprintSummary;
import io.github.panvec.conformance.Report.TestOutcome;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReportTest {
  @TempDir Path folder;

  private Path written(Report report) throws IOException {
    ReportFiles.write(report, folder);
    return folder.resolve("conformance.json");
  }

  private String text(String name) throws IOException {
    return Files.readString(folder.resolve(name));
  }

  @Test
  void aReportIsReadAsItWasWritten() throws IOException {
    Report report =
        Reports.with(
            List.of(Reports.FLAT, Reports.cell("flat", "L2", 8, "codes.writes", "was \"7\"\n½")),
            new TestOutcome("ToyTest.behaves", "toy flat", TestOutcome.FAILED, "was 7"));
    assertThat(ReportFiles.read(written(report))).isEqualTo(report);
  }

  @Test
  void aCellTakesALine() throws IOException {
    Path json = written(Reports.passed());
    assertThat(Files.readAllLines(json))
        .filteredOn(line -> line.contains("claim\":\"e"))
        .hasSize(2);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{|not a conformance report",
        "''|it has no \"format\"",
        "[]|it has no \"format\"",
        "{\"format\": 2}|a report of format 2; this program reads format 1",
        "{\"format\": 1}|Missing creator property"
      })
  void whatIsNoReportIsRefusedNamingTheFile(String text, String message) throws IOException {
    Path file = Files.writeString(folder.resolve("x.json"), text);
    assertThatThrownBy(() -> ReportFiles.read(file))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith(file + ": ")
        .hasMessageContaining(message);
  }

  @Test
  void aCutOffOrHollowReportIsRefused() throws IOException {
    String whole = Files.readString(written(Reports.passed()));
    for (String damaged :
        List.of(
            whole.substring(0, whole.length() / 2),
            whole.replace("\"dimension\":3", "\"dimension\":null"),
            whole.replace("\"failure\":\"\"", "\"failure\":null"),
            whole.replace("\"failure\":\"\"", "\"failure\":\"\",\"more\":1"),
            whole + "{}")) {
      assertThat(damaged).isNotEqualTo(whole);
      Path file = Files.writeString(folder.resolve("x.json"), damaged);
      assertThatThrownBy(() -> ReportFiles.read(file))
          .isInstanceOf(IOException.class)
          .hasMessageStartingWith(file + ": not a conformance report");
    }
  }

  @Test
  void aFileThatIsNotThereAndAFolderAreRefused() {
    Path nowhere = folder.resolve("nowhere.json");
    assertThatThrownBy(() -> ReportFiles.read(nowhere)).hasMessage(nowhere + ": no such file");
    assertThatThrownBy(() -> ReportFiles.read(folder)).hasMessageContaining("is a folder");
  }

  @Test
  void markdownHasFailuresInFullAndReasonsAndCounts() throws IOException {
    written(
        Reports.with(
            List.of(
                Reports.FLAT, Reports.cell("flat", "L2", 8, "exact.bit-for-bit", "was | 7\nof"))));
    assertThat(text("conformance.md"))
        .contains("**Not passed.**")
        .contains("| toy | 1.0 | avx2 | 2 | 1 | 1 |")
        .contains("| toy flat | L2 | 1 | 1 | 0 | 2 |")
        .contains("- toy flat L2 8 exact.bit-for-bit: was | 7 of")
        .contains("| `exact.bit-for-bit` | **1 of 2 failed** | n/s |")
        .contains("| DOT | toy flat | flat knows no DOT |")
        .contains("| exact.bit-for-bit | toy pq codes only | keeps no vectors |")
        .contains("- `ids.all`: waits for `io.github.panvec.VectorIndex#ids`")
        .contains("a CPU, 2 cores")
        .contains(FingerprintSummary.combined(Map.of("L2", "aa")));
  }

  @Test
  void htmlIsAWholePageWhateverAFailureSays() throws Exception {
    written(
        Reports.with(
            List.of(
                Reports.FLAT,
                Reports.cell("flat", "L2", 8, "codes.writes", "<b & \"c\"</title>"))));
    String html = text("conformance.html");
    assertThat(html).contains("writes &lt;well&gt;", "&lt;b &amp; &quot;c&quot;&lt;/title&gt;");
    // No element is left open: the page is well-formed but for what HTML leaves out.
    String xml =
        html.replace("<!doctype html>", "")
            .replace("<meta charset=\"utf-8\">", "")
            .replaceAll("<td class=(\\w)", "<td class=\"$1\"");
    DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new ByteArrayInputStream(xml.getBytes(StandardCharsets.UTF_8)));
  }

  @Test
  void aRunPassesOnlyWhenSomethingRanAndNothingFailed() {
    assertThat(Reports.passed().problems()).isEmpty();
    assertThat(Reports.with(List.of()).problems()).containsExactly("no cell was executed");
    assertThat(Reports.with(List.of(Reports.cell("flat", "L2", 3, "x.y", "was 7"))).problems())
        .containsExactly("toy flat L2 3 x.y: was 7");
    assertThat(Reports.with(List.of(Reports.FLAT), Map.of(), "no library").problems())
        .containsExactly("toy: no library");
    assertThat(
            Reports.with(List.of(Reports.FLAT), Map.of("toy flat L2", "aa", "toy pq L2", "bb"), "")
                .problems())
        .containsExactly("fingerprints differ under L2: aa toy flat; bb toy pq");
  }

  @Test
  void aTestThatFailedBeforeItCameToACellIsAProblem() {
    TestOutcome early = new TestOutcome("ToyTest.early", "toy flat", TestOutcome.FAILED, "boom");
    TestOutcome skipped = new TestOutcome("ToyTest.not", "toy flat", TestOutcome.SKIPPED, "no L2");
    assertThat(Reports.with(List.of(Reports.FLAT), early, skipped).problems())
        .containsExactly("ToyTest.early, toy flat: boom");
    // One that its cell tells of is not told twice.
    TestOutcome told = new TestOutcome("ToyTest.behaves [1]", "toy flat", TestOutcome.FAILED, "x");
    assertThat(Reports.with(List.of(Reports.cell("flat", "L2", 3, "x.y", "x")), told).problems())
        .containsExactly("toy flat L2 3 x.y: x");
  }

  @Test
  void whatIsListedAsNotSupportedMustNotRun() {
    assertThat(
            Reports.with(
                    List.of(
                        Reports.cell("flat", "DOT", 3, "ids.all", ""),
                        Reports.cell("pq codes only", "L2", 3, "exact.bit-for-bit", "")))
                .problems())
        .containsExactly(
            "listed as not supported, but run: toy flat DOT 3 ids.all",
            "listed as not supported, but run: toy pq codes only L2 3 exact.bit-for-bit");
  }

  @Test
  void aClaimThatAKindWasNotHeldToNeedsAReason() {
    Report report = Reports.passed();
    assertThat(gaps(report, report.cells(), Set.of()))
        .containsExactly("toy flat: no test held it to codes.writes");
    assertThat(gaps(report, report.cells(), Set.of("codes.writes"))).isEmpty();
    assertThat(gaps(report, List.of(Reports.FLAT), Set.of()))
        .containsExactly(
            "toy flat: no test held it to codes.writes",
            "toy pq codes only: no test held it to codes.writes");
    assertThat(gaps(report, List.of(Reports.CODES), Set.of()))
        .containsExactly("toy flat: no test held it to exact.bit-for-bit, codes.writes");
  }

  private static List<String> gaps(
      Report report, List<Report.CellResult> cells, Set<String> perProcess) {
    return Completeness.gaps(
            report.kinds(), report.claims(), cells, report.notSupported(), perProcess)
        .stream()
        .peek(gap -> assertThat(gap.isFailed()).isTrue())
        .map(gap -> gap.kind() + ": " + gap.message().replaceAll(", and no line of .*", ""))
        .toList();
  }

  @Test
  void onlyARunOfEveryTestIsWhole() {
    List<TestOutcome> all = new ArrayList<>();
    for (Class<?> type : Conformance.suite()) {
      for (Method method : type.getDeclaredMethods()) {
        String name = type.getSimpleName() + "." + method.getName() + " [1] metric=L2";
        all.add(new TestOutcome(name, "a kind", TestOutcome.PASSED, ""));
      }
    }
    assertThat(Completeness.isWhole(all)).isTrue();
    all.removeIf(outcome -> outcome.test().startsWith("IdTest.anyLongIsAnId"));
    assertThat(Completeness.isWhole(all)).isFalse();
    assertThat(Completeness.isWhole(List.of())).isFalse();
  }

  @Test
  void claimsThatMakeNoCellAreJustThoseThatTheSuiteHasNoTestOf() throws Exception {
    Set<String> without = new TreeSet<>(ContractDocument.claims().keySet());
    without.removeAll(ContractDocument.pending().keySet());
    for (Class<?> type : Conformance.suite()) {
      without.removeAll(claims(type));
    }
    Map<String, String> perProcess = ContractDocument.perProcess();
    assertThat(without).containsExactlyInAnyOrderElementsOf(perProcess.keySet());
    for (Map.Entry<String, String> each : perProcess.entrySet()) {
      assertThat(claims(Class.forName(each.getValue()))).contains(each.getKey());
    }
  }

  private static Set<String> claims(Class<?> type) {
    Set<String> claims = new TreeSet<>();
    for (Method method : type.getDeclaredMethods()) {
      Contract contract = method.getAnnotation(Contract.class);
      if (contract != null) {
        claims.addAll(List.of(contract.value()));
      }
    }
    return claims;
  }

  @Test
  void oneFingerprintStandsForAllKindsUnderAllMetrics() {
    FingerprintSummary one =
        FingerprintSummary.of(Map.of("a b L2", "aa", "c L2", "aa", "c DOT", "bb"));
    assertThat(one.kinds()).isEqualTo(2);
    assertThat(one.differing()).isEmpty();
    assertThat(one.value())
        .isEqualTo(FingerprintSummary.of(Map.of("z L2", "aa", "y DOT", "bb")).value())
        .isNotEqualTo(FingerprintSummary.of(Map.of("z L2", "bb", "y DOT", "aa")).value())
        .hasSize(64);
    assertThat(FingerprintSummary.of(Map.of("a L2", "aa")).value())
        .isNotEqualTo(FingerprintSummary.of(Map.of("a DOT", "aa")).value());
    assertThat(FingerprintSummary.of(Map.of()).value()).isEmpty();
    FingerprintSummary two =
        FingerprintSummary.of(Map.of("a L2", "aa", "b L2", "ab", "b DOT", "c"));
    assertThat(two.value()).isEmpty();
    assertThat(two.byMetric()).containsOnly(Map.entry("DOT", "c"));
  }
}
