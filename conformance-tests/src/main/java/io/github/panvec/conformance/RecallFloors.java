package io.github.panvec.conformance;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
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

  private final Map<String, Floor> byCell = new LinkedHashMap<>();

  /**
   * The least recall of a cell.
   *
   * @param replaced after every row was replaced once
   */
  record Floor(double fresh, double replaced) {}

  /** Reads a table. */
  RecallFloors(String csv) {
    for (String line : csv.split("\n")) {
      if (line.isBlank() || line.startsWith("#") || line.equals(HEADER)) {
        continue;
      }
      String[] fields = line.strip().split(",");
      String cell = String.join(",", List.of(fields).subList(0, 5));
      Floor floor = new Floor(Double.parseDouble(fields[6]), Double.parseDouble(fields[8]));
      if (byCell.put(cell, floor) != null) {
        throw new IllegalStateException("two floors for " + cell);
      }
    }
  }

  /** The committed ones. */
  static RecallFloors committed() {
    try (InputStream in = RecallFloors.class.getResourceAsStream("recall-floors.csv")) {
      return new RecallFloors(
          new String(Objects.requireNonNull(in).readAllBytes(), StandardCharsets.UTF_8));
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
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
    return floor.orElseThrow(
        () ->
            new AssertionError(
                "no floor for "
                    + subject
                    + ", "
                    + cell
                    + "; measure with -D"
                    + MEASURE
                    + "=FILE and add its lines to recall-floors.csv"));
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

  /** Appends the line of a cell to a table. */
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
    try {
      if (Files.notExists(file)) {
        Files.writeString(file, HEADER + System.lineSeparator());
      }
      Files.writeString(file, line, StandardOpenOption.APPEND);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }
}
