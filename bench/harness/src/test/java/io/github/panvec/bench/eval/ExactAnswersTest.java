package io.github.panvec.bench.eval;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.VectorIndex;
import io.github.panvec.bench.data.VectorSet;
import io.github.panvec.bench.toy.ToyBackend;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HashSet;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class ExactAnswersTest {
  private static final int DIMENSION = 19;

  @AfterEach
  void behave() {
    System.clearProperty(ToyBackend.MISCHIEF);
  }

  private static VectorSet random(long seed, int rows) {
    Random random = new Random(seed);
    ByteBuffer bytes = ByteBuffer.allocate(4 * rows * DIMENSION).order(ByteOrder.LITTLE_ENDIAN);
    while (bytes.hasRemaining()) {
      bytes.putFloat(random.nextInt(-8, 9));
    }
    return new VectorSet(
        "random",
        MemorySegment.ofArray(bytes.array()),
        0,
        4L * DIMENSION,
        VectorSet.Element.FLOAT32,
        rows,
        DIMENSION);
  }

  private static ExactAnswers ofToy(Metric metric, VectorSet base, VectorSet queries) {
    IndexSpec spec = IndexSpec.of("toy", DIMENSION, metric);
    try (VectorIndex index = Panvec.create(spec)) {
      for (int row = base.rows() - 1; row >= 0; row--) {
        index.add(row, base.row(row));
      }
      return ExactAnswers.of(index, 7, base, queries);
    }
  }

  /** Small whole numbers, so that many rows tie and ids decide. */
  @ParameterizedTest
  @EnumSource(Metric.class)
  void anIndexThatKeepsTheContractAgreesWithPlainJava(Metric metric) {
    VectorSet base = random(1, 900);
    VectorSet queries = random(2, 30);

    ExactAnswers java = ExactAnswers.ofPlainJava(metric, 7, base, queries);
    ExactAnswers toy = ofToy(metric, base, queries);

    assertThat(java.difference(toy)).isNull();
    assertThat(toy.fingerprint()).isEqualTo(java.fingerprint()).hasSize(64);
  }

  @ParameterizedTest
  @ValueSource(strings = {"wrong", "exact-bits", "filter"})
  void whatDiffersHasAnotherFingerprintAndIsNamed(String flaw) {
    VectorSet base = random(1, 900);
    VectorSet queries = random(2, 30);
    ExactAnswers java = ExactAnswers.ofPlainJava(Metric.L2, 7, base, queries);
    System.setProperty(ToyBackend.MISCHIEF, flaw);

    ExactAnswers toy = ofToy(Metric.L2, base, queries);

    assertThat(toy.fingerprint()).isNotEqualTo(java.fingerprint());
    assertThat(java.difference(toy))
        .startsWith("query 0" + (flaw.equals("filter") ? " among 9 listed ids, hit " : ", hit "));
  }

  @Test
  void fewerMatchesThanKAreAnAnswerToo() {
    VectorSet base = random(3, 40);
    VectorSet queries = random(4, 3);

    ExactAnswers java = ExactAnswers.ofPlainJava(Metric.DOT, 7, base, queries);

    assertThat(java.difference(ofToy(Metric.DOT, base, queries))).isNull();
    assertThat(java.unfiltered(0).count()).isEqualTo(7);
  }

  @Test
  void dataMetricAndKChangeTheFingerprint() {
    VectorSet base = random(1, 200);
    VectorSet queries = random(2, 5);
    Set<String> all = new HashSet<>();
    all.add(ExactAnswers.ofPlainJava(Metric.L2, 7, base, queries).fingerprint());
    all.add(ExactAnswers.ofPlainJava(Metric.L2, 6, base, queries).fingerprint());
    all.add(ExactAnswers.ofPlainJava(Metric.DOT, 7, base, queries).fingerprint());
    all.add(ExactAnswers.ofPlainJava(Metric.L2, 7, base, queries.head(4)).fingerprint());
    all.add(ExactAnswers.ofPlainJava(Metric.L2, 7, base.head(190), queries).fingerprint());

    assertThat(all).hasSize(5);
  }

  /** The formula of the contract, written as the contract writes it. */
  @ParameterizedTest
  @EnumSource(Metric.class)
  void theReferenceIsTheContractsFormula(Metric metric) {
    Random random = new Random(5);
    for (int dimension = 1; dimension <= 40; dimension++) {
      float[] a = new float[dimension];
      float[] b = new float[dimension];
      for (int i = 0; i < dimension; i++) {
        a[i] = random.nextFloat(-1, 1);
        b[i] = random.nextFloat(-1, 1);
      }
      double[] c = new double[8];
      for (int i = 0; i < dimension; i++) {
        double t = (double) a[i] - (double) b[i];
        c[i % 8] += metric == Metric.L2 ? t * t : (double) a[i] * (double) b[i];
      }
      double sum = ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7]));
      float wanted =
          switch (metric) {
            case L2 -> (float) Math.sqrt(sum);
            case COSINE -> (float) Math.min(2, Math.max(0, 1 - sum));
            case DOT -> (float) -sum;
          };

      assertThat(Reference.distance(metric, a, b)).as("%d", dimension).isEqualTo(wanted);
    }
  }

  /** A one is lost in a large sum unless that has met its opposite before. */
  @Test
  void theEightSumsAreAddedInTheContractsOrder() {
    for (int plus = 0; plus < 8; plus++) {
      for (int minus = 0; minus < 8; minus++) {
        for (int one = 0; one < 8; one++) {
          float[] a = new float[8];
          float[] b = new float[8];
          double[] c = new double[8];
          for (int i : new int[] {plus, minus, one}) {
            a[i] = i == one ? 1 : i == plus ? 1e9f : -1e9f;
            b[i] = i == one ? 1 : 1e9f;
            c[i] = (double) a[i] * (double) b[i];
          }
          double sum = ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7]));

          assertThat(Reference.distance(Metric.DOT, a, b))
              .as("+ in %d, - in %d, 1 in %d", plus, minus, one)
              .isEqualTo((float) (0.0 - sum));
        }
      }
    }
  }

  @Test
  void noDistanceIsANegativeZero() {
    assertThat(
            Float.floatToRawIntBits(
                Reference.distance(Metric.DOT, new float[] {0}, new float[] {1})))
        .isZero();
  }
}
