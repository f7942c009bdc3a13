package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Claims that other tests hold by {@code get} or {@code exact}, held without them where an index
 * keeps codes in place of its vectors.
 */
class CodesOnlyClaimsTest extends ConformanceTest {
  private static final int DIMENSION = 16;

  static Stream<Subject> subjects() {
    return Subjects.codesOnly();
  }

  private Rows rows(int count) {
    return Rows.gaussian(any(Metric.L2), DIMENSION, count);
  }

  /** The only row that passes. */
  private static Hit only(VectorIndex index, float[] query, long id) {
    SearchResult found = index.search(SearchRequest.of(query, 10).filter(IdFilter.in(id)));
    assertThat(found.ids()).containsExactly(id);
    return found.hits().get(0);
  }

  @Test
  @Contract({"ids.any-long", "remove.add-again", "remove.everything"})
  void anyLongIsAnIdAndEverythingCanBeRemovedAndAddedAgain() {
    Rows rows = new Rows(any(Metric.L2), DIMENSION);
    for (long id : new long[] {-1, 0, 1, Long.MIN_VALUE, Long.MAX_VALUE, 1L << 40, -(1L << 40)}) {
      rows.put(id, rows.query());
    }
    float[] query = rows.query();
    try (VectorIndex index = create(DIMENSION, any(Metric.L2))) {
      for (int round = 0; round < 3; round++) {
        rows.addTo(index);
        assertThat(index.search(query, 10).ids()).containsExactlyInAnyOrder(rows.ids());
        for (long id : rows.ids()) {
          only(index, query, id);
          assertThat(index.remove(id)).isTrue();
          assertThat(index.contains(id)).isFalse();
        }
        assertThat(index.size()).isZero();
        assertThat(index.search(query, 10).count()).isZero();
      }
    }
  }

  @Test
  @Contract("add.one-of-many-wins")
  void oneOfManyConcurrentAddsOfAnIdWins() throws Exception {
    float[][] rows = rows(4).byId.values().toArray(float[][]::new);
    try (VectorIndex index = create(DIMENSION, any(Metric.L2))) {
      IdTest.requireOneWinner(index, rows);
    }
  }

  @Test
  @Contract({"vectors.length", "vectors.finite", "errors.index-as-before"})
  void badVectorsAreRefusedAndChangeNothing() {
    Rows rows = rows(40);
    float[] query = rows.query();
    float[] bad = rows.query();
    bad[5] = Float.NEGATIVE_INFINITY;
    try (VectorIndex index = rows.index(subject)) {
      List<Hit> before = index.search(query, 40).hits();
      assertRefused(() -> index.add(1000, new float[3]), "3 components", "" + DIMENSION);
      assertRefused(() -> index.upsert(1, bad), "component 5", "infinite");
      assertRefused(() -> index.search(bad, 3), "component 5", "infinite");
      assertRefused(() -> index.search(new float[17], 3), "17 components", "" + DIMENSION);
      assertThat(index.search(query, 40).hits()).isEqualTo(before);
    }
  }

  private static void assertRefused(Runnable call, String... words) {
    assertThatThrownBy(call::run)
        .isInstanceOf(InvalidVectorException.class)
        .hasMessageContainingAll(words);
  }

  @Test
  @Contract("vectors.no-zero-cosine")
  void theZeroVectorHasNoCosine() {
    float[] zero = new float[DIMENSION];
    zero[3] = -0.0f;
    try (VectorIndex index = create(DIMENSION, only(Metric.COSINE))) {
      assertRefused(() -> index.add(1, zero), "zero");
      assertRefused(() -> index.search(zero, 1), "zero");
      assertThat(index.size()).isZero();
    }
  }

  @ParameterizedTest
  @MethodSource("shapes")
  @Contract({"vectors.heap-and-native-alike", "vectors.unchanged"})
  void heapArraysAndSegmentsAreTakenAlikeAndLeftAlone(Subject.Shape shape) {
    Rows rows = Rows.gaussian(shape.metric(), shape.dimension(), 40);
    float[] query = rows.query();
    float[] flat = rows.flat();
    float[] before = query.clone();
    try (VectorIndex heap = create(shape.dimension(), shape.metric());
        VectorIndex offHeap = create(shape.dimension(), shape.metric());
        Arena arena = Arena.ofConfined()) {
      MemorySegment ids = arena.allocateFrom(ValueLayout.JAVA_LONG, rows.ids());
      MemorySegment vectors = arena.allocateFrom(ValueLayout.JAVA_FLOAT, flat);
      MemorySegment nativeQuery = arena.allocateFrom(ValueLayout.JAVA_FLOAT, query);
      heap.addAll(rows.ids(), flat);
      offHeap.addAll(ids, vectors);
      List<Hit> hits = heap.search(query, 40).hits();
      assertThat(hits).hasSize(40);
      assertThat(heap.search(SearchRequest.of(nativeQuery, 40)).hits()).isEqualTo(hits);
      assertThat(offHeap.search(query, 40).hits()).isEqualTo(hits);
      assertThat(offHeap.searchAll(SearchRequest.of(nativeQuery, 40)).get(0).hits())
          .isEqualTo(hits);
      assertThat(flat).isEqualTo(rows.flat());
      assertThat(query).isEqualTo(before);
      assertThat(ids.toArray(ValueLayout.JAVA_LONG)).isEqualTo(rows.ids());
      assertThat(vectors.toArray(ValueLayout.JAVA_FLOAT)).isEqualTo(flat);
      assertThat(nativeQuery.toArray(ValueLayout.JAVA_FLOAT)).isEqualTo(query);
    }
  }

  @Test
  @Contract("vectors.segments")
  void segmentsThatWereFreedAreRefusedInTheWordsOfTheJdk() {
    Rows rows = rows(20);
    try (VectorIndex index = rows.index(subject)) {
      MemorySegment gone;
      try (Arena arena = Arena.ofConfined()) {
        gone = arena.allocateFrom(ValueLayout.JAVA_FLOAT, rows.query());
      }
      assertThatThrownBy(() -> index.search(SearchRequest.of(gone, 1)))
          .isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> index.addAll(MemorySegment.ofArray(new long[] {999}), gone))
          .isInstanceOf(IllegalStateException.class);
      assertThat(index.size()).isEqualTo(20);
    }
  }

  @Test
  @Contract("training.sample-shape")
  void aSampleOfAnotherShapeIsRefused() {
    Rows rows = rows(20);
    try (VectorIndex index = rows.index(subject)) {
      assertRefused(() -> index.train(new float[DIMENSION * 100 + 3]), "1603 components");
      assertThat(index.size()).isEqualTo(20);
    }
  }

  @Test
  @Contract("training.once")
  void trainReturnsWhetherItHasLearnt() {
    Rows rows = rows(20);
    float[] sample = rows.queries(600);
    try (VectorIndex index = create(DIMENSION, any(Metric.L2))) {
      assertThat(index.train(sample)).isEqualTo(subject.learns());
      assertThat(index.train(sample)).isFalse();
      assertThat(index.size()).isZero();
      rows.addTo(index);
      assertThat(index.search(rows.query(), 20).ids()).containsExactlyInAnyOrder(rows.ids());
    }
  }

  @ParameterizedTest(allowZeroInvocations = true)
  @MethodSource("metricsThatAreLearnt")
  @Contract("training.seeded")
  void theSameSampleTeachesTheSame(Metric metric) {
    Rows rows = Rows.gaussian(metric, DIMENSION, 500);
    float[] sample = rows.queries(600);
    float[] query = rows.query();
    List<List<Hit>> answers = new ArrayList<>();
    for (int round = 0; round < 2; round++) {
      IndexSpec spec = subject.onOneThread(spec(DIMENSION, metric));
      try (VectorIndex index = subject.create(spec)) {
        index.train(sample);
        rows.addTo(index);
        answers.add(index.search(query, 500).hits());
      }
    }
    assertThat(answers.get(0)).hasSize(500).isEqualTo(answers.get(1));
  }

  final List<Metric> metricsThatAreLearnt() {
    return subject.learns() ? metrics() : List.of();
  }

  @Test
  @Contract({"errors.same-everywhere", "errors.index-as-before"})
  void refusalsAreThoseOfIndexesThatKeepTheirVectors() {
    Rows rows = Rows.gaussian(any(Metric.L2), 4, 20);
    float[] query = rows.query();
    try (VectorIndex index = rows.index(subject)) {
      List<Hit> before = index.search(query, 20).hits();
      ErrorTest.refusals()
          .filter(refusal -> !refusal.name().contains("exact"))
          .forEach(
              refusal -> {
                Throwable thrown = catchThrowable(() -> refusal.call().accept(index));
                // What is wrong may as well be that the call needs the vectors.
                if (!(thrown instanceof UnsupportedOperationException)) {
                  refusal.requireSaidBy(thrown);
                }
                assertThat(index.search(query, 20).hits()).as("%s", refusal).isEqualTo(before);
              });
    }
  }

  @Test
  @Contract({"upsert.old-or-new", "threads.one-version", "threads.search-beside-writes"})
  void searchesBesideWritesSeeEachRowOnceAtTheDistanceOfOneOfItsVectors() throws Exception {
    int count = 50;
    Rows rows = rows(count);
    Rows replacements = rows(count);
    long[] ids = rows.ids();
    for (long id : ids) {
      replacements.put(id, rows.query());
    }
    float[] query = rows.query();
    try (VectorIndex index = rows.index(subject)) {
      index.train(rows.queries(300));
      float before = only(index, query, ids[7]).distance();
      index.upsert(ids[7], replacements.byId.get(ids[7]));
      float after = only(index, query, ids[7]).distance();
      SearchRequest contested = SearchRequest.of(query, 1).filter(IdFilter.in(ids[7]));
      Readers.whileRunning(
          3,
          () -> {
            SearchResult all = index.search(query, 2 * count);
            assertThat(all.ids()).containsExactlyInAnyOrder(ids);
            SearchResult one = index.search(contested);
            assertThat(one.ids()).containsExactly(ids[7]);
            assertThat(one.distance(0)).isIn(before, after);
          },
          readers -> {
            for (int round = 0; round < 200 || !readers.haveRun(20); round++) {
              Rows from = round % 2 == 0 ? rows : replacements;
              long other = ids[8 + round % (count - 8)];
              index.upsert(other, from.byId.get(other));
              index.upsert(ids[7], from.byId.get(ids[7]));
            }
          });
    }
  }
}
