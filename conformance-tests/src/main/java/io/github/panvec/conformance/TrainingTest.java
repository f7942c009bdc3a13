package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.Hit;
import io.github.panvec.IndexSpec;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Training. */
class TrainingTest extends ConformanceTest {
  private static final int DIMENSION = 12;

  /** Waits for so many rows, where it is of a kind that learns. */
  private VectorIndex createWaitingFor(int trainingRows, Metric metric) {
    IndexSpec spec = spec(DIMENSION, metric);
    return subject.create(subject.learns() ? spec.with(Subject.TRAINING_ROWS, trainingRows) : spec);
  }

  private static void requireExact(Rows rows, VectorIndex index) {
    rows.assertUnchanged(index);
    for (int q = 0; q < 10; q++) {
      float[] query = rows.query();
      assertThat(index.search(SearchRequest.of(query, 10).exact()).hits())
          .isEqualTo(rows.nearest(query, 10));
      assertThat(index.search(query, 10).count()).isEqualTo(10);
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract({"training.keeps-exact-answers", "training.once", "vectors.unchanged"})
  void trainingBeforeTheFirstRowChangesNoExactAnswer(Metric metric) {
    Rows rows = Rows.gaussian(metric, DIMENSION, 1500);
    float[] sample = rows.queries(600);
    float[] before = sample.clone();
    try (VectorIndex index = create(DIMENSION, metric)) {
      assertThat(index.train(sample)).isEqualTo(subject.learns());
      assertThat(index.train(sample)).isFalse();
      assertThat(sample).isEqualTo(before);
      assertThat(index.size()).isZero();
      assertThat(index.search(ones(DIMENSION), 3).count()).isZero();
      rows.addTo(index);
      requireExact(rows, index);
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract({"training.keeps-exact-answers", "training.once"})
  void trainingWhenRowsAreThereChangesNoExactAnswer(Metric metric) {
    Rows rows = Rows.gaussian(metric, DIMENSION, 900);
    try (VectorIndex index = createWaitingFor(100_000, metric)) {
      rows.addTo(index, 0, 600);
      assertThat(index.train(rows.queries(600))).isEqualTo(subject.learns());
      assertThat(index.train(rows.queries(600))).isFalse();
      assertThat(index.size()).isEqualTo(600);
      rows.addTo(index, 600, 900);
      requireExact(rows, index);
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract({"training.keeps-exact-answers", "training.once"})
  void trainingByItselfChangesNoExactAnswer(Metric metric) {
    Rows rows = Rows.gaussian(metric, DIMENSION, 900);
    try (VectorIndex index = createWaitingFor(300, metric)) {
      rows.addTo(index, 0, 200);
      rows.addTo(index, 200, 600);
      assertThat(index.train(rows.queries(600))).as("trained by itself, and again").isFalse();
      rows.addTo(index, 600, 900);
      requireExact(rows, index);
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("training.seeded")
  void theSameSampleAndSeedTeachTheSame(Metric metric) {
    assumeTrue(subject.learns(), "it learns nothing");
    Rows rows = Rows.gaussian(metric, DIMENSION, 1500);
    float[] sample = rows.queries(600);
    float[] queries = rows.queries(50);
    assertThat(answers(rows, sample, queries)).isEqualTo(answers(rows, sample, queries));
  }

  /** Of a search that is as coarse as can be, so that what was learnt shows. */
  private List<List<Hit>> answers(Rows rows, float[] sample, float[] queries) {
    IndexSpec spec = spec(DIMENSION, rows.metric());
    try (VectorIndex index = subject.create(subject.onOneThread(spec))) {
      assertThat(index.train(sample)).isTrue();
      rows.addTo(index);
      SearchRequest coarse = SearchRequest.of(queries, 10).nprobe(1).efSearch(10).refineFactor(1);
      List<List<Hit>> answers = new ArrayList<>();
      index.searchAll(coarse).forEach(result -> answers.add(result.hits()));
      return answers;
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
