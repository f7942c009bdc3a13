package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Hit;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Vectors that are taken as they are, and those that are refused. */
class InputTest extends ConformanceTest {

  @ParameterizedTest
  @ValueSource(floats = {Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
  @Contract({"vectors.finite", "add.all-or-nothing", "errors.index-as-before"})
  void nonFiniteComponentsAreRefusedNamingRowAndComponent(float bad) {
    for (Metric metric : metrics()) {
      try (VectorIndex index = create(17, metric)) {
        Rows rows = Rows.gaussian(metric, 17, 50);
        rows.addTo(index);
        float[] batch =
            TestVectors.flat(
                new float[][] {rows.byId.get(1L), rows.byId.get(2L), rows.byId.get(3L)});
        batch[17 + 16] = bad;
        String what = Float.isNaN(bad) ? "NaN" : "infinite";
        assertThatThrownBy(() -> index.addAll(new long[] {1001, 1002, 1003}, batch))
            .isInstanceOf(InvalidVectorException.class)
            .hasMessageContaining("row 1")
            .hasMessageContaining("component 16")
            .hasMessageContaining(what);
        float[] query = TestVectors.gaussian(rows.random, 17);
        query[0] = bad;
        assertThatThrownBy(() -> index.search(query, 3))
            .isInstanceOf(InvalidVectorException.class)
            .hasMessageContaining("component 0")
            .hasMessageContaining(what);
        assertThatThrownBy(() -> index.search(SearchRequest.of(query, 3).exact()))
            .isInstanceOf(InvalidVectorException.class);
        assertThatThrownBy(() -> index.upsert(1, query)).isInstanceOf(InvalidVectorException.class);
        rows.assertUnchanged(index);
      }
    }
  }

  @Test
  @Contract("vectors.no-zero-cosine")
  void theZeroVectorHasNoCosine() {
    try (VectorIndex index = create(5, only(Metric.COSINE))) {
      index.add(1, new float[] {1, 0, 0, 0, 0});
      assertThatThrownBy(() -> index.add(2, new float[5]))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("zero");
      assertThatThrownBy(
              () -> index.addAll(new long[] {3, 4}, new float[] {1, 1, 1, 1, 1, 0, -0.0f, 0, 0, 0}))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("row 1");
      assertThatThrownBy(() -> index.search(new float[5], 1))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("zero");
      assertThat(index.size()).isEqualTo(1);
    }
  }

  @Test
  @Contract("vectors.zero-elsewhere")
  void theZeroVectorHasDistances() {
    try (VectorIndex index = create(5, only(Metric.L2))) {
      index.add(2, new float[5]);
      assertThat(index.search(new float[5], 1).hits()).containsExactly(new Hit(2, 0));
    }
  }

  @Test
  @Contract("vectors.length")
  void wrongDimensionsAreRefused() {
    try (VectorIndex index = create(4, any(Metric.L2))) {
      assertThatThrownBy(() -> index.add(1, new float[3]))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("3 components")
          .hasMessageContaining("4");
      assertThatThrownBy(() -> index.addAll(new long[] {1, 2}, new float[7]))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("8 components");
      assertThatThrownBy(() -> index.search(new float[5], 1))
          .isInstanceOf(InvalidVectorException.class);
      assertThatThrownBy(() -> index.upsert(1, new float[0]))
          .isInstanceOf(InvalidVectorException.class);
      assertThat(index.size()).isZero();
    }
  }

  @Test
  @Contract({"vectors.segments", "errors.index-as-before"})
  void segmentsThatCannotBeReadAreRefusedInTheWordsOfTheJdk() throws Exception {
    try (VectorIndex index = create(2, any(Metric.L2))) {
      index.add(1, new float[] {1, 2});
      MemorySegment gone;
      try (Arena arena = Arena.ofConfined()) {
        gone = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1, 2);
      }
      assertThatThrownBy(() -> index.search(SearchRequest.of(gone, 1)))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> index.search(SearchRequest.of(gone, 1).exact()))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> index.addAll(MemorySegment.ofArray(new long[] {2}), gone))
          .isInstanceOf(IllegalStateException.class);
      try (Arena arena = Arena.ofConfined();
          ExecutorService pool = Executors.newSingleThreadExecutor()) {
        MemorySegment foreign = arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1, 2);
        Future<?> elsewhere =
            pool.submit(
                () ->
                    assertThatThrownBy(() -> index.search(SearchRequest.of(foreign, 1)))
                        .isInstanceOf(WrongThreadException.class));
        elsewhere.get();
      }
      assertThat(index.size()).isEqualTo(1);
      assertThat(index.search(new float[] {1, 2}, 1).id(0)).isEqualTo(1);
    }
  }

  @Test
  @Contract({"get.bit-for-bit", "vectors.unchanged"})
  void vectorsAreCopiedOnTheWayInAndOut() {
    for (Metric metric : metrics()) {
      try (VectorIndex index = create(3, metric)) {
        float[] one = {3, 0, 4};
        float[] two = {1, 2, 2};
        float[] batch = {4, 4, 2};
        Rows rows = new Rows(metric, 3);
        rows.put(1, one.clone());
        rows.put(2, two.clone());
        rows.put(3, batch.clone());
        index.add(1, one);
        index.upsert(2, two);
        index.addAll(new long[] {3}, batch);
        for (float[] mine : List.of(one, two, batch)) {
          mine[1] = 9;
        }
        for (long id : rows.ids()) {
          index.get(id).orElseThrow()[0] = 9;
        }
        rows.assertUnchanged(index);
      }
    }
  }
}
