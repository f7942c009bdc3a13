package io.github.panvec.bench.doctor;

import io.github.panvec.Availability;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import io.github.panvec.bench.Variant;
import io.github.panvec.spi.VectorBackend;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.IntStream;

/**
 * What runs in the child: loads a backend and takes a small index of each type and metric through
 * its life, against a brute force in Java. Prints {@code key=value} lines, of which {@code result}
 * is the last.
 */
final class RoundTrip {
  /** Odd, so that the tails of SIMD loops run too, and with divisors, for product quantisers. */
  private static final int DIMENSION = 35;

  /** Enough to train on. */
  private static final int ROWS = 600;

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
    Set<String> tried = new LinkedHashSet<>();
    Map<String, Object> kernels = new TreeMap<>();
    String trying = "";
    try {
      for (Variant variant : Variant.of(backend, Map.of())) {
        for (Metric metric : new TreeSet<>(backend.capabilities().metrics())) {
          if (variant.refusal(DIMENSION, metric) == null) {
            trying = variant.name() + ", " + metric;
            print("trying", trying);
            check(variant, metric, kernels);
            tried.add(variant.name().substring(backend.name().length()).strip());
          }
        }
      }
    } catch (RuntimeException | AssertionError wrong) {
      String what = wrong instanceof AssertionError ? wrong.getMessage() : wrong.toString();
      print("reason", trying + ": " + what);
      print("result", "wrong");
      return;
    }
    print("tried", String.join(", ", tried));
    kernels.forEach((name, value) -> print("kernel." + name, value));
    print("millis", (System.nanoTime() - start) / 1_000_000);
    print("result", "ok");
  }

  private static void print(String key, Object value) {
    System.out.println(
        key
            + "="
            + String.valueOf(value).replace("\\", "\\\\").replace("\n", "\\n").replace("\r", ""));
    // Before native code that may crash.
    System.out.flush();
  }

  private static void check(Variant variant, Metric metric, Map<String, Object> kernels) {
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
    IndexSpec spec = variant.spec(DIMENSION, metric);
    boolean lossy = Panvec.capabilities(spec).codesOnly();
    VectorIndex index = Panvec.create(spec);
    try (index) {
      index.train(flat);
      index.addAll(ids, flat);
      expect(index.size() == ROWS, "size is " + index.size() + " after adding " + ROWS);
      float[] query = rows[17].clone();
      List<Integer> nearest =
          IntStream.range(0, ROWS)
              .boxed()
              .sorted(Comparator.comparingDouble(i -> distance(metric, query, rows[i])))
              .limit(K + 1)
              .toList();
      if (!lossy) {
        SearchResult exact = index.search(SearchRequest.of(query, K).exact());
        compare(metric, "exact search", exact, nearest.subList(0, K), ids, rows, query);
      }
      approximate(index, metric, lossy, rows, query);
      expect(index.remove(ids[nearest.get(0)]), "remove does not find an id that was added");
      if (!lossy) {
        SearchResult exact = index.search(SearchRequest.of(query, K).exact());
        compare(metric, "search after remove", exact, nearest.subList(1, K + 1), ids, rows, query);
      }
      index
          .stats()
          .details()
          .forEach(
              (name, value) -> {
                String lower = name.toLowerCase(Locale.ROOT);
                if (lower.contains("simd") || lower.contains("kernel")) {
                  kernels.merge(name, value, RoundTrip::eitherOf);
                }
              });
    }
    try {
      index.size();
    } catch (IllegalStateException closed) {
      return;
    }
    throw new AssertionError("a closed index still answers");
  }

  private static Object eitherOf(Object some, Object other) {
    String known = some.toString();
    return List.of(known.split(", ")).contains(other.toString()) ? known : known + ", " + other;
  }

  /** A plain search: k different hits, in order, at true distances where vectors are kept. */
  private static void approximate(
      VectorIndex index, Metric metric, boolean lossy, float[][] rows, float[] query) {
    SearchResult hits = index.search(SearchRequest.of(query, K).efSearch(ROWS));
    expect(hits.count() == K, "a search for " + K + " returned " + hits.count() + " hits");
    expect(
        Arrays.stream(hits.ids()).distinct().count() == K,
        "a search returned an id twice: " + Arrays.toString(hits.ids()));
    for (int i = 0; i < K; i++) {
      long row = (hits.id(i) + 1000) / 7;
      expect(
          row >= 0 && row < ROWS && 7 * row - 1000 == hits.id(i),
          "a search returned id " + hits.id(i) + ", which was never added");
      expect(
          i == 0 || hits.distance(i - 1) <= hits.distance(i),
          "hits are not in order: " + Arrays.toString(hits.distances()));
      if (!lossy) {
        requireDistance("search", hits.distance(i), distance(metric, query, rows[(int) row]));
      }
    }
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
        what
            + " found "
            + Arrays.toString(hits.ids())
            + ", brute force "
            + Arrays.toString(wantedIds));
    for (int i = 0; i < wanted.size(); i++) {
      requireDistance(what, hits.distance(i), distance(metric, query, rows[wanted.get(i)]));
    }
  }

  private static void requireDistance(String what, float said, double distance) {
    expect(
        Math.abs(said - distance) <= TOLERANCE * Math.max(1, Math.abs(distance)),
        what + " says " + said + " for a distance of " + distance);
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
