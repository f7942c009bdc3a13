package io.github.panvec.sqlitevec;

import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;

/**
 * Random rows, and what a search over them has to return: the contract's formula in plain Java,
 * over all rows.
 */
final class Rows {
  /** One hit. */
  record Expected(long id, float distance) {}

  final Metric metric;
  final int dimension;
  final long[] ids;
  final float[] vectors;

  private Rows(Metric metric, int dimension, long[] ids, float[] vectors) {
    this.metric = metric;
    this.dimension = dimension;
    this.ids = ids;
    this.vectors = vectors;
  }

  /**
   * Reads {@code -Dpanvec.seed}, else makes one up; prints it, so that a failure can be replayed.
   */
  static Random random(String test) {
    String given = System.getProperty("panvec.seed", "");
    long seed = given.isBlank() ? System.nanoTime() : Long.parseLong(given.strip());
    System.out.println(test + ": -Dpanvec.seed=" + seed);
    return new Random(seed);
  }

  /** {@code count} rows with ids {@code firstId, firstId + 1, ...}. */
  static Rows random(Random random, Metric metric, int dimension, int count, long firstId) {
    long[] ids = new long[count];
    float[] vectors = new float[count * dimension];
    for (int i = 0; i < count; i++) {
      ids[i] = firstId + i;
    }
    for (int i = 0; i < vectors.length; i++) {
      vectors[i] = (float) random.nextGaussian();
    }
    return new Rows(metric, dimension, ids, vectors);
  }

  float[] row(int index) {
    float[] row = new float[dimension];
    System.arraycopy(vectors, index * dimension, row, 0, dimension);
    return row;
  }

  /** The {@code k} nearest that pass the filter, by (distance, id). */
  List<Expected> nearest(float[] query, int k, IdFilter filter) {
    float[] prepared = metric == Metric.COSINE ? unit(query) : query;
    List<Expected> all = new ArrayList<>();
    for (int i = 0; i < ids.length; i++) {
      if (filter == null || filter.test(ids[i])) {
        float[] row = metric == Metric.COSINE ? unit(row(i)) : row(i);
        all.add(new Expected(ids[i], distance(prepared, row)));
      }
    }
    all.sort(Comparator.comparing(Expected::distance).thenComparing(Expected::id));
    return all.subList(0, Math.min(k, all.size()));
  }

  static List<Expected> of(SearchResult result) {
    return result.hits().stream().map(hit -> new Expected(hit.id(), hit.distance())).toList();
  }

  private float distance(float[] a, float[] b) {
    return switch (metric) {
      case L2 -> (float) Math.sqrt(sum(a, b, true));
      case COSINE -> (float) Math.max(0, Math.min(2, 1 - sum(a, b, false)));
      case DOT -> (float) (-sum(a, b, false) + 0.0);
    };
  }

  private static float[] unit(float[] vector) {
    double norm = Math.sqrt(sum(vector, vector, false));
    float[] unit = new float[vector.length];
    for (int i = 0; i < unit.length; i++) {
      unit[i] = (float) (vector[i] / norm);
    }
    return unit;
  }

  private static double sum(float[] a, float[] b, boolean squaredDifference) {
    double[] c = new double[8];
    for (int i = 0; i < a.length; i++) {
      double difference = (double) a[i] - (double) b[i];
      c[i % 8] += squaredDifference ? difference * difference : (double) a[i] * (double) b[i];
    }
    return ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7]));
  }

  static IndexSpec spec(Metric metric, int dimension) {
    return IndexSpec.of("sqlite-vec", dimension, metric);
  }

  static VectorIndex open(Metric metric, int dimension, Path file) {
    return Panvec.create(spec(metric, dimension).with("path", file));
  }
}
