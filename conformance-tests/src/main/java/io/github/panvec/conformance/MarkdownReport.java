package io.github.panvec.conformance;

import io.github.panvec.conformance.Report.CellResult;
import io.github.panvec.conformance.Report.Claim;
import io.github.panvec.conformance.Report.Engine;
import io.github.panvec.conformance.Report.Kind;
import io.github.panvec.conformance.Report.TestOutcome;
import io.github.panvec.conformance.Report.Unsupported;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** A report as {@code conformance.md}. */
final class MarkdownReport {
  private final Report report;
  private final Matrix matrix;
  private final StringBuilder text = new StringBuilder();

  MarkdownReport(Report report) {
    this.report = report;
    this.matrix = new Matrix(report);
  }

  String text() {
    line("# Conformance");
    line("");
    line("%s", report.passed() ? "Passed." : "**Not passed.**");
    line("");
    summary();
    backends();
    kinds();
    problems();
    for (Engine backend : report.backends()) {
      claims(backend);
    }
    notSupported();
    notRun();
    return text.toString();
  }

  private void summary() {
    Machine machine = report.machine();
    row("", "");
    row("---", "---");
    row("machine", machine.os() + ", " + machine.arch());
    row("CPU", machine.cpu() + ", " + machine.cores() + " cores");
    row("JDK", machine.jdk());
    row("began", report.began() + ", took " + Math.round(report.seconds()) + " s");
    row("seed", "" + report.seed());
    row(
        "tests",
        "%d passed, %d failed, %d skipped"
            .formatted(
                report.testsPassed(),
                report.failedTests().size(),
                report.tests().size() - report.failedTests().size()));
    row(
        "cells",
        "%d, %d of them failed".formatted(report.cells().size(), report.failedCells().size()));
    row("fingerprint", fingerprint());
    line("");
  }

  private String fingerprint() {
    Report.FingerprintSummary found = report.fingerprint();
    if (!found.differing().isEmpty()) {
      return "**differs**: " + String.join("; ", found.differing());
    }
    return found.value().isEmpty()
        ? "not asked for"
        : "`%s`, one for %d kinds of index under %s"
            .formatted(found.value(), found.kinds(), String.join(", ", found.byMetric().keySet()));
  }

  private void backends() {
    line("## Backends");
    line("");
    row("backend", "version", "SIMD", "kinds of index", "cells passed", "cells failed");
    row("---", "---", "---", "--:", "--:", "--:");
    Map<String, Matrix.Sum> sums = matrix.sums(CellResult::backend);
    for (Engine backend : report.backends()) {
      Matrix.Sum sum = sums.getOrDefault(backend.name(), new Matrix.Sum(0, 0));
      row(
          backend.name(),
          backend.version(),
          backend.problem().isEmpty() ? backend.simd() : "does not load: " + backend.problem(),
          matrix.kinds(backend.name()).size(),
          sum.passed(),
          sum.failed());
    }
    line("");
  }

  private void kinds() {
    line("## Kinds of index");
    line("");
    row(
        "kind",
        "metrics",
        "cells passed",
        "cells failed",
        "claims not supported",
        "claims not run");
    row("---", "---", "--:", "--:", "--:", "--:");
    Map<String, Matrix.Sum> sums = matrix.sums(CellResult::kind);
    for (Kind kind : report.kinds()) {
      Matrix.Sum sum = sums.getOrDefault(kind.name(), new Matrix.Sum(0, 0));
      row(
          kind.name(),
          String.join(", ", kind.metrics()),
          sum.passed(),
          sum.failed(),
          matrix.unsupported(kind),
          matrix.notRun(kind));
    }
    line("");
  }

  private void problems() {
    if (!report.problems().isEmpty()) {
      line("## What failed");
      line("");
      report.problems().forEach(problem -> line("- %s", oneLine(problem)));
      line("");
    }
  }

  private void claims(Engine backend) {
    List<Kind> kinds = matrix.kinds(backend.name());
    line("## %s: claim by claim", backend.name());
    line("");
    line("Metrics × dimensions that passed, or failed of all; n/s: not supported; –: not run.");
    line("");
    List<Object> head = new ArrayList<>(List.of("claim"));
    kinds.forEach(kind -> head.add(kind.type()));
    row(head.toArray());
    row(Collections.nCopies(head.size(), "---").toArray());
    for (Claim claim : report.claims()) {
      List<Object> row = new ArrayList<>(List.of("`" + claim.id() + "`"));
      kinds.forEach(kind -> row.add(status(kind, claim)));
      row(row.toArray());
    }
    line("");
  }

  private String status(Kind kind, Claim claim) {
    Matrix.Sum sum = matrix.of(kind, claim.id());
    if (sum.isEmpty()) {
      return matrix.reason(kind, claim.id()).isEmpty() ? "–" : "n/s";
    }
    return sum.failed() == 0
        ? "" + sum.passed()
        : "**" + sum.failed() + " of " + (sum.passed() + sum.failed()) + " failed**";
  }

  private void notSupported() {
    line("## Not supported");
    line("");
    row("what", "kinds of index", "why");
    row("---", "---", "---");
    Map<List<String>, TreeSet<String>> whatByKinds = new LinkedHashMap<>();
    Map<List<String>, TreeSet<String>> kindsByWhat = new LinkedHashMap<>();
    for (Unsupported each : report.notSupported()) {
      String what = (each.metric() + " " + each.claim()).strip();
      kindsByWhat
          .computeIfAbsent(List.of(what, each.reason()), any -> new TreeSet<>())
          .add(each.backend() + " " + each.type());
    }
    kindsByWhat.forEach(
        (whatAndWhy, kinds) ->
            whatByKinds
                .computeIfAbsent(
                    List.of(String.join(", ", kinds), whatAndWhy.get(1)), any -> new TreeSet<>())
                .add(whatAndWhy.get(0)));
    whatByKinds.forEach(
        (kindsAndWhy, what) ->
            row(String.join(", ", what), kindsAndWhy.get(0), kindsAndWhy.get(1)));
    line("");
  }

  private void notRun() {
    line("## Not run");
    line("");
    for (Claim claim : report.claims()) {
      if (!claim.waitsFor().isEmpty()) {
        line("- `%s`: waits for `%s`", claim.id(), claim.waitsFor());
      } else if (report.cells().stream().noneMatch(cell -> cell.claim().equals(claim.id()))) {
        line("- `%s`: no test of this run made an index for it", claim.id());
      }
    }
    for (TestOutcome test : report.tests()) {
      if (!test.isFailed()) {
        line("- %s, %s, skipped: %s", test.test(), test.kind(), oneLine(test.message()));
      }
    }
  }

  private void row(Object... cells) {
    for (Object each : cells) {
      text.append("| ").append(cell(each.toString())).append(' ');
    }
    text.append("|\n");
  }

  private static String cell(String words) {
    return oneLine(words).replace("|", "\\|");
  }

  private static String oneLine(String words) {
    return words.strip().replaceAll("\\s*\\R\\s*", " ");
  }

  private void line(String format, Object... arguments) {
    text.append(arguments.length == 0 ? format : format.formatted(arguments)).append('\n');
  }
}
