package io.github.panvec.conformance;

import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import java.lang.ref.SoftReference;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * Rows, as many to replace them, and queries, all from one distribution, with the truth by the
 * reference.
 *
 * <p>They are the same in every run, whatever {@code -Dpanvec.seed} says: a floor belongs to its
 * data, and recall that falls below it has a cause other than chance.
 */
final class RecallData {
  /** Neighbours asked for. */
  static final int K = 10;

  static final int QUERIES = 200;

  /** Of the rows, those that filters let pass. */
  static final List<Double> SHARES = List.of(0.5, 0.1, 0.01, 0.001);

  private static final Map<String, SoftReference<RecallData>> MADE = new ConcurrentHashMap<>();
  private static final Map<String, float[]> TRUTHS = new ConcurrentHashMap<>();

  /** Where rows come from. */
  enum Distribution {
    /** Standard normal around a hundred centres, whose components are normal with deviation 2. */
    CLUSTERED,
    /**
     * Uniform in the cube from −1 to 1: without structure, so that in many dimensions all rows are
     * about equally far and no graph of 32 neighbours finds the nearest.
     */
    UNIFORM
  }

  final float[][] rows;
  final float[][] replacements;
  final float[][] queries;
  private final String name;

  private RecallData(Distribution distribution, int dimension, String name) {
    this.name = name;
    RandomGenerator random = new Random(31L * dimension + distribution.ordinal());
    float[][] centres =
        Stream.generate(() -> TestVectors.scaled(TestVectors.gaussian(random, dimension), 2))
            .limit(distribution == Distribution.CLUSTERED ? 100 : 0)
            .toArray(float[][]::new);
    int count = count(dimension);
    rows = vectors(random, centres, count, dimension);
    replacements = vectors(random, centres, count, dimension);
    queries = vectors(random, centres, QUERIES, dimension);
  }

  /** How many rows. */
  static int count(int dimension) {
    return dimension < 768 ? 10_000 : 5_000;
  }

  static RecallData of(Distribution distribution, int dimension) {
    String name = distribution + " " + dimension;
    SoftReference<RecallData> made = MADE.get(name);
    RecallData data = made == null ? null : made.get();
    if (data == null) {
      data = new RecallData(distribution, dimension, name);
      MADE.put(name, new SoftReference<>(data));
    }
    return data;
  }

  private static float[][] vectors(
      RandomGenerator random, float[][] centres, int count, int dimension) {
    float[][] vectors = new float[count][];
    for (int i = 0; i < count; i++) {
      if (centres.length == 0) {
        vectors[i] = new float[dimension];
        for (int d = 0; d < dimension; d++) {
          vectors[i][d] = 2 * random.nextFloat() - 1;
        }
      } else {
        float[] centre = centres[random.nextInt(centres.length)];
        vectors[i] = TestVectors.gaussian(random, dimension);
        for (int d = 0; d < dimension; d++) {
          vectors[i][d] += centre[d];
        }
      }
    }
    return vectors;
  }

  /** For each query the distance to the K-th nearest of {@link #rows}. */
  float[] truth(Metric metric) {
    return TRUTHS.computeIfAbsent(name + " " + metric, any -> kthDistances(metric, rows));
  }

  /** For each query the distance to the K-th nearest of {@link #replacements}. */
  float[] truthAfterReplacing(Metric metric) {
    return TRUTHS.computeIfAbsent(
        name + " replaced " + metric, any -> kthDistances(metric, replacements));
  }

  /**
   * Lets a random share of the rows pass: a bitmap where they are many, a list where they are few.
   */
  IdFilter filter(double share) {
    Random random = new Random(Math.round(1 / share));
    BitSet passing = new BitSet();
    while (passing.cardinality() < share * rows.length) {
      passing.set(random.nextInt(rows.length));
    }
    return share < 0.1
        ? IdFilter.in(passing.stream().asLongStream().toArray())
        : IdFilter.bitmap(0, passing);
  }

  /** For each query the distance to the K-th nearest of {@link #rows} that pass, or to the last. */
  float[] truth(Metric metric, double share) {
    return TRUTHS.computeIfAbsent(
        name + " " + share + " " + metric,
        any -> {
          LongStream passing = Filters.ids(filter(share));
          return kthDistances(
              metric, passing.mapToObj(id -> rows[(int) id]).toArray(float[][]::new));
        });
  }

  private float[] kthDistances(Metric metric, float[][] among) {
    float[][] stored = new float[among.length][];
    Arrays.setAll(stored, i -> Reference.stored(metric, among[i]));
    float[] kth = new float[queries.length];
    IntStream.range(0, queries.length)
        .parallel()
        .forEach(q -> kth[q] = kthDistance(metric, stored, queries[q]));
    return kth;
  }

  private static float kthDistance(Metric metric, float[][] stored, float[] query) {
    float[] storedQuery = Reference.stored(metric, query);
    float[] distances = new float[stored.length];
    for (int i = 0; i < stored.length; i++) {
      distances[i] = Reference.distance(metric, storedQuery, stored[i]);
    }
    Arrays.sort(distances);
    return distances[Math.min(K, distances.length) - 1];
  }
}
