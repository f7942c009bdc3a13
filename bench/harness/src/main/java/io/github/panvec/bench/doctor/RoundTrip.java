package io.github.panvec.bench.doctor;

import io.github.panvec.Availability;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import io.github.panvec.spi.VectorBackend;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * What runs in the child: loads a backend and takes a small index through its life, against a brute
 * force in Java. Prints {@code key=value} lines, of which {@code result} is the last.
 */
final class RoundTrip {
  /** Odd, so that the tails of SIMD loops run too. */
  private static final int DIMENSION = 37;

  private static final int ROWS = 300;
  private static final int K = 5;
  private static final double TOLERANCE = 1e-5;

  private RoundTrip() {}

  public static void main(String[] args) {
    VectorBackend backend = Panvec.backend(args[0]);
    long start = System.nanoTime();
    Availability availability = backend.availability();
    if (!availability.available()) {
      print("reason", availability.reason());
      print("result", "unavailable");
      return;
    }
    print("version", availability.upstreamVersion());
    print("simd", availability.simdLevel());
    print("library", availability.library());
    try {
      for (Metric metric : new TreeSet<>(backend.capabilities().metrics())) {
        check(backend, metric);
      }
    } catch (RuntimeException | AssertionError wrong) {
      print("reason", wrong instanceof AssertionError ? wrong.getMessage() : wrong.toString());
      print("result", "wrong");
      return;
    }
    print("millis", (System.nanoTime() - start) / 1_000_000);
    print("result", "ok");
  }

  private static void print(String key, Object value) {
    System.out.println(
        key
            + "="
            + String.valueOf(value).replace("\\", "\\\\").replace("\n", "\\n").replace("\r", ""));
  }

  private static void check(VectorBackend backend, Metric metric) {
    Random random = new Random(1);
    float[][] rows = new float[ROWS][DIMENSION];
    float[] flat = new float[ROWS * DIMENSION];
    long[] ids = new long[ROWS];
    for (int i = 0; i < ROWS; i++) {
      for (int j = 0; j < DIMENSION; j++) {
        rows[i][j] = (float) random.nextGaussian();
        flat[i * DIMENSION + j] = rows[i][j];
      }
      ids[i] = 7L * i - 1000;
    }
    VectorIndex index = Panvec.create(IndexSpec.of(backend.name(), DIMENSION, metric));
    try (index) {
      index.addAll(ids, flat);
      expect(
          index.size() == ROWS,
          metric + ": size is " + index.size() + " after adding " + ROWS + " vectors");
      float[] query = rows[17].clone();
      List<Integer> nearest =
          IntStream.range(0, ROWS)
              .boxed()
              .sorted(Comparator.comparingDouble(i -> distance(metric, query, rows[i])))
              .limit(K + 1)
              .toList();
      compare(
          metric,
          "exact search",
          index.search(SearchRequest.of(query, K).exact()),
          nearest.subList(0, K),
          ids,
          rows,
          query);
      SearchResult walked = index.search(SearchRequest.of(query, K).efSearch(ROWS));
      expect(
          walked.count() == K,
          metric + ": a search for " + K + " returned " + walked.count() + " hits");
      expect(
          index.remove(ids[nearest.get(0)]),
          metric + ": remove does not find an id that was added");
      compare(
          metric,
          "search after remove",
          index.search(SearchRequest.of(query, K).exact()),
          nearest.subList(1, K + 1),
          ids,
          rows,
          query);
    }
    try {
      index.size();
    } catch (IllegalStateException closed) {
      return;
    }
    throw new AssertionError(metric + ": a closed index still answers");
  }

  private static void compare(
      Metric metric,
      String what,
      SearchResult hits,
      List<Integer> wanted,
      long[] ids,
      float[][] rows,
      float[] query) {
    long[] wantedIds = wanted.stream().mapToLong(i -> ids[i]).toArray();
    expect(
        Arrays.equals(hits.ids(), wantedIds),
        metric
            + ": "
            + what
            + " found "
            + Arrays.toString(hits.ids())
            + ", brute force "
            + Arrays.toString(wantedIds));
    for (int i = 0; i < wanted.size(); i++) {
      double distance = distance(metric, query, rows[wanted.get(i)]);
      expect(
          Math.abs(hits.distance(i) - distance) <= TOLERANCE * Math.max(1, Math.abs(distance)),
          metric + ": " + what + " says " + hits.distance(i) + " for a distance of " + distance);
    }
  }

  private static double distance(Metric metric, float[] a, float[] b) {
    double dot = 0;
    double squares = 0;
    double lengthA = 0;
    double lengthB = 0;
    for (int i = 0; i < a.length; i++) {
      dot += (double) a[i] * b[i];
      lengthA += (double) a[i] * a[i];
      lengthB += (double) b[i] * b[i];
      squares += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
    }
    return switch (metric) {
      case L2 -> Math.sqrt(squares);
      case COSINE -> 1 - dot / Math.sqrt(lengthA * lengthB);
      case DOT -> -dot;
    };
  }

  private static void expect(boolean holds, String message) {
    if (!holds) {
      throw new AssertionError(message);
    }
  }
}
