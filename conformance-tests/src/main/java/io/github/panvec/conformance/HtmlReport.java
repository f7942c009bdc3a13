package io.github.panvec.conformance;

import io.github.panvec.conformance.Report.CellResult;
import io.github.panvec.conformance.Report.Claim;
import io.github.panvec.conformance.Report.Kind;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/** A report as one page that needs nothing else. */
final class HtmlReport {
  private static final String STYLE =
      """
      :root { color-scheme: light dark; font: 13px/1.4 system-ui, sans-serif }
      body { margin: 1.5em }
      table { border-collapse: collapse; margin: 1em 0 }
      th, td { padding: 1px 5px; text-align: right; font-variant-numeric: tabular-nums }
      th { font-weight: 500 }
      th:first-child { text-align: left; white-space: nowrap }
      thead th { writing-mode: vertical-rl; transform: rotate(180deg); text-align: left }
      thead th:first-child { writing-mode: initial; transform: none; vertical-align: bottom }
      tbody tr:hover { outline: 1px solid }
      .p { background: #2e7d3233 } .f { background: #c62828; color: #fff } .s { opacity: .55 }
      summary { cursor: pointer }
      """;

  private final Report report;
  private final Matrix matrix;
  private final StringBuilder html = new StringBuilder();

  HtmlReport(Report report) {
    this.report = report;
    this.matrix = new Matrix(report);
  }

  String text() {
    html.append("<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n")
        .append("<title>Panvec conformance</title>\n<style>\n")
        .append(STYLE)
        .append("</style>\n<h1>Conformance: ")
        .append(report.passed() ? "passed" : "not passed")
        .append("</h1>\n");
    Machine machine = report.machine();
    paragraph(
        "%d cells, %d failed. %s, %s, %s, %d cores, %s. Fingerprint: %s"
            .formatted(
                report.cells().size(),
                report.failedCells().size(),
                machine.os(),
                machine.arch(),
                machine.cpu(),
                machine.cores(),
                machine.jdk(),
                report.fingerprint().value().isEmpty() ? "none" : report.fingerprint().value()));
    report
        .backends()
        .forEach(
            backend ->
                paragraph(
                    "%s %s, SIMD %s %s"
                        .formatted(
                            backend.name(), backend.version(), backend.simd(), backend.problem())));
    problems();
    paragraph(
        "Claims by kinds of index: how many metrics × dimensions passed (of all, where some"
            + " failed); n/s not supported, – not run. Point at a number for more.");
    claims();
    html.append("<h2>Kinds of index by metric and dimension: claims</h2>\n");
    Map<String, Matrix.Sum> sums =
        matrix.sums(cell -> cell.kind() + " " + cell.metric() + " " + cell.dimension());
    report.kinds().forEach(kind -> shapes(kind, sums));
    return html.append("</html>\n").toString();
  }

  private void problems() {
    if (!report.problems().isEmpty()) {
      html.append("<ul>\n");
      report
          .problems()
          .forEach(problem -> html.append("<li>").append(escaped(problem)).append("</li>\n"));
      html.append("</ul>\n");
    }
  }

  private void claims() {
    html.append("<table><thead><tr><th>claim</th>");
    report.kinds().forEach(kind -> head(kind.name()));
    html.append("</tr></thead><tbody>\n");
    Map<String, List<String>> failures = failures();
    for (Claim claim : report.claims()) {
      html.append("<tr>");
      html.append("<th title=\"").append(escaped(claim.text())).append("\">");
      html.append(escaped(claim.id())).append("</th>");
      for (Kind kind : report.kinds()) {
        Matrix.Sum sum = matrix.of(kind, claim.id());
        String reason = matrix.reason(kind, claim.id());
        if (!sum.isEmpty()) {
          List<String> failed =
              failures.getOrDefault(kind.name() + " " + claim.id(), List.<String>of());
          cell(sum, kind.name() + "\n" + String.join("\n", failed));
        } else if (!reason.isEmpty()) {
          cell("s", "n/s", kind.name() + ": " + reason);
        } else {
          cell("s", "–", claim.waitsFor().isEmpty() ? "" : "waits for " + claim.waitsFor());
        }
      }
      html.append("</tr>\n");
    }
    html.append("</tbody></table>\n");
  }

  private Map<String, List<String>> failures() {
    Map<String, List<String>> failures = new HashMap<>();
    for (CellResult cell : report.failedCells()) {
      failures
          .computeIfAbsent(cell.kind() + " " + cell.claim(), any -> new ArrayList<>())
          .add(cell.metric() + " " + cell.dimension() + ": " + cell.failure());
    }
    return failures;
  }

  private void shapes(Kind kind, Map<String, Matrix.Sum> sums) {
    List<CellResult> cells =
        report.cells().stream().filter(cell -> cell.kind().equals(kind.name())).toList();
    TreeSet<Integer> dimensions = new TreeSet<>();
    cells.forEach(cell -> dimensions.add(cell.dimension()));
    html.append("<details><summary>").append(escaped(kind.name())).append("</summary><table><tr>");
    html.append("<th>dimension</th>");
    dimensions.forEach(dimension -> html.append("<th>").append(dimension).append("</th>"));
    html.append("</tr>\n");
    for (String metric : kind.metrics()) {
      html.append("<tr><th>").append(metric).append("</th>");
      for (int dimension : dimensions) {
        Matrix.Sum sum = sums.get(kind.name() + " " + metric + " " + dimension);
        if (sum == null) {
          cell("s", "–", "");
        } else {
          cell(sum, "");
        }
      }
      html.append("</tr>\n");
    }
    html.append("</table></details>\n");
  }

  private void cell(Matrix.Sum sum, String title) {
    int all = sum.passed() + sum.failed();
    if (sum.failed() == 0) {
      cell("p", "" + all, title);
    } else {
      cell("f", sum.passed() + " of " + all, title);
    }
  }

  private void cell(String style, String words, String title) {
    html.append("<td class=").append(style);
    if (!title.isEmpty()) {
      html.append(" title=\"").append(escaped(title.strip())).append('"');
    }
    html.append('>').append(words).append("</td>");
  }

  private void head(String words) {
    html.append("<th>").append(escaped(words)).append("</th>");
  }

  private void paragraph(String words) {
    html.append("<p>").append(escaped(words.strip())).append("</p>\n");
  }

  private static String escaped(String words) {
    return words
        .replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }
}
