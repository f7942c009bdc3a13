package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Hit;
import io.github.panvec.Metric;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.List;
import java.util.TreeMap;
import java.util.function.LongPredicate;
import java.util.random.RandomGenerator;
import java.util.stream.LongStream;

/** Rows by id as they were given, and the seeded random source they came from. */
final class Rows {
  final RandomGenerator random = TestVectors.random();
  final TreeMap<Long, float[]> byId = new TreeMap<>();
  private final Metric metric;
  private final int dimension;

  Rows(Metric metric, int dimension) {
    this.metric = metric;
    this.dimension = dimension;
  }

  /** {@code count} rows with the ids from −10 on. */
  static Rows gaussian(Metric metric, int dimension, int count) {
    Rows rows = new Rows(metric, dimension);
    for (int i = 0; i < count; i++) {
      rows.put(i - 10L, rows.query());
    }
    return rows;
  }

  Metric metric() {
    return metric;
  }

  void put(long id, float[] row) {
    byId.put(id, row);
  }

  void remove(long id) {
    byId.remove(id);
  }

  long[] ids() {
    return byId.keySet().stream().mapToLong(Long::longValue).toArray();
  }

  /** The first of the ids, and each {@code step}-th after it. */
  long[] every(int step) {
    long[] ids = ids();
    return LongStream.range(0, (ids.length + step - 1) / step)
        .map(i -> ids[(int) i * step])
        .toArray();
  }

  /** All rows one after another, in the order of {@link #ids()}. */
  float[] flat() {
    return TestVectors.flat(byId.values().toArray(float[][]::new));
  }

  /** A new random vector. */
  float[] query() {
    return TestVectors.gaussian(random, dimension);
  }

  float[] queries(int count) {
    return TestVectors.gaussian(random, count * dimension);
  }

  /** A new index of these rows. */
  VectorIndex index(Subject subject) {
    VectorIndex index = subject.create(dimension, metric);
    addTo(index);
    return index;
  }

  void addTo(VectorIndex index) {
    index.addAll(ids(), flat());
  }

  /** Adds the rows whose ids are from the {@code from}-th to before the {@code to}-th. */
  void addTo(VectorIndex index, int from, int to) {
    long[] ids = LongStream.of(ids()).skip(from).limit(to - from).toArray();
    index.addAll(
        ids, TestVectors.flat(LongStream.of(ids).mapToObj(byId::get).toArray(float[][]::new)));
  }

  /** What an exact search has to return. */
  List<Hit> nearest(float[] query, int k) {
    return nearest(query, k, id -> true);
  }

  List<Hit> nearest(float[] query, int k, LongPredicate passes) {
    return Reference.nearest(metric, byId, query, k, passes);
  }

  /** Every hit is a row, at the reference's distance, once, in order. */
  void assertDistances(float[] query, SearchResult result) {
    float[] stored = Reference.stored(metric, query);
    Hit previous = null;
    for (Hit hit : result.hits()) {
      assertThat(byId).containsKey(hit.id());
      float[] row = Reference.stored(metric, byId.get(hit.id()));
      float distance = Reference.distance(metric, stored, row);
      // By their bits: as numbers -0.0 and 0.0 are equal.
      assertThat(Float.floatToRawIntBits(hit.distance()))
          .as("bits of the distance %s of %d, %s", hit.distance(), hit.id(), distance)
          .isEqualTo(Float.floatToRawIntBits(distance));
      if (previous != null) {
        assertThat(
                previous.distance() < hit.distance()
                    || previous.distance() == hit.distance() && previous.id() < hit.id())
            .as("%s before %s", previous, hit)
            .isTrue();
      }
      previous = hit;
    }
  }

  /** The index holds exactly these rows, bit for bit. */
  void assertUnchanged(VectorIndex index) {
    assertThat(index.size()).isEqualTo(byId.size());
    byId.forEach(
        (id, row) ->
            assertThat(index.get(id).orElseThrow()).isEqualTo(Reference.stored(metric, row)));
  }
}
