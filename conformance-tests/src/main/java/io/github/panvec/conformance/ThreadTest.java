package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Many threads. */
class ThreadTest extends ConformanceTest {

  @Test
  @Contract({"threads.search-beside-writes", "threads.searches-together"})
  void searchesReadTheRightIdsWhileTheIndexGrows() throws Exception {
    // Those that learn from data are to do so beside searches.
    int count = subject.learns() ? 30_000 : 6_000;
    int few = 1_500;
    Metric metric = any(Metric.L2);
    float[][] rows = new float[count][];
    for (int x = 0; x < count; x++) {
      double angle = Math.PI * x / count;
      // No row's distance to the query is another's: a hit's distance tells its id.
      rows[x] =
          metric == Metric.L2
              ? new float[] {x, 0}
              : new float[] {(float) Math.cos(angle), (float) Math.sin(angle)};
    }
    float[] query = {1, 0};
    float[] storedQuery = Reference.stored(metric, query);
    try (VectorIndex index = create(2, metric)) {
      index.add(1, rows[0]);
      Readers.Step search =
          () -> {
            for (Hit hit : index.search(query, 5).hits()) {
              float[] row = Reference.stored(metric, rows[(int) hit.id() - 1]);
              assertThat(hit.distance())
                  .as("distance of %d", hit.id())
                  .isEqualTo(Reference.distance(metric, storedQuery, row));
            }
          };
      // Many readers while it is small and grows often, few while there is much to write.
      Readers.whileRunning(16, search, readers -> grow(index, rows, 1, few, readers));
      Readers.whileRunning(2, search, readers -> grow(index, rows, few, count, readers));
      assertThat(index.size()).isEqualTo(count);
    }
  }

  @Test
  @Contract("threads.virtual")
  void tenThousandVirtualThreadsSearchTogether() throws Exception {
    Rows rows = Rows.gaussian(any(Metric.L2), 16, 500);
    float[] query = rows.query();
    try (VectorIndex index = rows.index(subject);
        ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
      List<Hit> nearest = index.search(SearchRequest.of(query, 10).exact()).hits();
      List<Future<List<Hit>>> answers = new ArrayList<>();
      for (int t = 0; t < 10_000; t++) {
        SearchRequest request = SearchRequest.of(query, 10);
        SearchRequest own = t % 2 == 0 ? request.exact() : request;
        answers.add(threads.submit(() -> index.search(own).hits()));
      }
      for (int t = 0; t < answers.size(); t++) {
        List<Hit> hits = answers.get(t).get();
        assertThat(hits).hasSize(10);
        if (t % 2 == 0) {
          assertThat(hits).isEqualTo(nearest);
        }
      }
    }
  }

  /** Adds rows, as many again as there are, until there are {@code end}. */
  private static void grow(VectorIndex index, float[][] rows, int begin, int end, Readers readers)
      throws InterruptedException {
    for (int from = begin; from < end; from *= 2) {
      long[] ids = new long[Math.min(from, end - from)];
      float[][] batch = new float[ids.length][];
      for (int i = 0; i < ids.length; i++) {
        // In no order, so that what is learned from the first rows fits the others.
        int x = (int) ((from + i) * 7919L % rows.length);
        ids[i] = x + 1;
        batch[i] = rows[x];
      }
      index.addAll(ids, TestVectors.flat(batch));
      // Beside every size that the index grows from.
      readers.awaitNextRound();
    }
  }

  /** No two versions have a component, a distance to the query, or their angle in common. */
  private static float[] version(int number) {
    return new float[] {number + 1, 50_000 - number};
  }

  @Test
  @Contract({"upsert.old-or-new", "threads.one-version"})
  void aReaderSeesTheOldOrTheNewVectorOfAnUpsertNeverNeither() throws Exception {
    Metric metric = any(Metric.L2);
    float[] query = Reference.stored(metric, new float[] {1, 0});
    AtomicInteger begun = new AtomicInteger();
    AtomicInteger returned = new AtomicInteger();
    try (VectorIndex index = create(2, metric)) {
      for (long id = 0; id < 50; id++) {
        index.add(id, version(0));
      }
      Readers.whileRunning(
          3,
          () -> {
            int oldest = returned.get();
            SearchResult all = index.search(SearchRequest.of(query, 100).exact());
            assertThat(all.count()).isEqualTo(50);
            assertThat(LongStream.of(all.ids()).distinct().count()).isEqualTo(50);
            assertThat(index.contains(7)).isTrue();
            float[] row = index.get(7).orElseThrow();
            SearchResult one = index.search(SearchRequest.of(query, 1).filter(IdFilter.in(7)));
            assertThat(one.ids()).containsExactly(7);
            int newest = begun.get();
            boolean stored = false;
            boolean measured = false;
            boolean among = false;
            for (int version = oldest; version <= newest; version++) {
              float[] vector = Reference.stored(metric, version(version));
              Hit hit = new Hit(7, Reference.distance(metric, query, vector));
              stored |= Arrays.equals(row, vector);
              measured |= one.hits().contains(hit);
              among |= all.hits().contains(hit);
            }
            assertThat(stored)
                .as("%s is one of the vectors %d to %d", Arrays.toString(row), oldest, newest)
                .isTrue();
            assertThat(measured).as("%s has the distance of one of them", one).isTrue();
            assertThat(among).as("id 7 has the distance of one of them in %s", all).isTrue();
          },
          readers -> {
            for (int round = 1; round < 400 || !readers.haveRun(50); round++) {
              index.upsert(round % 50 == 7 ? 8 : round % 50, version(round));
              begun.set(round);
              index.upsert(7, version(round));
              returned.set(round);
            }
          });
    }
  }

  @Test
  @Contract("threads.returned-adds-are-seen")
  void searchesSeeEveryRowWhoseAddReturned() throws Exception {
    Metric metric = any(Metric.COSINE);
    Rows rows = Rows.gaussian(metric, 16, 3000);
    float[] query = rows.byId.get(rows.ids()[0]);
    try (VectorIndex index = create(16, metric)) {
      Readers.whileRunning(
          3,
          () -> {
            long before = index.size();
            SearchResult result = index.search(query, 10);
            assertThat(result.count()).isGreaterThanOrEqualTo((int) Math.min(10, before));
          },
          readers -> {
            for (int from = 0; from < 3000; from += 100) {
              rows.addTo(index, from, from + 100);
              long id = rows.ids()[from + 50];
              SearchResult self = index.search(SearchRequest.of(rows.byId.get(id), 1).exact());
              assertThat(self.ids()).containsExactly(id);
            }
          });
    }
  }

  @Test
  @Contract({"threads.one-version", "add.all-or-nothing"})
  void aReaderSeesABatchAsAWholeOrNotAtAll() throws Exception {
    Metric metric = any(Metric.L2);
    int batch = 100;
    Rows rows = Rows.gaussian(metric, 4, 30 * batch);
    SearchRequest all = SearchRequest.of(rows.query(), 30 * batch);
    try (VectorIndex index = create(4, metric)) {
      Readers.whileRunning(
          List.of(
              () -> {
                assertThat(index.size() % batch).isZero();
                assertThat(index.search(all.exact()).count() % batch).isZero();
              },
              () -> {
                assertThat(index.size() % batch).isZero();
                assertThat(index.search(all).count() % batch).isZero();
              }),
          readers -> {
            for (int from = 0; from < 30 * batch; from += batch) {
              rows.addTo(index, from, from + batch);
              readers.awaitNextRound();
            }
          });
    }
  }
}
