package io.github.panvec.spi;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;

class VectorsTest {

  private static float[] second(Metric metric, float... vectors) {
    float[] vector = new float[2];
    Vectors.read("row", MemorySegment.ofArray(vectors), 1, vector, metric);
    return vector;
  }

  @Test
  void aVectorIsReadAsItIsGiven() {
    assertThat(second(Metric.L2, 1, 2, -0.0f, Float.MIN_VALUE))
        .isEqualTo(new float[] {-0.0f, Float.MIN_VALUE});
    assertThat(second(Metric.COSINE, 0, 0, 3, 4)).isEqualTo(new float[] {3, 4});
    assertThat(second(Metric.DOT, 1, 2, 0, 0)).isEqualTo(new float[] {0, 0});
  }

  @Test
  void badComponentsAndTheZeroVectorAreNamed() {
    assertThatThrownBy(() -> second(Metric.L2, 1, 2, 3, Float.NaN))
        .isInstanceOf(InvalidVectorException.class)
        .hasMessage("row 1: component 1 is NaN");
    assertThatThrownBy(() -> second(Metric.L2, 1, 2, Float.NEGATIVE_INFINITY, 3))
        .hasMessage("row 1: component 0 is infinite");
    assertThatThrownBy(() -> second(Metric.COSINE, 1, 2, 0, -0.0f))
        .hasMessage("row 1: the vector is zero, which COSINE cannot take");
  }
}
