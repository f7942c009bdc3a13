package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Training. */
class TrainingTest extends ConformanceTest {

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("training.keeps-exact-answers")
  void trainingChangesNoExactAnswer(Metric metric) {
    Rows rows = Rows.gaussian(metric, 12, 1500);
    float[] sample = rows.queries(600);
    float[] before = sample.clone();
    try (VectorIndex index = create(12, metric)) {
      index.train(sample);
      assertThat(sample).isEqualTo(before);
      assertThat(index.size()).isZero();
      assertThat(index.search(ones(12), 3).count()).isZero();
      rows.addTo(index);
      rows.assertUnchanged(index);
      for (int q = 0; q < 10; q++) {
        float[] query = TestVectors.gaussian(rows.random, 12);
        assertThat(index.search(SearchRequest.of(query, 10).exact()).hits())
            .isEqualTo(Reference.nearest(metric, rows.byId, query, 10, id -> true));
        assertThat(index.search(query, 10).count()).isEqualTo(10);
      }
    }
  }

  @Test
  @Contract("training.sample-shape")
  void aSampleOfAnotherShapeIsRefused() {
    try (VectorIndex index = create(4, any(Metric.L2))) {
      assertThatThrownBy(() -> index.train(new float[4 * 100 + 3]))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("403 components")
          .hasMessageContaining("4");
      index.add(1, ones(4));
      assertThat(index.search(ones(4), 1).id(0)).isEqualTo(1);
    }
  }
}
