package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every kind of index of every backend gives the same exact answers. */
class AgreementTest {
  private static final int DIMENSION = 40;
  private static final int ROWS = 2500;

  @ParameterizedTest
  @EnumSource(Metric.class)
  void exactAnswersAreTheSameBitsEverywhereAndPlainHitsHaveTheirDistances(Metric metric) {
    RandomGenerator random = TestVectors.random();
    Map<Long, float[]> rows = new LinkedHashMap<>();
    for (long i = 0; i < ROWS; i++) {
      // Some twice, so that ties are part of it.
      float[] row = i % 9 == 8 ? rows.get(31 * (i - 1)) : TestVectors.gaussian(random, DIMENSION);
      rows.put(31 * i, row);
    }
    float[] queries = TestVectors.gaussian(random, 30 * DIMENSION);
    List<List<Hit>> expected = expected(metric, new TreeMap<>(rows), queries);
    int kinds = 0;
    for (Specs.Kind kind : Specs.all()) {
      if (kind.parameters().containsValue("i8") && metric != Metric.COSINE) {
        continue;
      }
      kinds++;
      try (VectorIndex index = Panvec.create(kind.spec(DIMENSION, metric))) {
        index.addAll(
            rows.keySet().stream().mapToLong(Long::longValue).toArray(),
            TestVectors.flat(rows.values().toArray(float[][]::new)));
        assertThat(answers(index, queries)).as("%s", kind).isEqualTo(expected);
        assertDistances(index, queries);
      }
    }
    assertThat(kinds).isGreaterThanOrEqualTo(19);
  }

  private static IdFilter filter() {
    return IdFilter.in(LongStream.range(0, 31 * ROWS).filter(id -> id % 3 == 0).toArray());
  }

  private static List<List<Hit>> expected(Metric metric, Map<Long, float[]> rows, float[] queries) {
    List<List<Hit>> answers = new ArrayList<>();
    for (int q = 0; q < 30; q++) {
      float[] query = new float[DIMENSION];
      System.arraycopy(queries, q * DIMENSION, query, 0, DIMENSION);
      answers.add(Reference.nearest(metric, rows, query, 20, id -> true));
      answers.add(Reference.nearest(metric, rows, query, 20, id -> id % 3 == 0));
    }
    return answers;
  }

  private static List<List<Hit>> answers(VectorIndex index, float[] queries) {
    List<List<Hit>> answers = new ArrayList<>();
    SearchRequest exact = SearchRequest.of(queries, 20).exact();
    List<List<Hit>> all = index.searchAll(exact).stream().map(r -> r.hits()).toList();
    List<List<Hit>> some =
        index.searchAll(exact.filter(filter())).stream().map(r -> r.hits()).toList();
    for (int q = 0; q < 30; q++) {
      answers.add(all.get(q));
      answers.add(some.get(q));
    }
    return answers;
  }

  private static void assertDistances(VectorIndex index, float[] queries) {
    List<List<Hit>> scanned =
        index.searchAll(SearchRequest.of(queries, ROWS).exact()).stream()
            .map(r -> r.hits())
            .toList();
    List<List<Hit>> plain = index.searchAll(queries, 20).stream().map(r -> r.hits()).toList();
    for (int q = 0; q < 30; q++) {
      Map<Long, Float> distances = new HashMap<>();
      scanned.get(q).forEach(hit -> distances.put(hit.id(), hit.distance()));
      for (Hit hit : plain.get(q)) {
        assertThat(hit.distance()).isEqualTo(distances.get(hit.id()));
      }
    }
  }
}
