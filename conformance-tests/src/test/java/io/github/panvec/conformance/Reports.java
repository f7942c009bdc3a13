package io.github.panvec.conformance;

import io.github.panvec.conformance.Report.CellResult;
import io.github.panvec.conformance.Report.Claim;
import io.github.panvec.conformance.Report.Engine;
import io.github.panvec.conformance.Report.FingerprintSummary;
import io.github.panvec.conformance.Report.Kind;
import io.github.panvec.conformance.Report.TestOutcome;
import io.github.panvec.conformance.Report.Unsupported;
import java.util.List;
import java.util.Map;

/** Made-up reports. */
final class Reports {
  static final CellResult FLAT = cell("flat", "L2", 3, "exact.bit-for-bit", "");
  static final CellResult CODES = cell("pq codes only", "DOT", 8, "codes.writes", "");

  private Reports() {}

  static CellResult cell(String type, String metric, int dimension, String claim, String failure) {
    return new CellResult(
        "toy",
        type,
        metric,
        dimension,
        claim,
        failure.isEmpty() ? TestOutcome.PASSED : TestOutcome.FAILED,
        List.of("ToyTest.behaves"),
        failure);
  }

  /** One that passed. */
  static Report passed() {
    return with(List.of(FLAT, CODES));
  }

  static Report with(List<CellResult> cells, TestOutcome... tests) {
    return with(cells, Map.of("toy flat L2", "aa", "toy pq L2", "aa"), "", tests);
  }

  static Report with(
      List<CellResult> cells,
      Map<String, String> fingerprints,
      String problem,
      TestOutcome... tests) {
    return new Report(
        Report.FORMAT,
        "2026-11-21T00:00:00Z",
        1.5,
        7,
        new Machine("Linux 6", "amd64", "a CPU", 2, "a JVM 25"),
        List.of(new Engine("toy", "1.0", "avx2", problem)),
        List.of(
            new Kind("toy", "flat", List.of("L2"), false),
            new Kind("toy", "pq codes only", List.of("L2", "DOT"), true)),
        List.of(
            new Claim("exact.bit-for-bit", "is exact", ""),
            new Claim("codes.writes", "writes <well> | often", ""),
            new Claim("ids.all", "lists ids", "io.github.panvec.VectorIndex#ids")),
        FingerprintSummary.of(fingerprints),
        List.of(
            new Unsupported("toy", "flat", "DOT", "", "flat knows no DOT"),
            new Unsupported("toy", "pq codes only", "", "exact.bit-for-bit", "keeps no vectors")),
        List.of(tests),
        2,
        cells);
  }
}
