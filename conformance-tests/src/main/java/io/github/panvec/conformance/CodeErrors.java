package io.github.panvec.conformance;

import io.github.panvec.Hit;
import io.github.panvec.Metric;
import io.github.panvec.VectorIndex;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * How far the distances of codes are from those of the vectors, and {@code code-errors.csv}: what
 * each kind of index measured, and the bound, three standard errors above.
 *
 * <p>The unit is the standard deviation of the distances of all rows: one that always reports their
 * mean has an error of about 0.8. Data, as for {@link RecallData}, do not follow the seed.
 */
final class CodeErrors {
  private static final String HEADER = "backend,type,metric,error,bound";
  private static final int DIMENSION = 16;
  private static final int ROWS = 1000;
  private static final int QUERIES = 20;
  private static final double STANDARD_ERRORS = 3;

  /** Sums of floats are added in another order on another machine: part of any bound. */
  private static final double ROUNDING = 1e-4;

  /** For kinds without a line: above it a code says next to nothing. */
  private static final double OF_OTHERS = 0.75;

  private static final Map<String, Double> BOUNDS = committed();

  private CodeErrors() {}

  private static Map<String, Double> committed() {
    Map<String, Double> bounds = new TreeMap<>();
    for (String[] fields :
        RecallFloors.lines(ContractDocument.resource("code-errors.csv"), HEADER)) {
      bounds.put(String.join(",", List.of(fields).subList(0, 3)), Double.parseDouble(fields[4]));
    }
    return bounds;
  }

  /** The most that is allowed. */
  static double bound(Subject subject, Metric metric) {
    return BOUNDS.getOrDefault(key(subject, metric), OF_OTHERS);
  }

  private static String key(Subject subject, Metric metric) {
    return subject.backend() + "," + subject.type() + "," + metric;
  }

  /** Measures a kind of index. */
  static RecallMeasurement.Sample of(Subject subject, Metric metric) {
    Random random = new Random(17);
    float[][] rows = new float[ROWS][];
    Arrays.setAll(rows, id -> TestVectors.gaussian(random, DIMENSION));
    long[] ids = new long[ROWS];
    Arrays.setAll(ids, id -> id);
    double[] errors = new double[QUERIES];
    try (VectorIndex index = subject.create(DIMENSION, metric)) {
      index.addAll(ids, TestVectors.flat(rows));
      index.train(TestVectors.flat(rows));
      for (int q = 0; q < QUERIES; q++) {
        errors[q] = error(index, metric, rows, TestVectors.gaussian(random, DIMENSION));
      }
    }
    return RecallMeasurement.Sample.of(errors);
  }

  private static double error(VectorIndex index, Metric metric, float[][] rows, float[] query) {
    float[] storedQuery = Reference.stored(metric, query);
    List<Hit> hits = index.search(query, ROWS).hits();
    double[] expected =
        hits.stream()
            .mapToDouble(
                hit -> {
                  float[] row = Reference.stored(metric, rows[(int) hit.id()]);
                  return Reference.distance(metric, storedQuery, row);
                })
            .toArray();
    double mean = Arrays.stream(expected).average().orElseThrow();
    double variance =
        Arrays.stream(expected).map(each -> (each - mean) * (each - mean)).average().orElseThrow();
    double sum = 0;
    for (int i = 0; i < expected.length; i++) {
      sum += Math.abs(hits.get(i).distance() - expected[i]);
    }
    return sum / expected.length / Math.sqrt(variance);
  }

  /** Appends a line to {@code file}. */
  static void append(Path file, Subject subject, Metric metric, RecallMeasurement.Sample measured) {
    double bound = measured.mean() + Math.max(ROUNDING, STANDARD_ERRORS * measured.standardError());
    String line =
        String.format(
            Locale.ROOT,
            "%s,%.5f,%.5f%n",
            key(subject, metric),
            measured.mean(),
            Math.ceil(bound * 100_000) / 100_000);
    RecallFloors.append(file, HEADER, line);
  }
}
