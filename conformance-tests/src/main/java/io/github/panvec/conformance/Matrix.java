package io.github.panvec.conformance;

import io.github.panvec.conformance.Report.CellResult;
import io.github.panvec.conformance.Report.Kind;
import io.github.panvec.conformance.Report.Unsupported;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.stream.Collectors;

/** A report's cells, summed up for people. */
final class Matrix {

  /** What became of a claim for a kind of index, or of all of them. */
  record Sum(int passed, int failed) {
    Sum plus(Sum other) {
      return new Sum(passed + other.passed, failed + other.failed);
    }

    boolean isEmpty() {
      return passed + failed == 0;
    }
  }

  private static final Sum NONE = new Sum(0, 0);

  private final Report report;
  private final Map<String, Sum> byKindAndClaim;
  private final Map<String, String> reasons = new HashMap<>();

  Matrix(Report report) {
    this.report = report;
    this.byKindAndClaim = sums(cell -> cell.kind() + " " + cell.claim());
    for (Unsupported each : report.notSupported()) {
      if (each.metric().isEmpty()) {
        reasons.put(each.backend() + " " + each.type() + " " + each.claim(), each.reason());
      }
    }
  }

  /** Sums by any key. */
  Map<String, Sum> sums(Function<CellResult, String> key) {
    return report.cells().stream()
        .collect(Collectors.toMap(key, cell -> cell.isFailed() ? FAILED : PASSED, Sum::plus));
  }

  private static final Sum PASSED = new Sum(1, 0);
  private static final Sum FAILED = new Sum(0, 1);

  Sum of(Kind kind, String claim) {
    return byKindAndClaim.getOrDefault(kind.name() + " " + claim, NONE);
  }

  /** Why this kind does not keep a claim; empty when the list says nothing. */
  String reason(Kind kind, String claim) {
    return reasons.getOrDefault(kind.name() + " " + claim, "");
  }

  /** How many claims it does not keep, for a listed reason. */
  int unsupported(Kind kind) {
    return (int)
        report.claims().stream()
            .filter(claim -> of(kind, claim.id()).isEmpty())
            .filter(claim -> !reason(kind, claim.id()).isEmpty())
            .count();
  }

  /** How many claims this run has not held it to, without a listed reason. */
  int notRun(Kind kind) {
    return (int)
        report.claims().stream()
            .filter(claim -> of(kind, claim.id()).isEmpty())
            .filter(claim -> reason(kind, claim.id()).isEmpty())
            .count();
  }

  /** The kinds of a backend. */
  List<Kind> kinds(String backend) {
    return report.kinds().stream().filter(kind -> kind.backend().equals(backend)).toList();
  }
}
