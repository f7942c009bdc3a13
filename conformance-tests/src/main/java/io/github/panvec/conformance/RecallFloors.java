package io.github.panvec.conformance;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * {@code recall-floors.csv}: what each cell measured, and its floors, three standard errors below.
 * {@code filter-recall-floors.csv}: the same of filtered searches.
 *
 * <p>Backends that have no line there are held to the weakest of the {@link #GRAPHS} in the same
 * cell; those that are not approximate to 1.
 */
final class RecallFloors {
  /** Names the property with a file that measurements are appended to, in place of a check. */
  static final String MEASURE = "panvec.conformance.measureRecall";

  /** Names the property that says how often a cell is measured. */
  static final String RUNS = "panvec.conformance.recallRuns";

  private static final String HEADER =
      "backend,type,metric,dimension,data,recall,floor,recall_after_replacing,floor_after_replacing";

  /** The kinds that have a floor in every cell and whose recall is that of a graph alone. */
  private static final List<String> GRAPHS =
      List.of("faiss,hnsw", "usearch,f32", "hnswlib,default");

  private static final double STANDARD_ERRORS = 3;

  /** That of a sample in which one neighbour of one query was missed. */
  private static final double LEAST_STANDARD_ERROR = 1.0 / (RecallData.QUERIES * RecallData.K);

  private static final Floor EXACT = new Floor(1, 1);

  private static final String FILTERED_HEADER =
      "backend,type,metric,dimension,data,share,recall,floor";

  private final Map<String, Floor> byCell = new LinkedHashMap<>();
  private final Map<String, Double> byCellAndShare = new LinkedHashMap<>();

  /**
   * The least recall of a cell.
   *
   * @param replaced after every row was replaced once
   */
  record Floor(double fresh, double replaced) {}

  /** Reads the two tables. */
  RecallFloors(String csv, String filteredCsv) {
    for (String[] fields : lines(csv, HEADER)) {
      Floor floor = new Floor(Double.parseDouble(fields[6]), Double.parseDouble(fields[8]));
      put(byCell, String.join(",", List.of(fields).subList(0, 5)), floor);
    }
    for (String[] fields : lines(filteredCsv, FILTERED_HEADER)) {
      String cell = String.join(",", List.of(fields).subList(0, 6));
      put(byCellAndShare, cell, Double.parseDouble(fields[7]));
    }
  }

  /** The fields of each line that is not the header or a remark. */
  static List<String[]> lines(String csv, String header) {
    return csv.lines()
        .filter(line -> !line.isBlank() && !line.startsWith("#") && !line.equals(header))
        .map(line -> line.strip().split(","))
        .toList();
  }

  private static <F> void put(Map<String, F> floors, String cell, F floor) {
    if (floors.put(cell, floor) != null) {
      throw new IllegalStateException("two floors for " + cell);
    }
  }

  /** The committed ones. */
  static RecallFloors committed() {
    return new RecallFloors(
        ContractDocument.resource("recall-floors.csv"),
        ContractDocument.resource("filter-recall-floors.csv"));
  }

  /** The file that measurements are appended to in place of a check, if there is one. */
  static Optional<Path> measuring() {
    return Optional.of(System.getProperty(MEASURE, ""))
        .filter(file -> !file.isBlank())
        .map(Path::of);
  }

  /**
   * The floor of a cell.
   *
   * @throws AssertionError when there is none, saying how to measure it
   */
  Floor of(Subject subject, RecallCell cell) {
    Optional<Floor> floor =
        isKnown(subject.backend())
            ? Optional.ofNullable(byCell.get(key(subject.backend() + "," + subject.type(), cell)))
            : subject.capabilities().approximate() ? weakestGraph(cell) : Optional.of(EXACT);
    return floor.orElseThrow(() -> none(subject, cell.toString(), "recall-floors.csv"));
  }

  /**
   * The least recall of filtered searches in a cell.
   *
   * @throws AssertionError when there is none, saying how to measure it
   */
  double ofFiltered(Subject subject, RecallCell cell, double share) {
    if (!isKnown(subject.backend()) && !subject.capabilities().approximate()) {
      return 1;
    }
    List<String> kinds =
        isKnown(subject.backend()) ? List.of(subject.backend() + "," + subject.type()) : GRAPHS;
    return kinds.stream()
        .map(kind -> byCellAndShare.get(key(kind, cell) + "," + share))
        .filter(Objects::nonNull)
        .min(Comparator.naturalOrder())
        .orElseThrow(() -> none(subject, cell + ", share " + share, "filter-recall-floors.csv"));
  }

  private static AssertionError none(Subject subject, String cell, String table) {
    return new AssertionError(
        "no floor for "
            + subject
            + ", "
            + cell
            + "; measure with -D"
            + MEASURE
            + "=FILE and add its lines to "
            + table);
  }

  /** Whether kinds of this backend have lines of their own. */
  boolean isKnown(String backend) {
    return byCell.keySet().stream().anyMatch(cell -> cell.startsWith(backend + ","));
  }

  private Optional<Floor> weakestGraph(RecallCell cell) {
    List<Floor> floors =
        GRAPHS.stream()
            .map(graph -> byCell.get(key(graph, cell)))
            .filter(Objects::nonNull)
            .toList();
    return floors.isEmpty()
        ? Optional.empty()
        : Optional.of(
            new Floor(
                floors.stream().map(Floor::fresh).min(Comparator.naturalOrder()).orElseThrow(),
                floors.stream().map(Floor::replaced).min(Comparator.naturalOrder()).orElseThrow()));
  }

  private static String key(String kind, RecallCell cell) {
    return String.join(
        ",",
        kind,
        cell.metric().toString(),
        String.valueOf(cell.dimension()),
        cell.distribution().toString());
  }

  /**
   * Three standard errors below, rounded down, of which none is less than that of one missed
   * neighbour: graphs built by several threads differ. Exact kinds miss nothing.
   */
  static double floor(Subject subject, RecallMeasurement.Sample sample) {
    if (!subject.capabilities().approximate()) {
      return 1;
    }
    double error = Math.max(sample.standardError(), LEAST_STANDARD_ERROR);
    double floor = Math.floor((sample.mean() - STANDARD_ERRORS * error) * 10_000) / 10_000;
    return Math.max(0, floor);
  }

  /**
   * Appends the line of a cell to a table, and those of its filtered searches to another one beside
   * it, whose name begins with {@code filter-}.
   */
  static void append(Path file, Subject subject, RecallCell cell, RecallMeasurement measured) {
    String line =
        String.format(
            Locale.ROOT,
            "%s,%.4f,%.4f,%.4f,%.4f%n",
            key(subject.backend() + "," + subject.type(), cell),
            measured.fresh().mean(),
            floor(subject, measured.fresh()),
            measured.replaced().mean(),
            floor(subject, measured.replaced()));
    append(file, HEADER, line);
    Path beside = file.resolveSibling("filter-" + file.getFileName());
    measured
        .filtered()
        .forEach(
            (share, sample) ->
                append(
                    beside,
                    FILTERED_HEADER,
                    String.format(
                        Locale.ROOT,
                        "%s,%s,%.4f,%.4f%n",
                        key(subject.backend() + "," + subject.type(), cell),
                        share,
                        sample.mean(),
                        floor(subject, sample))));
  }

  static void append(Path file, String header, String line) {
    try {
      if (Files.notExists(file)) {
        Files.writeString(file, header + System.lineSeparator());
      }
      Files.writeString(file, line, StandardOpenOption.APPEND);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }
}
