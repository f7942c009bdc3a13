package io.github.panvec.bench.eval;

import io.github.panvec.Availability;
import io.github.panvec.Metric;
import io.github.panvec.VectorIndexException;
import io.github.panvec.bench.CacheFolder;
import io.github.panvec.bench.InputException;
import io.github.panvec.bench.Progress;
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
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** A whole evaluation: dataset, ground truth, builds, recall, interleaved rounds, report. */
public final class EvalRun {
  private static final int[] EF_SEARCH = {16, 24, 32, 48, 64, 96, 128, 192, 256};
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
    planRows(truth.k());
    Scorer scorer = new Scorer(metric, dataset.base(), dataset.queries(), truth);
    try (Measurement measurement = new Measurement(queries, truth.k(), options.searchThreads())) {
      measureRecall(measurement, scorer);
      measureSpeed(measurement);
    }
    progress.clear();
    Report report = new Report(options, dataset, metric, key, truth, rows, absences, failures);
    return report.write(out);
  }

  private void build(VectorBackend backend, Dataset dataset, Metric metric) {
    String unsuitable = unsuitable(backend, dataset, metric);
    if (unsuitable != null) {
      absences.add(new Report.Absence(backend, unsuitable));
      if (options.backendsNamed()) {
        failures.add(backend.name() + " was asked for, but " + unsuitable);
      }
      return;
    }
    progress.step("Loading " + backend.name());
    Availability availability = backend.availability();
    if (!availability.available()) {
      String reason = String.valueOf(availability.reason());
      absences.add(new Report.Absence(backend, "not available: " + reason));
      failures.add(backend.name() + " is not available (./panvec doctor tells more): " + reason);
      return;
    }
    try {
      subjects.add(Subject.build(backend, dataset.base(), metric, options, progress));
    } catch (VectorIndexException | IllegalArgumentException | IllegalStateException failed) {
      fail(backend, "its build failed: " + failed.getMessage());
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

  private void fail(VectorBackend backend, String why) {
    absences.add(new Report.Absence(backend, why));
    failures.add(backend.name() + ": " + why);
  }

  /**
   * The exact rows first: the scan of the first approximate backend, then the backends that are
   * exact anyway.
   */
  private void planRows(int k) {
    subjects.stream()
        .filter(Subject::approximate)
        .findFirst()
        .ifPresent(subject -> rows.add(new Row(subject, Kind.EXACT_SCAN, 0)));
    for (Subject subject : subjects) {
      if (!subject.approximate()) {
        rows.add(new Row(subject, Kind.EXACT, 0));
      }
    }
    for (Subject subject : subjects) {
      if (subject.approximate()) {
        for (int efSearch : sweep(k)) {
          rows.add(new Row(subject, Kind.APPROXIMATE, efSearch));
        }
      }
    }
  }

  /** Values of efSearch worth measuring: none below k, because it is raised to k. */
  static List<Integer> sweep(int k) {
    TreeSet<Integer> values = new TreeSet<>();
    for (int efSearch : EF_SEARCH) {
      if (efSearch >= k) {
        values.add(efSearch);
      }
    }
    if (values.size() < 4) {
      for (int percent : new int[] {100, 150, 200, 300, 400}) {
        values.add((int) Math.min(Integer.MAX_VALUE, (long) k * percent / 100));
      }
    }
    return List.copyOf(values);
  }

  private void measureRecall(Measurement measurement, Scorer scorer) {
    for (Row row : List.copyOf(rows)) {
      if (!rows.contains(row)) {
        continue;
      }
      progress.step("Recall of " + row.label());
      try {
        Recall recall = measurement.recall(row, scorer, RECALL_BUDGET_SECONDS, progress);
        row.recall(recall);
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
          | IllegalArgumentException
          | IllegalStateException
          | Scorer.WrongAnswerException failed) {
        fail(row.subject().backend(), row.label() + ": " + failed.getMessage());
        rows.removeIf(other -> other.subject() == row.subject());
      }
    }
  }

  /**
   * Rounds take turns over all rows, so that a disturbance of the machine does not hit one row
   * alone.
   */
  private void measureSpeed(Measurement measurement) {
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
        measurement.round(row, options.roundSeconds());
      }
    }
  }
}
