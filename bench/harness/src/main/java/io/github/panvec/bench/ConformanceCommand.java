package io.github.panvec.bench;

import io.github.panvec.Panvec;
import io.github.panvec.UnknownBackendException;
import io.github.panvec.conformance.Comparison;
import io.github.panvec.conformance.Conformance;
import io.github.panvec.conformance.Report;
import io.github.panvec.conformance.Report.CellResult;
import io.github.panvec.conformance.Report.Engine;
import io.github.panvec.conformance.Report.TestOutcome;
import io.github.panvec.conformance.ReportFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Holds backends to the contract, or compares what two runs of that have found. */
@Command(
    name = "conformance",
    sortOptions = false,
    description = {
      "Hold every kind of index of every backend to the contract (docs/contract.md).",
      "Writes conformance.md, conformance.json and conformance.html: backend, type, metric,"
          + " dimension and claim, cell by cell."
    },
    footer = {
      "",
      "The exit code is 1 when a test or a cell failed, a backend did not load, exact answers of"
          + " two kinds of index differ, or nothing was tested; with --compare, when the reports"
          + " differ in what was tested, what passed, or the fingerprint."
    })
final class ConformanceCommand implements Callable<Integer> {
  private static final String SEED = "panvec.seed";

  private final PrintWriter out;
  private final Progress progress;
  private final Supplier<Conformance.Options> suite;

  @Option(
      names = "--backend",
      split = ",",
      paramLabel = "NAME",
      description = "Backends to test, separated by commas. Default: all on the class path.")
  private @Nullable List<String> names;

  @Option(names = "--nightly", description = "Also the tests that take too long for every build.")
  private boolean nightly;

  @Option(
      names = "--out",
      paramLabel = "FOLDER",
      description = "Where to write the report. Default: target.")
  private @Nullable Path folder;

  @Option(
      names = "--seed",
      paramLabel = "N",
      description = "Seed of random tests. Default: a fixed one, which the report names.")
  private @Nullable Long seed;

  @Option(
      names = "--compare",
      arity = "2",
      paramLabel = "FILE",
      description = "Run nothing; lay two conformance.json side by side, of two machines say.")
  private @Nullable List<Path> compared;

  ConformanceCommand(PrintWriter out, Progress progress) {
    this(out, progress, Conformance.Options::everything);
  }

  /** For a part of the suite. */
  ConformanceCommand(PrintWriter out, Progress progress, Supplier<Conformance.Options> suite) {
    this.out = out;
    this.progress = progress;
    this.suite = suite;
  }

  @Override
  public Integer call() {
    if (compared != null) {
      if (names != null || nightly || folder != null || seed != null) {
        throw new InputException("--compare runs nothing and takes no other option");
      }
      return compare(compared.get(0), compared.get(1));
    }
    Path target = writable(folder == null ? Path.of("target") : folder);
    Report report = run();
    print(report);
    try {
      ReportFiles.write(report, target);
    } catch (IOException failed) {
      throw new InputException("the report cannot be written: " + failed, failed);
    }
    out.printf("report: %s (and .json, .html)%n", target.resolve("conformance.md"));
    return report.passed() ? 0 : 1;
  }

  /** Found out before minutes are spent. */
  private static Path writable(Path folder) {
    try {
      Files.createDirectories(folder);
      Files.delete(Files.createTempFile(folder, ".conformance", ""));
      return folder;
    } catch (FileAlreadyExistsException file) {
      throw new InputException("--out " + folder + ": not a folder", file);
    } catch (IOException denied) {
      throw new InputException("--out " + folder + ": cannot be written to: " + denied, denied);
    }
  }

  private Report run() {
    if (Panvec.backends().isEmpty()) {
      throw new InputException("no backend is on the class path");
    }
    Conformance.Options options = suite.get().withProgress(progress::step);
    if (nightly) {
      options = options.withNightly();
    }
    if (names != null) {
      options =
          options.withBackends(names.stream().map(String::strip).distinct().toArray(String[]::new));
    }
    String before = System.getProperty(SEED);
    if (seed != null) {
      System.setProperty(SEED, seed.toString());
    }
    try {
      return Conformance.run(options);
    } catch (UnknownBackendException unknown) {
      throw new InputException(unknown.getMessage(), unknown);
    } finally {
      progress.clear();
      if (seed != null && before == null) {
        System.clearProperty(SEED);
      } else if (seed != null) {
        System.setProperty(SEED, before);
      }
    }
  }

  private void print(Report report) {
    String form = "%-12s %-10s %-10s %6s %8s %8s%n";
    out.printf(form, "backend", "version", "SIMD", "kinds", "passed", "failed");
    Map<String, Long> passed = count(report.cells(), cell -> !cell.isFailed());
    Map<String, Long> failed = count(report.cells(), CellResult::isFailed);
    for (Engine backend : report.backends()) {
      out.printf(
          form,
          backend.name(),
          backend.version(),
          backend.simd(),
          report.kinds().stream().filter(kind -> kind.backend().equals(backend.name())).count(),
          grouped(passed.getOrDefault(backend.name(), 0L)),
          grouped(failed.getOrDefault(backend.name(), 0L)));
    }
    long failedTests = report.tests().stream().filter(TestOutcome::isFailed).count();
    out.printf(
        "%n%s distinct cells (backend, type, metric, dimension, claim) executed, %s failed%n",
        grouped(report.cells().size()), grouped(report.failedCells().size()));
    out.printf(
        "%s tests passed, %s failed, %s skipped in %.0f s (seed %d)%n",
        grouped(report.testsPassed()),
        grouped(failedTests),
        grouped(report.tests().size() - failedTests),
        report.seconds(),
        report.seed());
    out.println("fingerprint: " + fingerprint(report.fingerprint()));
    for (String problem : report.problems()) {
      out.println("FAILED " + problem.strip().replaceAll("\\s*\\R\\s*", " "));
    }
  }

  private static Map<String, Long> count(List<CellResult> cells, Predicate<CellResult> which) {
    return cells.stream()
        .filter(which)
        .collect(Collectors.groupingBy(CellResult::backend, Collectors.counting()));
  }

  private static String fingerprint(Report.FingerprintSummary found) {
    if (!found.differing().isEmpty()) {
      return "kinds of index differ";
    }
    return found.value().isEmpty()
        ? "none"
        : found.value()
            + ", one for "
            + found.kinds()
            + " kinds of index under "
            + String.join(", ", found.byMetric().keySet());
  }

  private static String grouped(long number) {
    return String.format(Locale.ROOT, "%,d", number);
  }

  private int compare(Path a, Path b) {
    Comparison comparison = Comparison.of(a.toString(), read(a), b.toString(), read(b));
    comparison.facts().forEach(out::println);
    out.println();
    comparison.differences().forEach(out::println);
    int count = comparison.differences().size();
    out.println(
        count == 0 ? "nothing differs" : count + (count == 1 ? " difference" : " differences"));
    return comparison.alike() ? 0 : 1;
  }

  private static Report read(Path file) {
    try {
      return ReportFiles.read(file);
    } catch (IOException unreadable) {
      throw new InputException(unreadable.getMessage(), unreadable);
    }
  }
}
