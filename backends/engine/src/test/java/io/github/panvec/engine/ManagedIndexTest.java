package io.github.panvec.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Cancellation;
import io.github.panvec.Capabilities;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.NativeMemoryException;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import io.github.panvec.VectorIndexException;
import io.github.panvec.WriteOptions;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ManagedIndexTest {
  private final JavaSlotIndex slots = new JavaSlotIndex();
  private final VectorIndex index = managed(slots, 1, false);

  private static VectorIndex managed(JavaSlotIndex slots, int threads, boolean lossy) {
    return managed(slots, 1, threads, lossy);
  }

  private static VectorIndex managed(
      JavaSlotIndex slots, int dimension, int threads, boolean lossy) {
    return new ManagedIndex(
        new Engine(
            IndexSpec.of("java", dimension, Metric.L2),
            new Capabilities(
                EnumSet.allOf(Metric.class), dimension, Integer.MAX_VALUE, true, lossy, false),
            "1",
            () -> slots,
            threads,
            0));
  }

  @AfterEach
  void close() {
    index.close();
    assertThat(slots.closed).isTrue();
  }

  private long[] found() {
    return index.search(SearchRequest.of(new float[1], 1000).exact()).ids();
  }

  @Test
  void aBatchThatFailsWhileItIsLinkedShowsNothingThenOrLater() {
    index.addAll(new long[] {1, 2}, new float[] {1, 2});
    slots.failAfter = 3;
    assertThatThrownBy(() -> index.addAll(new long[] {3, 4, 5, 6, 7}, new float[5]))
        .isInstanceOf(NativeMemoryException.class)
        .hasMessage("enough");
    assertThat(index.size()).isEqualTo(2);
    assertThat(found()).containsExactly(1, 2);
    assertThat(index.contains(3)).isFalse();
    assertThat(index.remove(1)).isTrue();
    assertThat(found()).containsExactly(2);
    index.addAll(new long[] {3, 4, 5, 6, 7}, new float[] {3, 4, 5, 6, 7});
    assertThat(index.size()).isEqualTo(6);
    assertThat(found()).containsExactly(2, 3, 4, 5, 6, 7);
    assertThat(index.get(3)).hasValueSatisfying(row -> assertThat(row).containsExactly(3));
  }

  @Test
  void anUpsertThatFailsLeavesTheOldRow() {
    index.add(1, new float[] {10});
    for (int failure = 0; failure < 2; failure++) {
      slots.failAfter = failure;
      assertThatThrownBy(() -> index.upsert(1, new float[] {20}))
          .isInstanceOf(NativeMemoryException.class);
      assertThat(index.size()).isEqualTo(1);
      assertThat(found()).containsExactly(1);
      assertThat(index.get(1)).hasValueSatisfying(row -> assertThat(row).containsExactly(10));
    }
    index.upsert(1, new float[] {30});
    assertThat(index.size()).isEqualTo(1);
    assertThat(found()).containsExactly(1);
    assertThat(index.get(1)).hasValueSatisfying(row -> assertThat(row).containsExactly(30));
  }

  @Test
  void aRefusedRowLeavesNoTrace() {
    index.add(1, new float[] {1});
    assertThatThrownBy(() -> index.addAll(new long[] {2, 3}, new float[] {2, Float.NaN}))
        .isInstanceOf(InvalidVectorException.class);
    index.addAll(new long[] {3, 2}, new float[] {3, 2});
    assertThat(found()).containsExactly(1, 3, 2);
  }

  @Test
  void aWriteThatMayBeCancelledGetsItsTurnBetweenOthers() throws Exception {
    int most = 100;
    AtomicInteger written = new AtomicInteger();
    AtomicBoolean done = new AtomicBoolean();
    WriteOptions slow =
        WriteOptions.defaults().progress((now, all) -> LockSupport.parkNanos(30_000_000));
    WriteOptions mayEnd = WriteOptions.defaults().cancelledBy(new Cancellation());
    try (ExecutorService pool = Executors.newFixedThreadPool(2)) {
      List<Future<?>> writers = new ArrayList<>();
      for (int i = 0; i < 2; i++) {
        writers.add(
            pool.submit(
                () -> {
                  while (!done.get() && written.get() < most) {
                    add(1000 + written.incrementAndGet(), slow);
                  }
                }));
      }
      while (written.get() < 6) {
        Thread.onSpinWait();
      }
      add(1, mayEnd);
      done.set(true);
      for (Future<?> writer : writers) {
        writer.get();
      }
    }
    assertThat(written.get()).isLessThan(most);
    assertThat(index.size()).isEqualTo(written.get() + 1);
  }

  private void add(long id, WriteOptions options) {
    index.addAll(
        MemorySegment.ofArray(new long[] {id}), MemorySegment.ofArray(new float[1]), options);
  }

  @Test
  void aWalkThatComesBackShortIsCompleted() {
    index.addAll(LongStream.range(0, 200).toArray(), new float[200]);
    slots.walkFinds = 4;
    assertThat(index.search(new float[1], 10).count()).isEqualTo(10);
    assertThat(index.stats().details()).containsEntry("completedWalks", 1L);
  }

  @Test
  void everyWalkHasTheLimitsOfItsRequest() {
    index.addAll(LongStream.range(0, 200).toArray(), new float[200]);
    SearchRequest request =
        SearchRequest.of(new float[1], 2)
            .cancelledBy(new Cancellation())
            .deadline(Instant.now().plusSeconds(3600));
    index.search(request);
    index.search(request, SearchBuffer.allocate(1, 2));
    index.search(request.filter(IdFilter.range(0, 150)));
    assertThat(slots.walkLimits).hasSize(3);
    index.searchAll(request.query(MemorySegment.ofArray(new float[5])));
    assertThat(slots.walkLimits).hasSize(8).containsOnly(request.limits());
  }

  @Test
  void statsCountLiveAndDeadRows() {
    index.addAll(new long[] {1, 2, 3}, new float[3]);
    index.remove(2);
    assertThat(index.stats().size()).isEqualTo(2);
    assertThat(index.stats().dead()).isEqualTo(1);
    assertThat(index.stats().nativeBytes()).isPositive();
  }

  // ---- training

  private static float[] floats(int count) {
    float[] floats = new float[count];
    for (int i = 0; i < count; i++) {
      floats[i] = i;
    }
    return floats;
  }

  private long[] walked(int k) {
    return index.search(new float[1], k).ids();
  }

  @Test
  void anIndexThatWaitsForItsTrainingScans() {
    slots.trainAt = 500;
    index.addAll(LongStream.range(0, 200).toArray(), floats(200));
    assertThat(walked(10)).containsExactly(LongStream.range(0, 10).toArray());
    assertThat(slots.calls).isEmpty();
  }

  @Test
  void theAddThatReachesTheThresholdTrainsThenEncodesThenLinksTheOldRows() {
    slots.trainAt = 12;
    index.addAll(new long[] {1, 2, 3, 4, 5, 6, 7}, floats(7));
    index.addAll(new long[] {8, 9, 10, 11, 12}, floats(5));
    assertThat(slots.calls).containsExactly("train 12", "encode 12", "link-old 7", "link-old 2");
    assertThat(found()).hasSize(12);
    index.add(13, new float[1]);
    assertThat(slots.calls).hasSize(5).endsWith("encode 13");
  }

  @Test
  void trainDoesItAtOnceAndLinksWhatIsThere() {
    slots.trainAt = 1000;
    index.addAll(LongStream.range(0, 7).toArray(), floats(7));
    index.train(floats(50));
    assertThat(slots.calls)
        .containsExactly("train native 50", "encode 7", "link-old 7", "link-old 2");
    assertThat(index.train(floats(50))).isFalse();
    assertThat(found()).hasSize(7);
  }

  @Test
  void onlyLiveRowsCountTowardsATraining() {
    slots.trainAt = 4;
    for (int i = 0; i < 9; i++) {
      index.upsert(1, new float[] {i});
    }
    index.addAll(new long[] {2, 3}, floats(2));
    index.remove(2);
    assertThat(slots.calls).isEmpty();
    index.addAll(new long[] {4, 5}, floats(2));
    // The rows of 1, 3, 4 and 5, of 13 slots.
    assertThat(slots.calls).startsWith("train 4", "encode 13");
    assertThat(slots.trainedOn).containsExactly(8, 10, 11, 12);
  }

  @Test
  void aSecondTrainCatchesUpWithWhatTheFirstCouldNotLink() {
    slots.trainAt = 1000;
    index.addAll(LongStream.range(0, 7).toArray(), floats(7));
    slots.failIn = "link-old";
    slots.failure = new NativeMemoryException("full");
    assertThatThrownBy(() -> index.train(floats(9))).isInstanceOf(NativeMemoryException.class);
    assertThat(slots.backlog()).isPositive();
    assertThat(index.train(floats(9))).isFalse();
    assertThat(slots.backlog()).isZero();
  }

  @Test
  void trainingWhatLearnsNothingChangesNothing() {
    index.addAll(LongStream.range(0, 7).toArray(), floats(7));
    index.train(floats(3));
    index.train(new float[0]);
    assertThat(found()).hasSize(7);
  }

  @ParameterizedTest
  @ValueSource(strings = {"train", "encode", "link-old"})
  void aTrainingThatFailsAnywherePublishesNothingAndTheNextAddGoesOn(String where) {
    slots.trainAt = 200;
    index.addAll(LongStream.range(0, 150).toArray(), floats(150));
    slots.failIn = where;
    slots.failure = new VectorIndexException("no luck");
    long[] more = LongStream.range(150, 250).toArray();
    assertThatThrownBy(() -> index.addAll(more, floats(100)))
        .isInstanceOf(VectorIndexException.class)
        .hasMessage("no luck");
    assertThat(index.size()).isEqualTo(150);
    assertThat(index.contains(150)).isFalse();
    // Not all of them are linked: the engine has to scan.
    assertThat(walked(10)).containsExactly(LongStream.range(0, 10).toArray());
    index.addAll(more, floats(100));
    assertThat(index.size()).isEqualTo(250);
    assertThat(found()).containsExactly(LongStream.range(0, 250).toArray());
    assertThat(walked(10)).containsExactly(LongStream.range(0, 10).toArray());
    assertThat(slots.backlog()).isZero();
  }

  @ParameterizedTest
  @ValueSource(strings = {"train", "encode", "link-old"})
  void aTrainThatFailsChangesNoAnswer(String where) {
    slots.trainAt = 200;
    index.addAll(LongStream.range(0, 150).toArray(), floats(150));
    slots.failIn = where;
    slots.failure = new NativeMemoryException("full");
    assertThatThrownBy(() -> index.train(floats(9))).isInstanceOf(NativeMemoryException.class);
    assertThat(index.size()).isEqualTo(150);
    assertThat(walked(10)).containsExactly(LongStream.range(0, 10).toArray());
    index.add(150, new float[1]);
    assertThat(found()).hasSize(151);
  }

  // ---- linking beside searches

  @Test
  void searchesGoOnWhileRowsAreLinkedWhereTheLibrarySaysSo() {
    index.addAll(new long[] {1, 2}, new float[] {1, 2});
    slots.beside = true;
    List<long[]> meanwhile = new ArrayList<>();
    slots.whileLinking = () -> joined(new Thread(() -> meanwhile.add(found())));
    index.addAll(new long[] {3, 4}, new float[] {3, 4});
    slots.whileLinking = () -> {};
    assertThat(meanwhile).hasSize(1);
    assertThat(meanwhile.get(0)).containsExactly(1, 2);
    assertThat(found()).containsExactly(1, 2, 3, 4);
  }

  @Test
  void searchesWaitForLinkingWhereItChangesWhatTheyRead() {
    index.addAll(new long[] {1, 2}, new float[] {1, 2});
    List<long[]> meanwhile = Collections.synchronizedList(new ArrayList<>());
    Thread searcher = new Thread(() -> meanwhile.add(found()));
    slots.whileLinking =
        () -> {
          searcher.start();
          while (searcher.getState() != Thread.State.WAITING) {
            assertThat(searcher.getState()).isNotEqualTo(Thread.State.TERMINATED);
            Thread.onSpinWait();
          }
        };
    index.addAll(new long[] {3, 4}, new float[] {3, 4});
    slots.whileLinking = () -> {};
    joined(searcher);
    assertThat(meanwhile).hasSize(1);
  }

  private static void joined(Thread thread) {
    try {
      if (thread.getState() == Thread.State.NEW) {
        thread.start();
      }
      // A minute is never taken, but by who waits for ever.
      thread.join(60_000);
      assertThat(thread.isAlive()).as("still waiting").isFalse();
    } catch (InterruptedException interrupted) {
      throw new AssertionError(interrupted);
    }
  }

  // ---- batches of queries

  @Test
  void aBatchOfQueriesRunsOnAsManyThreadsAsItMayAndLeavesNone() throws Exception {
    try (VectorIndex four = managed(new JavaSlotIndex(), 4, false)) {
      four.addAll(LongStream.range(0, 5).toArray(), floats(5));
      assertThat(four.searchAll(new float[15], 3)).hasSize(15);
    }
    JavaSlotIndex busy = new JavaSlotIndex();
    try (VectorIndex four = managed(busy, 4, false)) {
      four.addAll(LongStream.range(0, 5).toArray(), floats(5));
      for (int round = 0; round < 50; round++) {
        assertThat(four.searchAll(new float[64], 3))
            .hasSize(64)
            .allMatch(result -> result.count() == 3);
        assertThat(busy.searchers)
            .allMatch(thread -> thread == Thread.currentThread() || !thread.isAlive());
        assertThat(busy.searchers).hasSizeBetween(1, 4);
        busy.searchers.clear();
      }
    }
  }

  @Test
  void theFirstBadQueryOfABatchIsNamed() {
    try (VectorIndex four = managed(new JavaSlotIndex(), 4, false)) {
      four.add(1, new float[1]);
      float[] queries = new float[64];
      queries[17] = Float.NaN;
      queries[18] = Float.NaN;
      queries[60] = Float.NaN;
      assertThatThrownBy(() -> four.searchAll(queries, 3))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessage("query 17 of the batch: component 0 is NaN");
      assertThat(four.search(new float[1], 1).ids()).containsExactly(1);
    }
  }

  @Test
  void queriesConfinedToTheCallersThreadAreTaken() {
    JavaSlotIndex busy = new JavaSlotIndex();
    try (VectorIndex four = managed(busy, 4, false);
        Arena arena = Arena.ofConfined()) {
      four.add(1, new float[1]);
      SearchRequest request = SearchRequest.of(arena.allocate(4 * 1000, 4), 1);
      for (int round = 0; round < 20 || (busy.searchers.size() < 2 && round < 1000); round++) {
        assertThat(four.searchAll(request)).hasSize(1000);
      }
      assertThat(busy.searchers.size()).isGreaterThan(1);
    }
  }

  // ---- codes in place of vectors

  @Test
  void anIndexThatKeepsCodesOnlyRefusesWhatNeedsTheVectors() {
    try (VectorIndex codes = managed(new JavaSlotIndex(), 1, true)) {
      codes.addAll(LongStream.range(0, 5).toArray(), floats(5));
      SearchRequest exact = SearchRequest.of(new float[1], 1).exact();
      for (Runnable call :
          List.<Runnable>of(
              () -> codes.get(0),
              () -> codes.get(99),
              () -> codes.search(exact),
              () -> codes.search(exact, SearchBuffer.allocate(1, 1)),
              () -> codes.searchAll(exact))) {
        assertThatThrownBy(call::run)
            .isInstanceOf(UnsupportedOperationException.class)
            .hasMessageContaining("java");
      }
      assertThat(codes.search(new float[1], 2).count()).isEqualTo(2);
      assertThat(codes.contains(4)).isTrue();
    }
  }

  @Test
  void aScanStartsOverWhenTheVectorsGoMeanwhile() {
    JavaSlotIndex slots = new JavaSlotIndex();
    // So large that a slice has 64 of them.
    int dimension = 1 << 15;
    int rows = 300;
    try (VectorIndex codes = managed(slots, dimension, 1, true)) {
      codes.addAll(LongStream.range(0, rows).toArray(), new float[rows * dimension]);
      slots.walkFinds = 0;
      slots.rowsDroppedAfter = 2;
      assertThat(codes.search(new float[dimension], 2).count()).isEqualTo(2);
      assertThat(slots.scanned).containsExactly(0L, 64L, 0L, 64L, 128L, 192L, 256L);
    }
  }
}
