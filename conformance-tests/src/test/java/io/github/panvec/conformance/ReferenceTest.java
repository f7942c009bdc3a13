package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The oracle is held to values from outside: worked out by hand, or written down once. */
class ReferenceTest {
  private static final Map<Metric, String> FINGERPRINTS =
      Map.of(
          Metric.L2, "33b657b33e70721014a2dc1df6f0a97098d088b9e26d35b6a8543e6d068c6a0b",
          Metric.COSINE, "6548332254051fd63585c09d6dcd097cde6de8f3db02d61d8104fe2cb8297a9e",
          Metric.DOT, "88ae585613de76df3259b2a9d095f12bbc479a3a77c1f15d6c35c292697b9479");

  /** The fingerprint of plain Java. */
  static String fingerprint(Metric metric) {
    Fingerprint.Data data = Fingerprint.data(metric);
    Fingerprint plain = new Fingerprint();
    for (IdFilter filter : data.filters()) {
      for (int q = 0; q < data.queries().size(); q++) {
        float[] query = data.queries().get(q);
        plain.add(q, data.rows().nearest(query, data.k(), id -> filter == null || filter.test(id)));
      }
    }
    return plain.hex();
  }

  @ParameterizedTest
  @EnumSource(Metric.class)
  void theFingerprintIsTheOneThatWasWrittenDown(Metric metric) {
    assertThat(fingerprint(metric)).isEqualTo(FINGERPRINTS.get(metric));
  }

  @ParameterizedTest
  @CsvSource({
    // 3-4-5; the root of 2 as a float; nothing; the smallest float.
    "L2, 0 0, 3 4, 0x40a00000",
    "L2, 1 0, 0 1, 0x3fb504f3",
    "L2, 1 1, 1 1, 0x00000000",
    "L2, 0x1p-149, 0, 0x00000001",
    "DOT, 1 2, 3 4, 0xc1300000",
    "DOT, 1e-30, 1e-30, 0x00000000",
    "DOT, 1e-30, -1e-30, 0x00000000",
    "DOT, 0x1p64, 0x1p64, 0xff800000",
    "COSINE, 1 0, 0 2, 0x3f800000",
    "COSINE, 2 0, 5 0, 0x00000000",
    "COSINE, 2 0, -5 0, 0x40000000",
    // 0.6f is 0.60000002384185791015625: 1 minus it, as a float.
    "COSINE, 3 4, 1 0, 0x3ecccccc",
  })
  void distancesHaveTheseBits(Metric metric, String a, String b, String bits) {
    float[] storedA = Reference.stored(metric, vector(a));
    float[] storedB = Reference.stored(metric, vector(b));
    assertThat(Float.floatToRawIntBits(Reference.distance(metric, storedA, storedB)))
        .isEqualTo(Integer.parseUnsignedInt(bits.substring(2), 16));
  }

  private static float[] vector(String text) {
    String[] words = text.split(" ");
    float[] vector = new float[words.length];
    for (int i = 0; i < words.length; i++) {
      vector[i] = Float.parseFloat(words[i]);
    }
    return vector;
  }

  /** 2^54 and its opposite in accumulators 0 and 4 cancel before the 1 of accumulator 1 comes. */
  @Test
  void accumulatorsAreAddedInPairs() {
    float[] a = new float[8];
    float[] b = new float[8];
    a[0] = 0x1p27f;
    b[0] = 0x1p27f;
    a[4] = 0x1p27f;
    b[4] = -0x1p27f;
    a[1] = 1;
    b[1] = 1;
    assertThat(Reference.distance(Metric.DOT, a, b)).isEqualTo(-1);
    // In accumulator 0 together, the small one first: it vanishes.
    float[] c = new float[17];
    float[] d = new float[17];
    c[0] = 1;
    d[0] = 1;
    c[8] = 0x1p27f;
    d[8] = 0x1p27f;
    c[16] = 0x1p27f;
    d[16] = -0x1p27f;
    assertThat(Reference.distance(Metric.DOT, c, d)).isZero();
  }

  @Test
  void theNearestComeByDistanceThenId() {
    Map<Long, float[]> rows = new TreeMap<>();
    rows.put(5L, new float[] {1, 0});
    rows.put(-1L, new float[] {0, 1});
    rows.put(2L, new float[] {0, 0});
    rows.put(3L, new float[] {9, 9});
    assertThat(Reference.nearest(Metric.L2, rows, new float[2], 3, id -> id != 4))
        .containsExactly(new Hit(2, 0), new Hit(-1, 1), new Hit(5, 1));
    assertThat(Reference.nearest(Metric.L2, rows, new float[2], 3, id -> id == 3))
        .extracting(Hit::id)
        .isEqualTo(List.of(3L));
  }
}
