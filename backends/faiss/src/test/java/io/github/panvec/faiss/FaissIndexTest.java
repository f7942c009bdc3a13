package io.github.panvec.faiss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What FAISS's types do beyond the contract. */
class FaissIndexTest {
  private static final int DIMENSION = 24;

  static Stream<FaissType> typesThatTrain() {
    return Stream.of(FaissType.values()).filter(FaissType::trains);
  }

  static Stream<FaissType> lossyTypes() {
    return Stream.of(FaissType.values()).filter(FaissType::isLossy);
  }

  private static IndexSpec spec(FaissType type) {
    return spec(type, DIMENSION, Metric.L2);
  }

  private static IndexSpec spec(FaissType type, int dimension, Metric metric) {
    return IndexSpec.of("faiss", dimension, metric).with("type", type);
  }

  /** Trains with 300 rows, and is then as approximate as can be. */
  private static IndexSpec hasty(FaissType type) {
    IndexSpec spec = spec(type).with("trainingRows", 300);
    if (type.hasLists()) {
      spec = spec.with("nlist", 10).with("nprobe", 1);
    }
    if (type.isPq()) {
      spec = spec.with("pqM", 2);
    }
    if (type.isGraph()) {
      spec = spec.with("m", 2).with("efSearch", 1).with("efConstruction", 4);
    }
    return type.isLossy() ? spec.with("refineFactor", 1) : spec;
  }

  private static float[] gaussian(int rows, long seed) {
    return gaussian(rows, DIMENSION, seed);
  }

  private static float[] gaussian(int rows, int dimension, long seed) {
    Random random = new Random(seed);
    float[] vectors = new float[rows * dimension];
    for (int i = 0; i < vectors.length; i++) {
      vectors[i] = (float) random.nextGaussian();
    }
    return vectors;
  }

  private static void add(VectorIndex index, long firstId, float[] vectors) {
    int rows = vectors.length / index.spec().dimension();
    index.addAll(LongStream.range(firstId, firstId + rows).toArray(), vectors);
  }

  private static boolean isTrained(VectorIndex index) {
    return (boolean) index.stats().details().get("trained");
  }

  private static List<List<Hit>> hits(VectorIndex index, SearchRequest queries) {
    return index.searchAll(queries).stream().map(SearchResult::hits).toList();
  }

  /** The share of the true k that searches find. */
  private static double recall(VectorIndex index, SearchRequest queries) {
    List<SearchResult> exact = index.searchAll(queries.exact());
    List<SearchResult> found = index.searchAll(queries);
    int near = 0;
    for (int q = 0; q < exact.size(); q++) {
      // By distance: among equals any will do.
      float worst = exact.get(q).distance(queries.k() - 1);
      near += (int) found.get(q).hits().stream().filter(hit -> hit.distance() <= worst).count();
    }
    return near / (double) (exact.size() * queries.k());
  }

  private static SearchRequest queries(int k) {
    return SearchRequest.of(gaussian(60, 99), k);
  }

  // ---- training

  @ParameterizedTest
  @MethodSource("typesThatTrain")
  void itIsExactUntilEnoughRowsHaveComeAndThenTrainsByItself(FaissType type) {
    try (VectorIndex index = Panvec.create(hasty(type))) {
      add(index, 0, gaussian(299, 1));
      assertThat(isTrained(index)).isFalse();
      assertThat(recall(index, queries(10))).isEqualTo(1);
      assertThat(index.stats().details()).doesNotContainEntry("nlist", 10);
      add(index, 299, gaussian(1, 2));
      assertThat(isTrained(index)).isTrue();
      if (type.hasLists()) {
        assertThat(index.stats().details()).containsEntry("nlist", 10);
      }
      long completed = (long) index.stats().details().get("completedWalks");
      add(index, 300, gaussian(4000, 3));
      assertThat(recall(index, queries(10))).isLessThan(1).isGreaterThan(0.02);
      assertThat(index.stats().details()).containsEntry("completedWalks", completed);
      for (SearchResult result : index.searchAll(queries(10))) {
        assertThat(result.count()).isEqualTo(10);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("typesThatTrain")
  void aBatchThatIsRefusedAtTheThresholdLeavesItUntrained(FaissType type) {
    try (VectorIndex index = Panvec.create(hasty(type))) {
      add(index, 0, gaussian(200, 1));
      float[] bad = gaussian(400, 2);
      bad[399 * DIMENSION + 7] = Float.NaN;
      assertThatThrownBy(() -> add(index, 200, bad))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("row 399")
          .hasMessageContaining("component 7");
      assertThat(index.size()).isEqualTo(200);
      assertThat(isTrained(index)).isFalse();
      add(index, 200, gaussian(400, 2));
      assertThat(isTrained(index)).isTrue();
      float[] worse = gaussian(400, 3);
      worse[0] = Float.NEGATIVE_INFINITY;
      List<List<Hit>> before = hits(index, queries(600).exact());
      assertThatThrownBy(() -> add(index, 600, worse)).isInstanceOf(InvalidVectorException.class);
      assertThat(index.contains(600)).isFalse();
      assertThat(hits(index, queries(600).exact())).isEqualTo(before);
      assertThat(hits(index, queries(600))).isEqualTo(before);
    }
  }

  @ParameterizedTest
  @MethodSource("typesThatTrain")
  void searchesBesideATrainingAreComplete(FaissType type) throws Exception {
    IndexSpec spec = spec(type, 64, Metric.COSINE).with("trainingRows", 3000);
    try (VectorIndex index = Panvec.create(spec);
        ExecutorService pool = Executors.newFixedThreadPool(2)) {
      add(index, 0, gaussian(2999, 64, 1));
      AtomicBoolean stop = new AtomicBoolean();
      CountDownLatch running = new CountDownLatch(2);
      Future<?>[] searchers = new Future<?>[2];
      for (int t = 0; t < 2; t++) {
        float[] query = gaussian(1, 64, 50 + t);
        SearchRequest filtered =
            SearchRequest.of(query, 15).filter(IdFilter.in(LongStream.range(0, 1500).toArray()));
        List<Hit> exactHits = index.search(filtered.exact()).hits();
        searchers[t] =
            pool.submit(
                () -> {
                  while (!stop.get()) {
                    SearchResult result = index.search(query, 20);
                    assertThat(result.count()).isEqualTo(20);
                    assertThat(index.search(filtered).count()).isEqualTo(15);
                    assertThat(index.search(filtered.exact()).hits()).isEqualTo(exactHits);
                    running.countDown();
                  }
                });
      }
      running.await();
      add(index, 2999, gaussian(500, 64, 2));
      assertThat(isTrained(index)).isTrue();
      stop.set(true);
      for (Future<?> searcher : searchers) {
        searcher.get();
      }
    }
  }

  @ParameterizedTest
  @MethodSource("typesThatTrain")
  void aSampleTrainsItAtOnceAndOnlyOnce(FaissType type) {
    try (VectorIndex index = Panvec.create(spec(type))) {
      add(index, 0, gaussian(400, 1));
      float[] bad = gaussian(400, 2);
      bad[17 * DIMENSION + 3] = Float.POSITIVE_INFINITY;
      assertThatThrownBy(() -> index.train(bad))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("row 17")
          .hasMessageContaining("component 3");
      assertThatThrownBy(() -> index.train(new float[DIMENSION + 1]))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("" + DIMENSION);
      assertThatThrownBy(() -> index.train(new float[0]))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(type + " needs at least ")
          .hasMessageContaining("not 0");
      assertThat(isTrained(index)).isFalse();
      assertThat(index.train(gaussian(400, 2))).isTrue();
      assertThat(isTrained(index)).isTrue();
      assertThat(index.size()).isEqualTo(400);
      assertThat(index.search(gaussian(1, 3), 10).count()).isEqualTo(10);
      assertThat(index.train(gaussian(400, 2))).isFalse();
    }
  }

  @Test
  void aSampleTooSmallIsRefusedSayingHowManyItTakes() {
    try (VectorIndex index = Panvec.create(spec(FaissType.IVF_PQ).with("nlist", 300))) {
      assertThatThrownBy(() -> index.train(gaussian(299, 1)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage(
              "ivf_pq needs at least 300 vectors to train on (one for each of nlist=300 lists, "
                  + "one for each of the 256 centroids of pqBits=8), not 299");
      index.train(gaussian(300, 1));
      assertThat(index.stats().details()).containsEntry("nlist", 300);
    }
  }

  @Test
  void theSameSeedLearnsTheSame() {
    IndexSpec spec = hasty(FaissType.IVF_PQ).with("threads", 1);
    try (VectorIndex first = Panvec.create(spec);
        VectorIndex second = Panvec.create(spec);
        VectorIndex other = Panvec.create(spec.with("seed", 7))) {
      for (VectorIndex index : List.of(first, second, other)) {
        add(index, 0, gaussian(3000, 1));
      }
      assertThat(hits(first, queries(10))).isEqualTo(hits(second, queries(10)));
      assertThat(hits(first, queries(10))).isNotEqualTo(hits(other, queries(10)));
    }
  }

  /** A serial BLAS need not be one for many threads: OpenBLAS then mixes up their products. */
  @Test
  void indexesThatGrowTogetherHoldWhatEachHoldsAlone() throws Exception {
    int dimension = 96;
    float[] sample = gaussian(1000, dimension, 1);
    float[] vectors = gaussian(6400, dimension, 2);
    SearchRequest queries = SearchRequest.of(gaussian(100, dimension, 3), 10).nprobe(1);
    IndexSpec spec =
        spec(FaissType.IVF_FLAT, dimension, Metric.L2).with("nlist", 100).with("threads", 1);
    Callable<List<List<Hit>>> growth =
        () -> {
          try (VectorIndex index = Panvec.create(spec)) {
            index.train(sample);
            int batch = 64 * dimension;
            for (int from = 0; from < vectors.length; from += batch) {
              add(index, from / dimension, Arrays.copyOfRange(vectors, from, from + batch));
            }
            return hits(index, queries);
          }
        };
    List<List<Hit>> alone = growth.call();
    try (ExecutorService pool = Executors.newFixedThreadPool(4)) {
      for (Future<List<List<Hit>>> other : pool.invokeAll(Collections.nCopies(24, growth))) {
        assertThat(other.get()).isEqualTo(alone);
      }
    }
  }

  // ---- what a request may set

  @ParameterizedTest
  @EnumSource(
      value = FaissType.class,
      names = {"IVF_FLAT", "IVF_SQ8", "IVF_PQ"})
  void moreListsFindMoreAndMoreThanThereAreIsRefused(FaissType type) {
    try (VectorIndex index =
        Panvec.create(spec(type).with("nlist", 40).with("trainingRows", 2000))) {
      SearchRequest queries = queries(10).refineFactor(100);
      // Before the training as after it.
      assertThatThrownBy(() -> index.searchAll(queries.nprobe(41)))
          .isInstanceOf(IllegalArgumentException.class);
      add(index, 0, gaussian(6000, 1));
      double one = recall(index, queries.nprobe(1));
      double some = recall(index, queries.nprobe(8));
      assertThat(one).isLessThan(some);
      assertThat(recall(index, queries.nprobe(40))).isGreaterThan(some).isGreaterThan(0.99);
      assertThatThrownBy(() -> index.searchAll(queries.nprobe(41)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("nprobe must be from 1 to nlist, which is 40, not 41");
    }
  }

  @Test
  void whereTheDataDecideHowManyListsThereAreMoreOfThemMeansAll() {
    IndexSpec spec = spec(FaissType.IVF_FLAT).with("trainingRows", 2000).with("nprobe", 1000);
    try (VectorIndex index = Panvec.create(spec)) {
      add(index, 0, gaussian(4000, 1));
      assertThat(isTrained(index)).isTrue();
      assertThat(hits(index, queries(10))).isEqualTo(hits(index, queries(10).exact()));
      assertThat(hits(index, queries(10).nprobe(1 << 20)))
          .isEqualTo(hits(index, queries(10).exact()));
    }
  }

  @Test
  void whoExpectsFewRowsGetsThemTrainedOn() {
    try (VectorIndex index =
        Panvec.create(spec(FaissType.IVF_PQ).with("expectedRows", 1000).with("pqBits", 6))) {
      add(index, 0, gaussian(999, 1));
      assertThat(isTrained(index)).isFalse();
      add(index, 999, gaussian(1, 2));
      assertThat(isTrained(index)).isTrue();
    }
  }

  @Test
  void allListsTogetherAreExact() {
    IndexSpec spec = spec(FaissType.IVF_FLAT).with("nlist", 16).with("trainingRows", 500);
    try (VectorIndex index = Panvec.create(spec)) {
      add(index, 0, gaussian(4000, 1));
      assertThat(hits(index, queries(10).nprobe(16))).isEqualTo(hits(index, queries(10).exact()));
      assertThat(index.stats().details()).containsEntry("completedWalks", 0L);
    }
  }

  @ParameterizedTest
  @MethodSource("lossyTypes")
  void moreCandidatesRankedAgainFindMore(FaissType type) {
    IndexSpec spec = spec(type).with("trainingRows", 1000);
    if (type.hasLists()) {
      spec = spec.with("nlist", 4).with("nprobe", 4);
    }
    if (type.isPq()) {
      spec = spec.with("pqM", 4);
    }
    try (VectorIndex index = Panvec.create(spec)) {
      add(index, 0, gaussian(6000, 1));
      SearchRequest queries = queries(10).efSearch(250);
      double one = recall(index, queries.refineFactor(1));
      double many = recall(index, queries.refineFactor(60));
      assertThat(one).isLessThan(1);
      assertThat(many).isGreaterThan(one).isGreaterThan(type.isPq() ? 0.8 : 0.99);
      assertThat(recall(index, queries)).isBetween(one, many);
    }
  }

  // ---- memory

  @ParameterizedTest
  @MethodSource("lossyTypes")
  void codesAloneTakeFarLessMemory(FaissType type) {
    int rows = 12_000;
    int dimension = 128;
    IndexSpec spec = spec(type, dimension, Metric.DOT).with("trainingRows", 1000);
    if (type.isGraph()) {
      spec = spec.with("efConstruction", 20).with("m", 8);
    }
    if (type.hasLists()) {
      spec = spec.with("nlist", 16);
    }
    if (type.isPq()) {
      spec = spec.with("pqBits", 4);
    }
    try (VectorIndex kept = Panvec.create(spec);
        VectorIndex codes = Panvec.create(spec.with("keepVectors", "false"))) {
      for (VectorIndex index : List.of(kept, codes)) {
        // The first thousand are stored before there are codes.
        add(index, 0, gaussian(800, dimension, 1));
        add(index, 800, gaussian(rows - 800, dimension, 2));
      }
      long vectors = (long) rows * dimension * Float.BYTES;
      assertThat(kept.stats().nativeBytes()).isGreaterThan(vectors);
      assertThat(codes.stats().nativeBytes())
          .isLessThan(kept.stats().nativeBytes() - vectors * 3 / 4)
          .isLessThan(vectors * 2 / 3)
          .isGreaterThan((long) rows * (int) codes.stats().details().get("codeBytes"));
    }
  }

  // ---- every type, metric and odd dimension

  @ParameterizedTest
  @EnumSource(FaissType.class)
  void plainSearchesWorkInOddDimensionsUnderEveryMetric(FaissType type) {
    for (int dimension : new int[] {1, 2, 3, 7, 97}) {
      for (Metric metric : Metric.values()) {
        IndexSpec spec = spec(type, dimension, metric);
        if (type.trains()) {
          spec = spec.with("trainingRows", 40);
        }
        if (type.isPq()) {
          spec = spec.with("pqBits", 4);
        }
        if (type.hasLists()) {
          spec = spec.with("nlist", 5);
        }
        try (VectorIndex index = Panvec.create(spec)) {
          add(index, 0, gaussian(30, dimension, 1));
          add(index, 30, gaussian(570, dimension, 2));
          SearchRequest queries =
              SearchRequest.of(gaussian(60, dimension, 3), 10).refineFactor(100).efSearch(400);
          queries = type.hasLists() ? queries.nprobe(5) : queries;
          assertThat(recall(index, queries))
              .as("%s %s %d", type, metric, dimension)
              .isGreaterThanOrEqualTo(type.isGraph() ? 0.9 : 1);
          assertThat(index.stats().details()).containsEntry("completedWalks", 0L);
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(FaissType.class)
  void whatWasRemovedOrReplacedBeforeATrainingStaysSo(FaissType type) {
    IndexSpec spec = type.trains() ? hasty(type).with("trainingRows", 1000) : spec(type);
    float[] first = gaussian(900, 1);
    float[] second = gaussian(900, 2);
    float[] replacement = gaussian(1, 3);
    try (VectorIndex index = Panvec.create(spec)) {
      add(index, 0, first);
      for (long id = 0; id < 300; id++) {
        assertThat(index.remove(id)).isTrue();
      }
      index.upsert(500, replacement);
      add(index, 900, second);
      for (long id = 300; id < 400; id++) {
        assertThat(index.remove(id)).isTrue();
      }
      index.add(7, Arrays.copyOf(first, DIMENSION));
      index.upsert(1000, replacement);
      assertThat(index.size()).isEqualTo(1401);
      for (SearchResult result : index.searchAll(queries(10))) {
        assertThat(result.count()).isEqualTo(10);
        assertThat(LongStream.of(result.ids())).allMatch(id -> id >= 400 || id == 7);
      }
      SearchRequest nearest = SearchRequest.of(replacement, 2).exact();
      assertThat(index.search(nearest).hits()).containsExactly(new Hit(500, 0), new Hit(1000, 0));
      IdFilter some = IdFilter.in(LongStream.range(0, 1800).filter(id -> id % 2 == 0).toArray());
      for (SearchResult result : index.searchAll(queries(10).filter(some))) {
        assertThat(result.count()).isEqualTo(10);
        assertThat(LongStream.of(result.ids())).allMatch(id -> id >= 400 && id % 2 == 0);
      }
    }
  }

  @Test
  void detailsTellWhatTheTypeIsMadeOf() {
    try (VectorIndex flat = Panvec.create(spec(FaissType.FLAT));
        VectorIndex graph = Panvec.create(spec(FaissType.HNSW_SQ8));
        VectorIndex lists = Panvec.create(spec(FaissType.IVF_PQ).with("pqM", 6))) {
      assertThat(flat.stats().details()).doesNotContainKeys("trained", "nlist", "maxLevel");
      assertThat(graph.stats().details()).containsKey("maxLevel").containsEntry("trained", false);
      lists.train(gaussian(400, 1));
      Map<String, Object> details = lists.stats().details();
      assertThat(details).containsEntry("trained", true).containsEntry("codeBytes", 6);
    }
  }

  static Stream<FaissType> typesThatMayDropTheirVectors() {
    return Stream.of(FaissType.IVF_SQ8, FaissType.SQ8, FaissType.PQ);
  }

  /** Its copy has taken rows, and finds codes. */
  @ParameterizedTest
  @MethodSource("typesThatMayDropTheirVectors")
  void aCompactionDuringWhichTheVectorsGoBeginsAnewAndEndsWell(FaissType type) throws Exception {
    IndexSpec spec = spec(type).with("keepVectors", "false").with("trainingRows", 100_000);
    if (type.hasLists()) {
      spec = spec.with("nlist", 10).with("nprobe", 10);
    }
    float[] rows = gaussian(10_000, 1);
    float[] sample = gaussian(1_000, 2);
    long[] gone = LongStream.range(0, 10_000).filter(id -> id % 7 == 0).toArray();
    SearchRequest queries = queries(30);
    try (VectorIndex index = Panvec.create(spec);
        VectorIndex notCompacted = Panvec.create(spec);
        ExecutorService pool = Executors.newSingleThreadExecutor()) {
      for (VectorIndex each : List.of(index, notCompacted)) {
        add(each, 0, rows);
        each.removeAll(gone);
      }
      notCompacted.train(sample);
      List<Future<Boolean>> trained = new ArrayList<>();
      index.compact(
          WriteOptions.defaults()
              .progress(
                  (done, total) -> {
                    if (trained.isEmpty()) {
                      assertThat(done).isLessThan(total);
                      // The listener may not write: another thread does, while this one waits.
                      trained.add(pool.submit(() -> index.train(sample)));
                      get(trained.get(0));
                    }
                  }));
      assertThat(trained).hasSize(1);
      assertThat(get(trained.get(0))).isTrue();
      assertThat(isTrained(index)).isTrue();
      assertThat(index.stats().dead()).isZero();
      assertThat(index.ids()).isEqualTo(notCompacted.ids());
      assertThat(hits(index, queries)).isEqualTo(hits(notCompacted, queries));
      add(index, 20_000, gaussian(100, 3));
      assertThat(index.size()).isEqualTo(notCompacted.size() + 100);
      index.remove(20_000);
      index.compact();
      assertThat(index.stats().dead()).isZero();
    }
  }

  private static boolean get(Future<Boolean> future) {
    try {
      return future.get(60, TimeUnit.SECONDS);
    } catch (InterruptedException | ExecutionException | TimeoutException failed) {
      throw new AssertionError(failed);
    }
  }
}
