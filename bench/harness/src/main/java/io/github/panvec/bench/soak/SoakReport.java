package io.github.panvec.bench.soak;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.github.panvec.bench.Environment;
import io.github.panvec.bench.InputException;
import io.github.panvec.bench.eval.TextTable;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What the soaking found: a table for people, a file for programs, and the exit code. */
final class SoakReport {
  private static final int SCHEMA_VERSION = 1;

  /**
   * In so many an index of the usual size is compacted more than once; in a short run, perhaps not.
   */
  private static final double COMPACTS_WITHIN_MINUTES = 5;

  private final SoakOptions options;
  private final List<Outcome> outcomes;
  private final List<Absence> absences;

  /**
   * A kind of index that was not soaked, or not to the end.
   *
   * @param why the rest of a sentence that begins with the name
   */
  record Absence(String name, String why) {}

  /** More outcomes and absences may come until {@link #write}. */
  SoakReport(SoakOptions options, List<Outcome> outcomes, List<Absence> absences) {
    this.options = options;
    this.outcomes = outcomes;
    this.absences = absences;
  }

  /** Found out before minutes are spent. */
  void checkWritable() {
    Path json = options.json();
    if (json != null) {
      write(json, Map.of());
    }
  }

  /** Prints everything, writes the file, and returns the exit code. */
  int write(PrintWriter out) {
    out.print(heading());
    out.print(table());
    out.print(NOTES);
    List<String> complaints = complaints();
    int exitCode = complaints.isEmpty() ? 0 : 1;
    Path json = options.json();
    if (json != null) {
      write(json, results(complaints, exitCode));
      out.println("results: " + json);
    }
    for (String complaint : complaints) {
      out.println("FAILED: " + complaint.strip().replaceAll("\\s*\\R\\s*", " "));
    }
    out.flush();
    return exitCode;
  }

  private static final String NOTES =
      """
      p99 this: of searches while the writer writes to the index they search; p99 other: while the
        same writer does the same to another index; ratio: the one divided by the other
      compactions: of the index that is searched, and of the other
      native MiB: held by the index that is searched, before and after
      threads, descriptors: the most that the process had beyond those it had before; of the threads
        two are the soak's own, and one named panvec-compact counts while an index compacts by itself
      """;

  private String heading() {
    int processors = Runtime.getRuntime().availableProcessors();
    return String.format(
        Locale.ROOT,
        "%,d rows x %d, L2, k = %d, seed %d, %s min each%n"
            + "%d processor%s for one thread that searches, one that writes, and compactions%n%n",
        options.rows(),
        options.dimension(),
        Searcher.K,
        options.seed(),
        decimal(options.minutes()),
        processors,
        processors == 1 ? "" : "s");
  }

  private String table() {
    TextTable table =
        new TextTable(
            1,
            "index",
            "p99 this µs",
            "p99 other µs",
            "ratio",
            "searches",
            "operations",
            "failures",
            "compactions",
            "native MiB",
            "threads",
            "descriptors",
            "writer");
    for (Outcome outcome : outcomes) {
      table.row(
          outcome.name(),
          micros(outcome.p99Beside()),
          micros(outcome.p99Elsewhere()),
          String.format(Locale.ROOT, "%.2f", outcome.ratio()),
          String.format(
              Locale.ROOT, "%,d + %,d", outcome.beside().count(), outcome.elsewhere().count()),
          String.format(Locale.ROOT, "%,d", outcome.operations()),
          String.format(Locale.ROOT, "%,d", outcome.failureCount()),
          outcome.compactions()[0] + " + " + outcome.compactions()[1],
          mebibytes(outcome.nativeBytes()[0]) + " -> " + mebibytes(outcome.nativeBytes()[1]),
          more(outcome.threads()),
          more(outcome.descriptors()),
          outcome.unfinished() == null ? "finished" : "UNFINISHED");
    }
    for (Absence absence : absences) {
      table.row(absence.name(), "not soaked: " + absence.why().lines().findFirst().orElse(""));
    }
    return table.toString();
  }

  private static String decimal(double value) {
    return String.format(Locale.ROOT, "%.3f", value).replaceAll("\\.?0+$", "");
  }

  private static String micros(double value) {
    return String.format(Locale.ROOT, value < 100 ? "%,.1f" : "%,.0f", value);
  }

  private static String mebibytes(long bytes) {
    return String.format(Locale.ROOT, "%,.1f", bytes / (double) (1 << 20));
  }

  private static String more(int count) {
    return count == ProcessResources.UNKNOWN ? "-" : "+" + count;
  }

  /** Every reason for an exit code of 1, the failures themselves first. */
  private List<String> complaints() {
    List<String> complaints = new ArrayList<>();
    for (Outcome outcome : outcomes) {
      for (String failure : outcome.failures()) {
        complaints.add(outcome.name() + ": " + failure);
      }
      long more = outcome.failureCount() - outcome.failures().size();
      if (more > 0) {
        complaints.add(String.format(Locale.ROOT, "%s: %,d more failures", outcome.name(), more));
      }
    }
    for (Absence absence : absences) {
      complaints.add(absence.name() + ": " + absence.why());
    }
    for (Outcome outcome : outcomes) {
      if (outcome.unfinished() != null) {
        complaints.add(outcome.name() + ": the writer did not finish: " + outcome.unfinished());
      }
      String ratio = complaintOfRatio(outcome);
      if (ratio != null) {
        complaints.add(ratio);
      }
      String compactions = complaintOfCompactions(outcome);
      if (compactions != null) {
        complaints.add(compactions);
      }
    }
    return complaints;
  }

  /** A ratio without a compaction leaves out the most that a writer does to searches. */
  private @Nullable String complaintOfCompactions(Outcome outcome) {
    boolean due = options.minutes() >= COMPACTS_WITHIN_MINUTES && outcome.unfinished() == null;
    Object compactAt = outcome.parameters().get(Soak.COMPACT_AT_PARAMETER);
    boolean never = compactAt instanceof Number percent && percent.intValue() == 0;
    if (!due || never || outcome.compactions()[0] > 0) {
      return null;
    }
    return String.format(
        Locale.ROOT,
        "%s: the index that is searched was not compacted in %s min, so that the ratio says nothing"
            + " of compactions (more --minutes, or fewer --rows)",
        outcome.name(),
        decimal(options.minutes()));
  }

  private @Nullable String complaintOfRatio(Outcome outcome) {
    if (outcome.beside().count() == 0 || outcome.elsewhere().count() == 0) {
      return outcome.name() + ": no search ended, so that there is no ratio";
    }
    return outcome.ratio() <= options.maxRatio()
        ? null
        : String.format(
            Locale.ROOT,
            "%s: the ratio %.2f is above %s",
            outcome.name(),
            outcome.ratio(),
            decimal(options.maxRatio()));
  }

  private Map<String, Object> results(List<String> complaints, int exitCode) {
    Map<String, Object> results = new LinkedHashMap<>();
    results.put("schemaVersion", SCHEMA_VERSION);
    results.put("environment", Environment.facts());
    results.put("rows", options.rows());
    results.put("dimension", options.dimension());
    results.put("metric", "L2");
    results.put("k", Searcher.K);
    results.put("seed", options.seed());
    results.put("minutes", options.minutes());
    results.put("maxRatio", options.maxRatio());
    results.put("indexes", outcomes.stream().map(SoakReport::result).toList());
    results.put("complaints", complaints);
    results.put("exitCode", exitCode);
    return results;
  }

  private static Map<String, Object> result(Outcome outcome) {
    Map<String, Object> result = new LinkedHashMap<>();
    result.put("index", outcome.name());
    result.put("parameters", outcome.parameters());
    result.put("ratio", number(outcome.ratio()));
    result.put("writerOnThisIndex", latencies(outcome.beside(), outcome.seconds()[0]));
    result.put("writerOnAnotherIndex", latencies(outcome.elsewhere(), outcome.seconds()[1]));
    result.put("operations", outcome.operations());
    result.put("compactions", outcome.compactions()[0]);
    result.put("compactionsOfTheOther", outcome.compactions()[1]);
    result.put("rows", outcome.rows());
    result.put("nativeBytes", outcome.nativeBytes());
    result.put("diskBytes", outcome.diskBytes());
    result.put("threads", known(outcome.threads()));
    result.put("descriptors", known(outcome.descriptors()));
    result.put("failures", outcome.failureCount());
    result.put("firstFailures", outcome.failures());
    result.put("writerFinished", outcome.unfinished() == null);
    return result;
  }

  private static Map<String, Object> latencies(Latencies latencies, double seconds) {
    Map<String, Object> figures = new LinkedHashMap<>();
    figures.put("seconds", seconds);
    figures.put("searches", latencies.count());
    for (double share : new double[] {0.5, 0.9, 0.99, 0.999}) {
      figures.put("p" + decimal(100 * share) + "Micros", number(latencies.micros(share)));
    }
    figures.put("maxMicros", number(latencies.maxMicros()));
    return figures;
  }

  private static @Nullable Object known(int count) {
    return count == ProcessResources.UNKNOWN ? null : count;
  }

  /** JSON has no NaN. */
  private static @Nullable Double number(double value) {
    return Double.isFinite(value) ? value : null;
  }

  private static void write(Path json, Map<String, Object> results) {
    try {
      Files.write(
          json,
          new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValueAsBytes(results));
    } catch (IOException unwritable) {
      throw new InputException("--json " + json + ": cannot be written: " + unwritable, unwritable);
    }
  }
}
