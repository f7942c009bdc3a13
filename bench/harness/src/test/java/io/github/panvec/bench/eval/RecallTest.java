package io.github.panvec.bench.eval;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.github.panvec.Metric;
import io.github.panvec.bench.InputException;
import io.github.panvec.bench.Progress;
import io.github.panvec.bench.data.VectorSet;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class RecallTest {
  private final StringWriter said = new StringWriter();
  private final Progress progress = new Progress(new PrintWriter(said, true), false);

  private static VectorSet set(float[]... rows) {
    ByteBuffer bytes =
        ByteBuffer.allocate(4 * rows.length * rows[0].length).order(ByteOrder.LITTLE_ENDIAN);
    for (float[] row : rows) {
      for (float component : row) {
        bytes.putFloat(component);
      }
    }
    return new VectorSet(
        "test",
        MemorySegment.ofArray(bytes.array()),
        0,
        4L * rows[0].length,
        VectorSet.Element.FLOAT32,
        rows.length,
        rows[0].length);
  }

  private static float[][] random(long seed, int rows, int dimension) {
    Random random = new Random(seed);
    float[][] vectors = new float[rows][dimension];
    for (float[] vector : vectors) {
      for (int i = 0; i < dimension; i++) {
        vector[i] = (float) random.nextGaussian();
      }
    }
    return vectors;
  }

  /** What an index keeps of a vector, by the formula of the contract. */
  private static float[] stored(Metric metric, float[] vector) {
    if (metric != Metric.COSINE) {
      return vector;
    }
    double norm = Math.sqrt(contractDot(vector, vector));
    float[] unit = new float[vector.length];
    for (int i = 0; i < unit.length; i++) {
      unit[i] = (float) ((double) vector[i] / norm);
    }
    return unit;
  }

  private static double contractDot(float[] a, float[] b) {
    double[] c = new double[8];
    for (int i = 0; i < a.length; i++) {
      c[i % 8] += (double) a[i] * (double) b[i];
    }
    return ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7]));
  }

  private static double plainDistance(Metric metric, float[] first, float[] second) {
    float[] a = stored(metric, first);
    float[] b = stored(metric, second);
    double dot = IntStream.range(0, a.length).mapToDouble(i -> (double) a[i] * b[i]).sum();
    return switch (metric) {
      case DOT -> -dot;
      case COSINE -> Math.max(0, 1 - dot);
      case L2 ->
          Math.sqrt(
              IntStream.range(0, a.length)
                  .mapToDouble(i -> Math.pow((double) a[i] - b[i], 2))
                  .sum());
    };
  }

  @ParameterizedTest
  @EnumSource(Metric.class)
  void groundTruthIsThatOfSortingEverything(Metric metric) {
    long seed = Long.parseLong("0" + System.getProperty("panvec.seed", ""));
    System.out.println("seed " + seed + " (-Dpanvec.seed)");
    for (int dimension : new int[] {1, 3, 17, 100}) {
      float[][] base = random(seed + dimension, 700, dimension);
      float[][] queries = random(seed - dimension, 70, dimension);

      GroundTruth truth = GroundTruth.compute(metric, 10, set(base), set(queries), progress);

      for (int q = 0; q < queries.length; q++) {
        float[] query = queries[q];
        List<Integer> sorted =
            IntStream.range(0, base.length)
                .boxed()
                .sorted(Comparator.comparingDouble(i -> plainDistance(metric, query, base[i])))
                .toList();
        for (int rank = 0; rank < 10; rank++) {
          assertThat(truth.distances()[10 * q + rank])
              .isCloseTo(plainDistance(metric, query, base[sorted.get(rank)]), within(1e-12));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Metric.class)
  void theOracleGivesAPairTheSameBitsInBothPlaces(Metric metric) {
    float[][] base = random(5, 300, 33);
    GroundTruth truth = GroundTruth.compute(metric, 300, set(base), set(base), progress);

    for (int i = 0; i < truth.ids().length; i++) {
      assertThat(truth.distances()[i])
          .isEqualTo(
              TrueDistance.of(
                  metric, stored(metric, base[i / 300]), stored(metric, base[truth.ids()[i]])));
    }
  }

  @Test
  void kIsCutToTheNumberOfRows() {
    assertThat(
            GroundTruth.of(
                    new GroundTruth.Key("a", "b", Metric.L2, 9),
                    set(random(1, 4, 2)),
                    set(random(2, 3, 2)),
                    Path.of("/proc/none"),
                    progress)
                .k())
        .isEqualTo(4);
    assertThat(said.toString()).contains("was not cached");
  }

  @Test
  void anyOfSeveralTiedNeighboursIsAHit() {
    VectorSet base =
        set(
            new float[] {1, 0},
            new float[] {0, 1},
            new float[] {-1, 0},
            new float[] {0, -1},
            new float[] {5, 5});
    VectorSet queries = set(new float[] {0, 0});
    Scorer scorer =
        new Scorer(
            Metric.L2, base, queries, GroundTruth.compute(Metric.L2, 2, base, queries, progress));

    assertThat(scorer.hits(0, new long[] {2, 3}, 2)).isEqualTo(2);
    assertThat(scorer.hits(0, new long[] {0, 3}, 2)).isEqualTo(2);
    assertThat(scorer.hits(0, new long[] {4, 3}, 2)).isEqualTo(1);
  }

  @Test
  void theToleranceIsAMillionthOfTheDistanceAlsoWhenItIsNegative() {
    float ten = 10;
    float inside = Math.nextDown(Math.nextDown(ten)); // 1.9e-7 of it less
    float outside = 9.9999f; // 1e-5 less
    VectorSet base = set(new float[] {ten}, new float[] {inside}, new float[] {outside});
    VectorSet queries = set(new float[] {1});
    Scorer scorer =
        new Scorer(
            Metric.DOT, base, queries, GroundTruth.compute(Metric.DOT, 1, base, queries, progress));

    assertThat(scorer.hits(0, new long[] {1}, 1)).isEqualTo(1);
    assertThat(scorer.hits(0, new long[] {2}, 1)).isZero();
  }

  @Test
  void scaledCopiesAreTiesUnderCosine() {
    float[] vector = random(3, 1, 50)[0];
    float[] third = new float[50];
    float[] seventh = new float[50];
    for (int i = 0; i < 50; i++) {
      vector[i] = Math.round(vector[i] * 100);
      third[i] = vector[i] * 3;
      seventh[i] = vector[i] * 7;
    }
    VectorSet base = set(third, seventh, vector);
    VectorSet queries = set(vector);
    Scorer scorer =
        new Scorer(
            Metric.COSINE,
            base,
            queries,
            GroundTruth.compute(Metric.COSINE, 1, base, queries, progress));

    for (long id = 0; id < 3; id++) {
      assertThat(scorer.hits(0, new long[] {id}, 1)).isEqualTo(1);
    }
  }

  /** What an index answers that keeps the contract to the bit: by (float32 distance, id). */
  private static long[] contractSearch(float[][] units, float[] unitQuery, int k) {
    float[] distances = new float[units.length];
    for (int i = 0; i < units.length; i++) {
      distances[i] = (float) Math.clamp(1 - contractDot(units[i], unitQuery), 0.0, 2.0);
    }
    return IntStream.range(0, units.length)
        .boxed()
        .sorted(Comparator.comparingDouble(i -> distances[i]))
        .limit(k)
        .mapToLong(i -> i)
        .toArray();
  }

  private void assertContractSearchIsPerfect(float[][] base, float[][] queries) {
    GroundTruth truth = GroundTruth.compute(Metric.COSINE, 10, set(base), set(queries), progress);
    Scorer scorer = new Scorer(Metric.COSINE, set(base), set(queries), truth);
    float[][] units = new float[base.length][];
    Arrays.setAll(units, i -> stored(Metric.COSINE, base[i]));

    for (int q = 0; q < queries.length; q++) {
      long[] ids = contractSearch(units, stored(Metric.COSINE, queries[q]), 10);
      assertThat(scorer.hits(q, ids, 10)).as("query %d", q).isEqualTo(10);
    }
  }

  @ParameterizedTest
  @ValueSource(floats = {1e-1f, 1e-3f, 1e-5f, 3e-7f, 1e-8f})
  void anIndexThatKeepsTheContractMissesNothingAmongNearDuplicates(float noise) {
    float[] centre = random(7, 1, 64)[0];
    float[][] base = random(8, 4_000, 64);
    float[][] queries = random(9, 40, 64);
    for (float[][] set : List.of(base, queries)) {
      for (float[] vector : set) {
        for (int i = 0; i < 64; i++) {
          vector[i] = centre[i] + noise * vector[i];
        }
      }
    }

    assertContractSearchIsPerfect(base, queries);
  }

  /** Many distances are equal but for the order in which a sum is added. */
  @Test
  void anIndexThatKeepsTheContractMissesNothingAmongRowsThatDifferInTheirLastBits() {
    Random random = new Random(10);
    float[] centre = random(11, 1, 100)[0];
    float[][] base = new float[2_000][];
    for (int row = 0; row < base.length; row++) {
      base[row] = centre.clone();
      int changes = random.nextInt(3);
      for (int change = 0; change < changes; change++) {
        int at = random.nextInt(100);
        base[row][at] = random.nextBoolean() ? Math.nextUp(centre[at]) : Math.nextDown(centre[at]);
      }
    }

    assertContractSearchIsPerfect(base, Arrays.copyOf(base, 40));
  }

  /**
   * Next to 0 a millionth of a cosine distance is less than the rounding of its sums: sums added in
   * another order must not cost a hit.
   */
  @Test
  void nextToZeroTheToleranceIsTheRoundingOfTheSums() {
    Random random = new Random(12);
    float[] vector = new float[8];
    double distance;
    do {
      for (int i = 0; i < vector.length; i++) {
        vector[i] = (float) random.nextGaussian();
      }
      distance = plainDistance(Metric.COSINE, vector, vector);
    } while (!(distance > 0 && distance < 1e-10));
    VectorSet set = set(vector);

    for (double kth : new double[] {distance - 1e-15, distance - 1e-14}) {
      GroundTruth truth = new GroundTruth(1, new int[1], new double[] {kth}, false, 0);
      assertThat(new Scorer(Metric.COSINE, set, set, truth).hits(0, new long[] {0}, 1))
          .as("%s less", distance - kth)
          .isEqualTo(kth > distance - 5e-15 ? 1 : 0);
    }
  }

  @Test
  void moreNeighboursThanAnArrayHoldsAreRefused(@TempDir Path folder) {
    VectorSet many = set(new float[70_000][1]);

    assertThatThrownBy(
            () ->
                GroundTruth.of(
                    new GroundTruth.Key("a", "b", Metric.L2, 70_000), many, many, folder, progress))
        .isInstanceOf(InputException.class)
        .hasMessage(
            "70000 queries x 70000 neighbours are 4900000000, more than the ground truth can hold "
                + "(178956882): lower --queries or --k");
  }

  @Test
  void anAnswerThatNoIndexMayGiveIsRefused() {
    VectorSet base = set(random(1, 5, 4));
    Scorer scorer =
        new Scorer(Metric.L2, base, base, GroundTruth.compute(Metric.L2, 2, base, base, progress));

    assertThatThrownBy(() -> scorer.hits(0, new long[] {1, 1}, 2)).hasMessageContaining("twice");
    assertThatThrownBy(() -> scorer.hits(0, new long[] {1, 5}, 2))
        .hasMessageContaining("never added");
    assertThatThrownBy(() -> scorer.hits(0, new long[] {-1, 1}, 2))
        .hasMessageContaining("never added");
    assertThatThrownBy(() -> scorer.hits(0, new long[] {1, 0}, 1))
        .hasMessageContaining("1 hits came back, not 2");
  }

  @Test
  void theIntervalIsThatOfTheMeanOverQueries() {
    // 75 queries with 10 of 10 and 25 with 6 of 10: mean 0.9, sample deviation sqrt(0.0303) =
    // 0.17408.
    List<Integer> hits = new ArrayList<>(Collections.nCopies(75, 10));
    hits.addAll(Collections.nCopies(25, 6));

    Recall recall = Recall.of(hits, 10);

    assertThat(recall.mean()).isCloseTo(0.9, within(1e-12));
    assertThat(recall.halfWidth())
        .isCloseTo(1.959964 * Math.sqrt((75 * 0.01 + 25 * 0.09) / 99) / 10, within(1e-7));
    assertThat(recall.misses()).isEqualTo(100);
    assertThat(recall).hasToString("0.9000 ± 0.0341");
  }

  @Test
  void onlyAPerfectRecallReadsOne() {
    List<Integer> hits = new ArrayList<>(Collections.nCopies(19_999, 10));
    assertThat(Recall.of(hits, 10)).hasToString("1.0000 ± 0.0000");
    hits.add(9);

    assertThat(Recall.of(hits, 10).perfect()).isFalse();
    assertThat(Recall.of(hits, 10).toString()).startsWith("0.9999");
  }

  @Test
  void groundTruthIsReadFromTheCacheAndADamagedFileIsMadeAnew(@TempDir Path folder)
      throws IOException {
    VectorSet base = set(random(1, 50, 6));
    VectorSet queries = set(random(2, 9, 6));
    GroundTruth.Key key =
        new GroundTruth.Key(base.verify(Metric.L2), queries.verify(Metric.L2), Metric.L2, 3);
    GroundTruth first = GroundTruth.of(key, base, queries, folder, progress);
    GroundTruth second = GroundTruth.of(key, base, queries, folder, progress);
    assertThat(first.cached()).isFalse();
    assertThat(second.cached()).isTrue();
    assertThat(second.ids()).isEqualTo(first.ids());
    assertThat(second.distances()).isEqualTo(first.distances());
    Path file;
    try (var files = Files.list(folder)) {
      file = files.findFirst().orElseThrow();
    }
    byte[] whole = Files.readAllBytes(file);

    for (int at = 0; at < whole.length; at += 5) {
      byte[] damaged = whole.clone();
      damaged[at] ^= 1;
      Files.write(file, damaged);
      assertThat(GroundTruth.of(key, base, queries, folder, progress).ids()).isEqualTo(first.ids());
      assertThat(Files.readAllBytes(file)).as("byte %d", at).isEqualTo(whole);
    }
    Files.write(file, new byte[3]);
    assertThat(GroundTruth.of(key, base, queries, folder, progress).cached()).isFalse();
    assertThat(said.toString()).contains("is damaged");
  }

  @Test
  void otherMetricKOrContentIsAnotherCacheFile(@TempDir Path folder) throws IOException {
    VectorSet base = set(random(1, 50, 6));
    VectorSet queries = set(random(2, 9, 6));
    String b = base.verify(Metric.L2);
    String q = queries.verify(Metric.L2);
    for (GroundTruth.Key key :
        List.of(
            new GroundTruth.Key(b, q, Metric.L2, 3),
            new GroundTruth.Key(b, q, Metric.L2, 4),
            new GroundTruth.Key(b, q, Metric.DOT, 3),
            new GroundTruth.Key(q, b, Metric.L2, 3))) {
      assertThat(GroundTruth.of(key, base, queries, folder, progress).cached()).isFalse();
    }
    try (var files = Files.list(folder)) {
      assertThat(files).hasSize(4);
    }
  }

  @Test
  void percentilesAreOfEverySingleLatency() {
    LatencyLog one = new LatencyLog(1);
    LatencyLog other = new LatencyLog(1);
    for (int i = 100; i >= 1; i--) {
      (i % 3 == 0 ? one : other).add(i * 1000L);
    }
    long[] sorted = LatencyLog.sorted(List.of(one, other));

    assertThat(LatencyLog.micros(sorted, 0.50)).isEqualTo(50);
    assertThat(LatencyLog.micros(sorted, 0.95)).isEqualTo(95);
    assertThat(LatencyLog.micros(sorted, 0.99)).isEqualTo(99);
    assertThat(LatencyLog.micros(sorted, 1)).isEqualTo(100);
  }

  @Test
  void aTableAlignsNumbersToTheRightAndLetsRemarksRunOn() {
    TextTable table = new TextTable(1, "name", "a", "b");
    table.row("x", "1", "22");
    table.row("longer", "a remark that is longer than its column");
    table.row("y", "333", "4");

    assertThat(table)
        .hasToString(
            """
            name      a   b
            ---------------
            x         1  22
            longer  a remark that is longer than its column
            y       333   4
            """);
  }
}
