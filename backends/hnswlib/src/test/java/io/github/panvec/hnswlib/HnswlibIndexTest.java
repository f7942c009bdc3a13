package io.github.panvec.hnswlib;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.lang.management.ManagementFactory;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class HnswlibIndexTest {
  private static final int DIMENSION = 32;

  private static VectorIndex index(int rows, IndexSpec spec) {
    VectorIndex index = Panvec.create(spec);
    index.addAll(LongStream.range(0, rows).toArray(), gaussian(rows, 1));
    return index;
  }

  private static IndexSpec spec() {
    return IndexSpec.of("hnswlib", DIMENSION, Metric.L2);
  }

  private static float[] gaussian(int rows, long seed) {
    Random random = new Random(seed);
    float[] vectors = new float[rows * DIMENSION];
    for (int i = 0; i < vectors.length; i++) {
      vectors[i] = (float) random.nextGaussian();
    }
    return vectors;
  }

  private static long allocatedByThisThread() {
    return ((com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean())
        .getCurrentThreadAllocatedBytes();
  }

  @Test
  void aSearchIntoABufferLeavesNoGarbage() {
    try (VectorIndex index = index(5_000, spec())) {
      index.remove(17);
      SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 10);
      SearchRequest request = SearchRequest.of(buffer.query(), 10);
      buffer.setQuery(gaussian(1, 2));
      long least = Long.MAX_VALUE;
      // The compiler needs some rounds before it removes what is only allocated in the interpreter.
      for (int round = 0; round < 30 && least > 0; round++) {
        long before = allocatedByThisThread();
        for (int i = 0; i < 5_000; i++) {
          index.search(request, buffer);
        }
        least = Math.min(least, allocatedByThisThread() - before);
      }
      assertThat(least / 5_000).as("bytes per search").isZero();
    }
  }

  @Test
  void searchesGetOnWhileALongBatchIsLinked() throws Exception {
    try (VectorIndex index = index(3_000, spec());
        ExecutorService pool = Executors.newSingleThreadExecutor()) {
      AtomicBoolean adding = new AtomicBoolean(true);
      Future<Integer> searches =
          pool.submit(
              () -> {
                int count = 0;
                float[] query = gaussian(1, 3);
                while (adding.get()) {
                  assertThat(index.search(query, 10).count()).isEqualTo(10);
                  count++;
                }
                return count;
              });
      index.addAll(LongStream.range(3_000, 15_000).toArray(), gaussian(12_000, 4));
      adding.set(false);
      assertThat(searches.get()).isGreaterThan(10);
      assertThat(index.size()).isEqualTo(15_000);
    }
  }

  @Test
  void oneThreadBuildsTheSameGraphEveryTime() {
    IndexSpec serial = spec().with("threads", 1);
    float[] queries = gaussian(50, 5);
    try (VectorIndex first = index(4_000, serial);
        VectorIndex second = index(4_000, serial)) {
      for (int q = 0; q < 50; q++) {
        float[] query = java.util.Arrays.copyOfRange(queries, q * DIMENSION, (q + 1) * DIMENSION);
        SearchRequest hasty = SearchRequest.of(query, 10).efSearch(10);
        assertThat(first.search(hasty).hits()).isEqualTo(second.search(hasty).hits());
      }
    }
  }

  @Test
  void amongRowsThatRankTheSameTheSmallestIdsAreReturned() {
    int count = 300;
    float[] vectors = new float[count * DIMENSION];
    long[] ids = LongStream.range(0, count).map(i -> (i * 7) % count).toArray();
    try (VectorIndex index = Panvec.create(spec())) {
      index.addAll(ids, vectors);
      SearchRequest request = SearchRequest.of(new float[DIMENSION], 5).efSearch(count);
      assertThat(index.search(request).ids()).containsExactly(0, 1, 2, 3, 4);
    }
  }

  @Test
  void aLargerEfSearchFindsMore() {
    try (VectorIndex index = index(10_000, spec())) {
      assertThat(recall(index, 10)).isLessThan(recall(index, 400));
      assertThat(recall(index, 400)).isGreaterThan(0.98);
    }
  }

  private static double recall(VectorIndex index, int efSearch) {
    int found = 0;
    for (int q = 0; q < 50; q++) {
      float[] query = gaussian(1, 100 + q);
      float worst = index.search(SearchRequest.of(query, 10).exact()).distance(9);
      for (float distance :
          index.search(SearchRequest.of(query, 10).efSearch(efSearch)).distances()) {
        found += distance <= worst ? 1 : 0;
      }
    }
    return found / 500.0;
  }
}
