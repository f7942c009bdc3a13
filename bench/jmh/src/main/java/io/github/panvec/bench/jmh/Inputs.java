package io.github.panvec.bench.jmh;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import java.util.Random;
import java.util.stream.LongStream;

/** What several benchmarks start from. */
final class Inputs {
  private Inputs() {}

  /**
   * A COSINE spec from a benchmark's parameter, for example {@code faiss type=ivf_pq nlist=256}.
   *
   * @param threads for builds and batches
   */
  static IndexSpec spec(String index, int dimension, int threads) {
    String[] words = index.split(" ");
    IndexSpec spec = IndexSpec.of(words[0], dimension, Metric.COSINE).with("threads", threads);
    for (int i = 1; i < words.length; i++) {
      int equals = words[i].indexOf('=');
      spec = spec.with(words[i].substring(0, equals), words[i].substring(equals + 1));
    }
    return spec;
  }

  /** Normally distributed components by a fixed seed. */
  static float[] vectors(long seed, int rows, int dimension) {
    Random random = new Random(seed);
    float[] vectors = new float[rows * dimension];
    for (int i = 0; i < vectors.length; i++) {
      vectors[i] = (float) random.nextGaussian();
    }
    return vectors;
  }

  /** {@code count} ids from {@code first} on. */
  static long[] ids(int first, int count) {
    return LongStream.range(first, (long) first + count).toArray();
  }
}
