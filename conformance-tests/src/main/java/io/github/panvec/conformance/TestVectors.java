package io.github.panvec.conformance;

import java.util.Random;
import java.util.random.RandomGenerator;

/** Seeded vectors to test with; {@code -Dpanvec.seed=} takes another seed. */
final class TestVectors {

  private TestVectors() {}

  /** The seed of this run: {@code -Dpanvec.seed}, or a fixed one. */
  static long seed() {
    String given = System.getProperty("panvec.seed", "");
    return given.isBlank() ? 20261121L : Long.parseLong(given.strip());
  }

  static RandomGenerator random() {
    return new Random(seed());
  }

  static float[] gaussian(RandomGenerator random, int dimension) {
    float[] vector = new float[dimension];
    for (int i = 0; i < dimension; i++) {
      vector[i] = (float) random.nextGaussian();
    }
    return vector;
  }

  static float[] scaled(float[] vector, float factor) {
    float[] scaled = new float[vector.length];
    for (int i = 0; i < vector.length; i++) {
      scaled[i] = vector[i] * factor;
    }
    return scaled;
  }

  static float[] flat(float[][] rows) {
    int dimension = rows[0].length;
    float[] flat = new float[rows.length * dimension];
    for (int i = 0; i < rows.length; i++) {
      System.arraycopy(rows[i], 0, flat, i * dimension, dimension);
    }
    return flat;
  }
}
