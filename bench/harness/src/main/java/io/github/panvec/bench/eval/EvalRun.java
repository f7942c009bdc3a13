package io.github.panvec.bench.eval;

import io.github.panvec.Availability;
import io.github.panvec.Metric;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndexException;
import io.github.panvec.bench.CacheFolder;
import io.github.panvec.bench.InputException;
import io.github.panvec.bench.Progress;
import io.github.panvec.bench.Variant;
import io.github.panvec.bench.data.Dataset;
import io.github.panvec.bench.data.Datasets;
import io.github.panvec.bench.eval.Row.Kind;
import io.github.panvec.spi.VectorBackend;
import java.io.IOException;
import java.io.PrintWriter;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** A whole evaluation: dataset, ground truth, builds, recall, interleaved rounds, report. */
public final class EvalRun {
  /** With at most so many kinds of index each is looked at closely. */
  private static final int FEW = 3;

  /** All rounds of all rows together take about so long, unless their length is given. */
  private static final double SPEED_BUDGET_SECONDS = 60;

  private static final double LONGEST_ROUND_SECONDS = 1;
  private static final double SHORTEST_ROUND_SECONDS = 0.1;
  private static final double RECALL_BUDGET_SECONDS = 20;

  private final EvalOptions options;
  private final PrintWriter out;
  private final Progress progress;
  private final List<Subject> subjects = new ArrayList<>();
  private final List<Row> rows = new ArrayList<>();
  private final List<Report.Absence> absences = new ArrayList<>();
  private final List<String> failures = new ArrayList<>();

  public EvalRun(EvalOptions options, PrintWriter out, Progress progress) {
    this.options = options;
    this.out = out;
    this.progress = progress;
  }

  /**
   * Runs it and prints the report.
   *
   * @return 0, or 1 when a backend failed or an exact one missed a neighbour
   * @throws InputException when the dataset or the folder for results cannot be used
   */
  public int run() {
    createOutputFolder();
    try (Arena arena = Arena.ofShared()) {
      progress.step("Reading " + options.dataset());
      Dataset whole = Datasets.open(options.dataset(), arena, CacheFolder.path(), progress);
      Dataset dataset = whole.limit(options.limit(), options.maxQueries());
      Metric metric =
          options.metric() != null
              ? options.metric()
              : Objects.requireNonNullElse(dataset.metric(), Metric.COSINE);
      try {
        return evaluate(dataset, metric);
      } finally {
        subjects.forEach(Subject::close);
      }
    }
  }

  private void createOutputFolder() {
    try {
      Files.createDirectories(options.out());
    } catch (IOException unwritable) {
      throw new InputException(
          options.out() + ": cannot be made: " + unwritable.getMessage(), unwritable);
    }
    if (!Files.isWritable(options.out())) {
      throw new InputException(options.out() + ": cannot be written");
    }
  }

  private int evaluate(Dataset dataset, Metric metric) {
    GroundTruth.Key key =
        new GroundTruth.Key(
            dataset.base().verify(metric), dataset.queries().verify(metric), metric, options.k());
    Path folder = CacheFolder.path().resolve("groundtruth");
    GroundTruth truth = GroundTruth.of(key, dataset.base(), dataset.queries(), folder, progress);
    float[][] queries = new float[dataset.queries().rows()][];
    for (int i = 0; i < queries.length; i++) {
      queries[i] = dataset.queries().row(i);
    }
    for (VectorBackend backend : options.backends()) {
      build(backend, dataset, metric);
    }
    Scorer scorer = new Scorer(metric, dataset.base(), dataset.queries(), truth);
    Agreement agreement = compareExactAnswers(dataset, metric, truth.k(), scorer);
    planRows(truth.k());
    double roundSeconds = roundSeconds();
    try (Measurement measurement = new Measurement(queries, truth.k(), options.searchThreads())) {
      measureRecall(measurement, scorer);
      measureSpeed(measurement, roundSeconds);
    }
    progress.clear();
    Report report =
        new Report(
            options,
            roundSeconds,
            dataset,
            metric,
            key,
            truth,
            agreement,
            subjects,
            rows,
            absences,
            failures);
    return report.write(out);
  }

  private void build(VectorBackend backend, Dataset dataset, Metric metric) {
    String unsuitable = unsuitable(backend, dataset, metric);
    if (unsuitable != null) {
      absences.add(new Report.Absence(backend, backend.name(), unsuitable));
      if (options.backendsNamed()) {
        failures.add(backend.name() + " was asked for, but " + unsuitable);
      }
      return;
    }
    progress.step("Loading " + backend.name());
    Availability availability = backend.availability();
    if (!availability.available()) {
      String reason = String.valueOf(availability.reason());
      absences.add(new Report.Absence(backend, backend.name(), "not available: " + reason));
      failures.add(backend.name() + " is not available (./panvec doctor tells more): " + reason);
      return;
    }
    for (Variant variant : options.variants()) {
      if (variant.backend().name().equals(backend.name())) {
        build(variant, dataset, metric);
      }
    }
  }

  private void build(Variant variant, Dataset dataset, Metric metric) {
    String refusal = variant.refusal(dataset.base().dimension(), metric);
    if (refusal != null) {
      if (Variant.isChosen(variant, options.parameters())) {
        throw new InputException(variant.name() + ": " + refusal);
      }
      absences.add(new Report.Absence(variant.backend(), variant.name(), refusal));
      return;
    }
    try {
      subjects.add(Subject.build(variant, dataset.base(), metric, options.threads(), progress));
    } catch (VectorIndexException
        | UnsupportedOperationException
        | IllegalArgumentException
        | IllegalStateException failed) {
      fail(variant, variant.name() + ": its build failed: " + failed.getMessage());
    }
  }

  private static @Nullable String unsuitable(
      VectorBackend backend, Dataset dataset, Metric metric) {
    if (!backend.capabilities().metrics().contains(metric)) {
      return "it takes " + new TreeSet<>(backend.capabilities().metrics()) + ", not " + metric;
    }
    if (dataset.base().dimension() > backend.capabilities().maxDimension()) {
      return "it takes at most "
          + backend.capabilities().maxDimension()
          + " dimensions, not "
          + dataset.base().dimension();
    }
    return null;
  }

  /** Once an index failed, nothing more is asked of it. */
  private void fail(Variant variant, String what) {
    String why = what.substring(what.indexOf(": ") + 2);
    absences.add(new Report.Absence(variant.backend(), variant.name(), why));
    failures.add(what);
    rows.removeIf(row -> row.subject().variant() == variant);
  }

  /**
   * Asks every index that keeps its vectors for exact answers, and holds them against those of a
   * brute force in plain Java: ids and every bit of the distances, also under filters.
   */
  private Agreement compareExactAnswers(Dataset dataset, Metric metric, int k, Scorer scorer) {
    progress.step("Finding exact answers in plain Java");
    ExactAnswers wanted = ExactAnswers.ofPlainJava(metric, k, dataset.base(), dataset.queries());
    List<Subject> asked = subjects.stream().filter(Subject::keepsVectors).toList();
    Map<String, String> fingerprints = new LinkedHashMap<>();
    for (Subject subject : asked) {
      progress.step("Exact answers of " + subject.name());
      try {
        ExactAnswers got = ExactAnswers.of(subject.index(), k, dataset.base(), dataset.queries());
        fingerprints.put(subject.name(), got.fingerprint());
        String difference = wanted.difference(got);
        if (difference != null) {
          failures.add(
              subject.name() + ": its exact answers differ from plain Java's: " + difference);
        }
        requireEveryNeighbour(subject, got, k, scorer);
      } catch (VectorIndexException
          | UnsupportedOperationException
          | IllegalArgumentException
          | IllegalStateException
          | Scorer.WrongAnswerException failed) {
        failures.add(subject.name() + ": exact search failed: " + failed.getMessage());
      }
    }
    return new Agreement(wanted.queries(), wanted.fingerprint(), asked, fingerprints);
  }

  private void requireEveryNeighbour(Subject subject, ExactAnswers got, int k, Scorer scorer) {
    int missed = 0;
    for (int query = 0; query < got.queries(); query++) {
      SearchResult answer = got.unfiltered(query);
      missed += k - scorer.hits(query, answer.ids(), answer.count());
    }
    if (missed > 0) {
      failures.add(
          String.format(
              "%s: exact search missed %d true neighbours of %d queries",
              subject.name(), missed, got.queries()));
    }
  }

  /**
   * The exact rows first: of each backend the scan of its first approximate index (the others run
   * the same code), and the indexes that are exact anyway.
   */
  private void planRows(int k) {
    Set<String> scanned = new HashSet<>();
    for (Subject subject : subjects) {
      if (!subject.approximate()) {
        rows.add(new Row(subject, Kind.EXACT));
      } else if (subject.keepsVectors() && scanned.add(subject.backend().name())) {
        rows.add(new Row(subject, Kind.EXACT_SCAN));
      }
    }
    boolean fine = subjects.size() <= FEW;
    for (Subject subject : subjects) {
      if (subject.approximate()) {
        // An untrained index scans, whatever the effort.
        List<Effort> efforts =
            subject.untrained()
                ? List.of(Effort.DEFAULT)
                : Sweep.of(subject.variant(), k, subject.nlist(), fine);
        for (Effort effort : efforts) {
          rows.add(new Row(subject, Kind.APPROXIMATE, effort));
        }
      }
    }
  }

  private double roundSeconds() {
    Double given = options.roundSeconds();
    return given != null ? given : roundSeconds(options.rounds(), rows.size());
  }

  /** So long that the rounds of all rows fit the budget, within bounds. */
  static double roundSeconds(int rounds, int rowCount) {
    double share = SPEED_BUDGET_SECONDS / Math.max(1, rounds * rowCount);
    return Math.clamp(Math.floor(share * 100) / 100, SHORTEST_ROUND_SECONDS, LONGEST_ROUND_SECONDS);
  }

  private void measureRecall(Measurement measurement, Scorer scorer) {
    Set<Subject> withWrongDistances = new HashSet<>();
    for (Row row : List.copyOf(rows)) {
      if (!rows.contains(row)) {
        continue;
      }
      progress.step("Recall of " + row.label());
      try {
        Recall recall = measurement.recall(row, scorer, RECALL_BUDGET_SECONDS, progress);
        row.recall(recall);
        if (row.wrongDistance() != null && withWrongDistances.add(row.subject())) {
          failures.add(row.label() + ": " + row.wrongDistance());
        }
        if (row.kind() != Kind.APPROXIMATE && !recall.perfect()) {
          failures.add(
              row.label()
                  + " is exact, but missed "
                  + recall.misses()
                  + " true neighbours of "
                  + recall.queries()
                  + " queries");
        }
      } catch (VectorIndexException
          | UnsupportedOperationException
          | IllegalArgumentException
          | IllegalStateException
          | Scorer.WrongAnswerException failed) {
        fail(row.subject().variant(), row.label() + ": " + failed.getMessage());
      }
    }
  }

  /**
   * Rounds take turns over all rows, so that a disturbance of the machine does not hit one row
   * alone.
   */
  private void measureSpeed(Measurement measurement, double seconds) {
    for (int round = 1; round <= options.rounds(); round++) {
      for (int i = 0; i < rows.size(); i++) {
        Row row = rows.get(i);
        progress.step(
            String.format(
                Locale.ROOT,
                "Measuring, round %d of %d: %d of %d, %s",
                round,
                options.rounds(),
                i + 1,
                rows.size(),
                row.label()));
        measurement.round(row, seconds);
      }
    }
  }
}
