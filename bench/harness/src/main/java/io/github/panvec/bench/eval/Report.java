package io.github.panvec.bench.eval;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.bench.Environment;
import io.github.panvec.bench.InputException;
import io.github.panvec.bench.data.Dataset;
import io.github.panvec.spi.VectorBackend;
import java.io.IOException;
import java.io.PrintWriter;
import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** What a run found, as a table for people and as results.json. */
final class Report {
  private static final int SCHEMA_VERSION = 2;
  private static final int EXAMPLES = 4;
  private static final int EXAMPLE_NEIGHBOURS = 5;
  private static final double WANTED_RECALL = 0.95;

  private final EvalOptions options;
  private final double roundSeconds;
  private final Dataset dataset;
  private final Metric metric;
  private final GroundTruth.Key key;
  private final GroundTruth truth;
  private final Agreement agreement;
  private final List<Subject> subjects;
  private final List<Row> rows;
  private final List<Absence> absences;
  private final List<String> failures;

  /**
   * A backend, or one of its kinds of index, that has no rows.
   *
   * @param name of the backend or the kind
   * @param why the rest of a sentence that begins with the name
   */
  record Absence(VectorBackend backend, String name, String why) {}

  /** Some neighbours of a query, by name. */
  private record Example(String query, List<Map<String, Object>> neighbours) {}

  Report(
      EvalOptions options,
      double roundSeconds,
      Dataset dataset,
      Metric metric,
      GroundTruth.Key key,
      GroundTruth truth,
      Agreement agreement,
      List<Subject> subjects,
      List<Row> rows,
      List<Absence> absences,
      List<String> failures) {
    this.options = options;
    this.roundSeconds = roundSeconds;
    this.dataset = dataset;
    this.metric = metric;
    this.key = key;
    this.truth = truth;
    this.agreement = agreement;
    this.subjects = subjects;
    this.rows = rows;
    this.absences = absences;
    this.failures = failures;
  }

  /** Prints everything, writes table.txt and results.json, and returns the exit code. */
  int write(PrintWriter out) {
    Row shown = exampleRow();
    List<Example> examples = shown == null ? List.of() : examples(shown);
    String text = heading() + "\n" + table() + notes() + exampleText(shown, examples);
    out.print(text);
    int exitCode = failures.isEmpty() ? 0 : 1;
    Path json = options.out().resolve("results.json");
    try {
      Files.writeString(options.out().resolve("table.txt"), text, StandardCharsets.UTF_8);
      byte[] bytes =
          new ObjectMapper()
              .enable(SerializationFeature.INDENT_OUTPUT)
              .writeValueAsBytes(results(examples, exitCode));
      Files.write(json, bytes);
    } catch (IOException unwritable) {
      throw new InputException(
          json + ": cannot be written: " + unwritable.getMessage(), unwritable);
    }
    out.println("\nResults: " + json);
    for (String failure : failures) {
      out.println("FAILED: " + failure.strip().replace("\n", "\n  "));
    }
    out.flush();
    return exitCode;
  }

  private String heading() {
    Map<String, Object> facts = Environment.facts();
    return String.format(
        Locale.ROOT,
        "%s: %,d rows x %d, %,d queries, %s, k = %d, %d search thread%s%n%s, %s cores, %s, %s%n%s",
        dataset.name(),
        dataset.base().rows(),
        dataset.base().dimension(),
        dataset.queries().rows(),
        metric,
        truth.k(),
        options.searchThreads(),
        options.searchThreads() == 1 ? "" : "s",
        facts.getOrDefault("cpu", facts.get("arch")),
        facts.get("cores"),
        facts.get("jdk"),
        facts.get("os"),
        engines());
  }

  /** For example {@code faiss 1.12.0 (avx512), hnswlib 0.8.0 (avx512)}. */
  private String engines() {
    return subjects.stream()
        .map(
            subject ->
                subject.backend().name()
                    + " "
                    + subject.backend().upstreamVersion()
                    + " ("
                    + subject.availability().simdLevel()
                    + ")")
        .distinct()
        .collect(Collectors.joining(", ", "", subjects.isEmpty() ? "" : System.lineSeparator()));
  }

  private String table() {
    TextTable table =
        new TextTable(
            2,
            "index",
            "parameters",
            "recall@" + truth.k(),
            "QPS",
            "p50 µs",
            "p95 µs",
            "p99 µs",
            "build s",
            "memory MiB",
            "recall/MiB");
    for (Row row : rows) {
      long[] latencies = row.sortedLatencies();
      Recall recall = Objects.requireNonNull(row.recall());
      String queries =
          recall.queries() < dataset.queries().rows() ? " (" + recall.queries() + " queries)" : "";
      table.row(
          row.subject().name(),
          row.shownParameters() + queries,
          recall.toString(),
          String.format(
              Locale.ROOT,
              row.qps() < 100 ? "%,.1f%s" : "%,.0f%s",
              row.qps(),
              row.steady() ? " " : "*"),
          micros(latencies, 0.50),
          micros(latencies, 0.95),
          micros(latencies, 0.99),
          String.format(Locale.ROOT, "%.2f", row.subject().buildSeconds()),
          significant(row.subject().nativeBytes() / (double) (1 << 20)),
          significant(row.recallPerMiB()));
    }
    for (Absence absence : absences) {
      table.row(absence.name(), absence.why().lines().findFirst().orElse(""));
    }
    return table.toString();
  }

  /** Indexes that keep their vectors, and still are not good enough at any effort. */
  private List<String> belowWantedRecall() {
    Map<Subject, Double> best = new LinkedHashMap<>();
    for (Row row : rows) {
      if (row.subject().keepsVectors()) {
        best.merge(row.subject(), Objects.requireNonNull(row.recall()).mean(), Math::max);
      }
    }
    return best.entrySet().stream()
        .filter(entry -> entry.getValue() < WANTED_RECALL)
        .map(entry -> entry.getKey().name())
        .toList();
  }

  /** Three significant digits. */
  private static String significant(@Nullable Double value) {
    return value == null || value == 0
        ? "-"
        : new BigDecimal(value).round(new MathContext(3, RoundingMode.HALF_UP)).toPlainString();
  }

  private static String micros(long[] latencies, double share) {
    double value = LatencyLog.micros(latencies, share);
    return String.format(Locale.ROOT, value < 100 ? "%,.1f" : "%,.0f", value);
  }

  private String notes() {
    StringBuilder notes = new StringBuilder();
    notes.append(
        "memory MiB: native memory that the index holds; recall/MiB: recall divided by it\n");
    if (subjects.stream().anyMatch(Subject::untrained)) {
      notes.append(
          "untrained: this type learns from data and had too few rows for that, so it scans"
              + " them\n");
    }
    if (subjects.stream().anyMatch(subject -> subject.variant().isReranked())) {
      notes.append(
          "refineFactor=F: F x k candidates by code are ranked again by the float32 vectors, which"
              + " lie beside the codes\n");
    }
    if (subjects.stream().anyMatch(subject -> !subject.keepsVectors())) {
      notes.append("codes only: without the float32 vectors; distances are those of the codes\n");
    }
    List<String> low = belowWantedRecall();
    if (!low.isEmpty()) {
      notes.append(
          String.format(
              Locale.ROOT,
              "no row reaches a recall of %.2f: %s%n",
              WANTED_RECALL,
              String.join(", ", low)));
    }
    notes.append(agreement).append('\n');
    long distances =
        rows.stream()
            .filter(row -> row.kind() == Row.Kind.APPROXIMATE)
            .mapToLong(Row::distancesChecked)
            .sum();
    List<String> wrong =
        rows.stream()
            .filter(row -> row.wrongDistance() != null)
            .map(row -> row.subject().name())
            .distinct()
            .toList();
    if (!wrong.isEmpty()) {
      notes.append("distances: NOT those of exact search: " + String.join(", ", wrong) + "\n");
    } else if (distances > 0) {
      notes.append(
          String.format(
              Locale.ROOT,
              "distances: all %,d of approximate hits are bit-equal to exact search's%n",
              distances));
    }
    if (rows.stream().anyMatch(row -> !row.steady())) {
      notes.append(
          "* the rounds of this row differ by more than a fifth: the machine was not quiet\n");
    }
    Double agreement = agreementWithFile();
    if (agreement != null) {
      notes.append(
          String.format(
              Locale.ROOT,
              "the neighbours that came with the file agree with our ground truth on %.2f %%%n",
              100 * agreement));
    }
    return notes.toString();
  }

  /**
   * The share of the neighbours that came with the file which the ground truth accepts; null when
   * none came for this metric.
   */
  private @Nullable Double agreementWithFile() {
    int[][] given = dataset.neighbors();
    Metric made = Objects.requireNonNullElse(dataset.metric(), Metric.L2);
    if (given == null || made != metric) {
      return null;
    }
    Scorer scorer = new Scorer(metric, dataset.base(), dataset.queries(), truth);
    long hits = 0;
    long asked = 0;
    for (int query = 0; query < Math.min(given.length, truth.queries()); query++) {
      if (given[query].length < truth.k()) {
        return null;
      }
      long[] ids = new long[truth.k()];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = given[query][i];
      }
      try {
        hits += scorer.hits(query, ids, ids.length);
      } catch (Scorer.WrongAnswerException otherBase) {
        // Ids of another base: these are misses.
      }
      asked += ids.length;
    }
    return asked == 0 ? null : (double) hits / asked;
  }

  /** The first setting that is good enough, else the last row. */
  private @Nullable Row exampleRow() {
    if (dataset.baseNames() == null || dataset.queryNames() == null || rows.isEmpty()) {
      return null;
    }
    return rows.stream()
        .filter(
            row ->
                row.kind() == Row.Kind.APPROXIMATE
                    && Objects.requireNonNull(row.recall()).mean() >= WANTED_RECALL)
        .findFirst()
        .orElse(rows.get(rows.size() - 1));
  }

  private List<Example> examples(Row row) {
    List<String> names = Objects.requireNonNull(dataset.baseNames());
    List<String> queryNames = Objects.requireNonNull(dataset.queryNames());
    List<Example> examples = new ArrayList<>();
    for (int query = 0; query < Math.min(EXAMPLES, dataset.queries().rows()); query++) {
      SearchRequest request = SearchRequest.of(dataset.queries().row(query), truth.k());
      SearchResult hits = row.subject().index().search(row.request(request));
      List<Map<String, Object>> neighbours = new ArrayList<>();
      for (int rank = 0; rank < Math.min(EXAMPLE_NEIGHBOURS, hits.count()); rank++) {
        Map<String, Object> neighbour = new LinkedHashMap<>();
        neighbour.put("name", names.get((int) hits.id(rank)));
        neighbour.put("distance", hits.distance(rank));
        neighbours.add(neighbour);
      }
      examples.add(new Example(queryNames.get(query), neighbours));
    }
    return examples;
  }

  private static String exampleText(@Nullable Row row, List<Example> examples) {
    if (row == null) {
      return "";
    }
    StringBuilder text = new StringBuilder("\nNearest by " + row.label() + ":\n");
    int width = examples.stream().mapToInt(example -> example.query().length()).max().orElse(0);
    for (Example example : examples) {
      text.append("  ")
          .append(example.query())
          .append(" ".repeat(width - example.query().length()))
          .append("  ->");
      String separator = "  ";
      for (Map<String, Object> neighbour : example.neighbours()) {
        text.append(separator)
            .append(neighbour.get("name"))
            .append(String.format(Locale.ROOT, " %.3f", (float) neighbour.get("distance")));
        separator = ", ";
      }
      text.append('\n');
    }
    return text.toString();
  }

  private Map<String, Object> results(List<Example> examples, int exitCode) {
    Map<String, Object> all = new LinkedHashMap<>();
    all.put("schemaVersion", SCHEMA_VERSION);
    all.put("date", OffsetDateTime.now().truncatedTo(ChronoUnit.SECONDS).toString());
    all.put("dataset", datasetBlock());
    all.put("metric", metric.name());
    all.put("k", truth.k());
    all.put("searchThreads", options.searchThreads());
    all.put("rounds", options.rounds());
    all.put("roundSeconds", roundSeconds);
    all.put(
        "recallInterval",
        "95 %: 1.96 standard errors of the mean of the queries' recalls, normal approximation");
    Map<String, Object> truthBlock = new LinkedHashMap<>();
    truthBlock.put("seconds", truth.seconds());
    truthBlock.put("cached", truth.cached());
    if (agreementWithFile() != null) {
      truthBlock.put("agreementWithFile", agreementWithFile());
    }
    all.put("groundTruth", truthBlock);
    all.put("environment", Environment.facts());
    all.put("backends", backendBlocks());
    all.put("indexes", subjects.stream().map(Report::indexBlock).toList());
    all.put("fingerprint", agreement.block());
    all.put("rows", rows.stream().map(Report::rowBlock).toList());
    List<Map<String, Object>> exampleBlocks = new ArrayList<>();
    for (Example example : examples) {
      Map<String, Object> block = new LinkedHashMap<>();
      block.put("query", example.query());
      block.put("neighbours", example.neighbours());
      exampleBlocks.add(block);
    }
    all.put("examples", exampleBlocks);
    all.put("failures", failures);
    all.put("exitCode", exitCode);
    return all;
  }

  private Map<String, Object> datasetBlock() {
    Map<String, Object> block = new LinkedHashMap<>();
    block.put("name", dataset.name());
    block.put("origin", dataset.origin());
    block.put("rows", dataset.base().rows());
    block.put("queries", dataset.queries().rows());
    block.put("dimension", dataset.base().dimension());
    block.put("element", dataset.base().element().name());
    block.put("baseSha256", key.baseHash());
    block.put("querySha256", key.queryHash());
    return block;
  }

  private List<Map<String, Object>> backendBlocks() {
    List<Map<String, Object>> blocks = new ArrayList<>();
    Map<String, Subject> oneOfEach = new LinkedHashMap<>();
    subjects.forEach(subject -> oneOfEach.putIfAbsent(subject.backend().name(), subject));
    oneOfEach.forEach(
        (name, subject) -> {
          Map<String, Object> block = new LinkedHashMap<>();
          block.put("name", name);
          block.put("upstreamVersion", subject.backend().upstreamVersion());
          block.put("loadedVersion", subject.availability().upstreamVersion());
          block.put("simdLevel", subject.availability().simdLevel());
          block.put("library", subject.availability().library());
          blocks.add(block);
        });
    for (Absence absence : absences) {
      Map<String, Object> block = new LinkedHashMap<>();
      block.put("name", absence.name());
      block.put("upstreamVersion", absence.backend().upstreamVersion());
      block.put("absent", absence.why());
      blocks.add(block);
    }
    return blocks;
  }

  private static Map<String, Object> indexBlock(Subject subject) {
    Map<String, Object> block = new LinkedHashMap<>();
    block.put("name", subject.name());
    block.put("backend", subject.backend().name());
    block.put("parameters", subject.parameters());
    block.put("buildSeconds", subject.buildSeconds());
    block.put("nativeBytes", subject.nativeBytes());
    block.put("keepsVectors", subject.keepsVectors());
    Map<String, String> details = new TreeMap<>();
    subject.details().forEach((name, value) -> details.put(name, value.toString()));
    block.put("details", details);
    return block;
  }

  private static Map<String, Object> rowBlock(Row row) {
    Recall recall = Objects.requireNonNull(row.recall());
    long[] latencies = row.sortedLatencies();
    Map<String, Object> block = new LinkedHashMap<>();
    block.put("index", row.subject().name());
    block.put("backend", row.subject().backend().name());
    block.put("kind", row.kind().name().toLowerCase(Locale.ROOT).replace('_', '-'));
    block.putAll(row.effort().settings());
    block.put("recall", recall.mean());
    block.put("recallHalfWidth", recall.halfWidth());
    block.put("recallQueries", recall.queries());
    block.put("missedNeighbours", recall.misses());
    block.put("nativeBytes", row.subject().nativeBytes());
    block.put("recallPerMiB", row.recallPerMiB());
    block.put("distancesChecked", row.distancesChecked());
    block.put("distancesBitEqual", row.wrongDistance() == null);
    block.put("qps", row.qps());
    block.put("roundQps", row.roundQps());
    block.put("p50Micros", LatencyLog.micros(latencies, 0.50));
    block.put("p95Micros", LatencyLog.micros(latencies, 0.95));
    block.put("p99Micros", LatencyLog.micros(latencies, 0.99));
    block.put("timedQueries", latencies.length);
    return block;
  }
}
