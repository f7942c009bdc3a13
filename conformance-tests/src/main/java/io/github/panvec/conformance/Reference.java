package io.github.panvec.conformance;

import io.github.panvec.Hit;
import io.github.panvec.Metric;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.function.LongPredicate;

/**
 * The contract's formulas in plain Java, and brute force with them: the oracle of the suite. It
 * shares no code with any backend.
 */
public final class Reference {
  /** By distance as numbers, so that zeros of both signs are equal, then by id. */
  private static final Comparator<Hit> NEAREST_FIRST =
      (a, b) ->
          a.distance() < b.distance()
              ? -1
              : a.distance() > b.distance() ? 1 : Long.compare(a.id(), b.id());

  private Reference() {}

  /** What a backend stores for {@code vector}: a copy, or for COSINE the unit vector. */
  public static float[] stored(Metric metric, float[] vector) {
    float[] copy = vector.clone();
    if (metric == Metric.COSINE) {
      double norm = Math.sqrt(dot(vector, vector));
      for (int i = 0; i < copy.length; i++) {
        copy[i] = (float) (vector[i] / norm);
      }
    }
    return copy;
  }

  /** The distance that must be reported between stored forms, bit for bit. */
  public static float distance(Metric metric, float[] a, float[] b) {
    return switch (metric) {
      case L2 -> (float) Math.sqrt(squaredL2(a, b));
      case COSINE -> (float) Math.min(2, Math.max(0, 1 - dot(a, b)));
      case DOT -> (float) -dot(a, b) + 0.0f;
    };
  }

  private static double dot(float[] a, float[] b) {
    double[] c = new double[8];
    for (int i = 0; i < a.length; i++) {
      c[i & 7] += (double) a[i] * (double) b[i];
    }
    return sum(c);
  }

  private static double squaredL2(float[] a, float[] b) {
    double[] c = new double[8];
    for (int i = 0; i < a.length; i++) {
      double t = (double) a[i] - (double) b[i];
      c[i & 7] += t * t;
    }
    return sum(c);
  }

  private static double sum(double[] c) {
    return ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7]));
  }

  /**
   * The {@code k} nearest of {@code rows} (as given, by id) among ids that pass, by (distance, id).
   */
  public static List<Hit> nearest(
      Metric metric, Map<Long, float[]> rows, float[] query, int k, LongPredicate passes) {
    float[] storedQuery = stored(metric, query);
    List<Hit> hits = new ArrayList<>();
    rows.forEach(
        (id, row) -> {
          if (passes.test(id)) {
            hits.add(new Hit(id, distance(metric, storedQuery, stored(metric, row))));
          }
        });
    hits.sort(NEAREST_FIRST);
    return hits.subList(0, Math.min(k, hits.size()));
  }
}
