package io.github.panvec.conformance;

import io.github.panvec.conformance.Report.CellResult;
import io.github.panvec.conformance.Report.Engine;
import io.github.panvec.conformance.Report.FingerprintSummary;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Two reports side by side, of two machines for example.
 *
 * @param facts what they were made on, for people; they may differ
 * @param differences what must not differ, a line each: passed or failed, cells that only one has,
 *     fingerprints, and versions of backends
 */
public record Comparison(List<String> facts, List<String> differences) {
  public Comparison {
    facts = List.copyOf(facts);
    differences = List.copyOf(differences);
  }

  /** Of two reports; the names are for people. */
  public static Comparison of(String nameA, Report a, String nameB, Report b) {
    List<String> facts = new ArrayList<>();
    List<String> differences = new ArrayList<>();
    facts.add(fact(nameA, a));
    facts.add(fact(nameB, b));
    compare("backend", nameA, backends(a), nameB, backends(b), differences);
    compare("fingerprint", nameA, fingerprints(a), nameB, fingerprints(b), differences);
    compare("", nameA, cells(a), nameB, cells(b), differences);
    compare("test", nameA, failedTests(a), nameB, failedTests(b), differences);
    return new Comparison(facts, differences);
  }

  private static String fact(String name, Report report) {
    Machine machine = report.machine();
    StringBuilder simd = new StringBuilder();
    report
        .backends()
        .forEach(each -> simd.append(", ").append(each.name()).append(' ').append(each.simd()));
    return "%s: %d cells, %d failed; %s %s, %s, %s%s"
        .formatted(
            name,
            report.cells().size(),
            report.failedCells().size(),
            machine.os(),
            machine.arch(),
            machine.cpu().isEmpty() ? "unknown CPU" : machine.cpu(),
            machine.jdk(),
            simd);
  }

  private static Map<String, String> backends(Report report) {
    Map<String, String> backends = new TreeMap<>();
    for (Engine backend : report.backends()) {
      backends.put(
          backend.name(),
          backend.version() + (backend.problem().isEmpty() ? "" : ", which does not load"));
    }
    return backends;
  }

  private static Map<String, String> fingerprints(Report report) {
    FingerprintSummary found = report.fingerprint();
    Map<String, String> values = new TreeMap<>(found.byMetric());
    values.put("of all metrics", found.value().isEmpty() ? "none" : found.value());
    for (String differing : found.differing()) {
      values.put(differing.substring(0, differing.indexOf(':')), "its kinds of index differ");
    }
    return values;
  }

  private static Map<String, String> cells(Report report) {
    Map<String, String> cells = new TreeMap<>();
    for (CellResult cell : report.cells()) {
      cells.put(cell.name(), cell.status());
    }
    return cells;
  }

  /** Only by name: messages hold addresses and seeds. */
  private static Map<String, String> failedTests(Report report) {
    Map<String, String> failed = new TreeMap<>();
    report.failedTests().forEach(test -> failed.put(test.test() + ", " + test.kind(), "failed"));
    return failed;
  }

  private static void compare(
      String what,
      String nameA,
      Map<String, String> a,
      String nameB,
      Map<String, String> b,
      List<String> differences) {
    TreeSet<String> keys = new TreeSet<>(a.keySet());
    keys.addAll(b.keySet());
    String absent = what.equals("test") ? "not failed" : "absent";
    for (String key : keys) {
      String inA = a.getOrDefault(key, absent);
      String inB = b.getOrDefault(key, absent);
      if (!inA.equals(inB)) {
        differences.add(
            (what + " " + key).strip() + ": " + inA + " in " + nameA + ", " + inB + " in " + nameB);
      }
    }
  }

  /** Whether nothing differs. */
  public boolean alike() {
    return differences.isEmpty();
  }
}
