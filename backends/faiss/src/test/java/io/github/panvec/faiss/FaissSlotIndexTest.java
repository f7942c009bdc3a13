package io.github.panvec.faiss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Cancellation;
import io.github.panvec.CancelledException;
import io.github.panvec.DeadlineExceededException;
import io.github.panvec.Limits;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.engine.SlotIndex;
import io.github.panvec.engine.SlotView;
import io.github.panvec.spi.HitSegments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Proxy;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Limits and taking over of slots, below the engine. */
class FaissSlotIndexTest {
  private static final int DIMENSION = 16;
  private static final int ROWS = 600;
  private static final int MANY_ROWS = 20_000;

  /** Of walks, one of which is met in the middle. */
  private static final int MOST_WALKS = 20;

  private final Arena arena = Arena.ofShared();
  private final List<SlotIndex> made = new ArrayList<>();
  private final HitSegments hits = HitSegments.allocate(arena, ROWS);
  private final MemorySegment query = gaussian(1, 2);

  FaissSlotIndexTest() {
    FaissLibrary.INSTANCE.require();
  }

  @AfterEach
  void close() {
    made.forEach(SlotIndex::close);
    arena.close();
  }

  private MemorySegment gaussian(int rows, long seed) {
    Random random = new Random(seed);
    MemorySegment vectors = arena.allocate(ValueLayout.JAVA_FLOAT, (long) rows * DIMENSION);
    for (long i = 0; i < (long) rows * DIMENSION; i++) {
      vectors.setAtIndex(ValueLayout.JAVA_FLOAT, i, (float) random.nextGaussian());
    }
    return vectors;
  }

  private SlotIndex create(FaissType type, boolean keepVectors) {
    SlotIndex index =
        new FaissSlotIndex(
            Metric.L2,
            DIMENSION,
            new FaissParameters(
                type, DIMENSION, 16, 100, 50, 8, 8, 0, 500, 4, 4, 4, keepVectors, 100));
    made.add(index);
    return index;
  }

  private void train(SlotIndex index, Limits limits) {
    int[] slots = IntStream.range(0, ROWS).toArray();
    index.trainOnSlots(arena.allocateFrom(ValueLayout.JAVA_INT, slots), ROWS, 2, limits);
  }

  private void catchUp(SlotIndex index) {
    index.encode(ROWS, 2, Limits.NONE);
    assertThat(index.link(ROWS, 0, 2, MemorySegment.NULL, 0))
        .isEqualTo(new SlotIndex.Linked(0, null));
    assertThat(index.backlog()).isZero();
  }

  private SlotIndex linked(FaissType type, boolean keepVectors) {
    SlotIndex index = create(type, keepVectors);
    index.prepare(ROWS);
    index.reserve(ROWS);
    index.stage(0, gaussian(ROWS, 1), ROWS, 0);
    assertThat(index.link(0, ROWS, 2, MemorySegment.NULL, 0))
        .isEqualTo(new SlotIndex.Linked(ROWS, null));
    if (type.trains()) {
      train(index, Limits.NONE);
      catchUp(index);
    }
    return index;
  }

  /** Slot i has id i; none is dead. */
  private SlotView view(long slotCount) {
    MemorySegment ids = arena.allocate(ValueLayout.JAVA_LONG, 32_768);
    for (int i = 0; i < slotCount; i++) {
      ids.setAtIndex(ValueLayout.JAVA_LONG, i, i);
    }
    MemorySegment pages = arena.allocateFrom(ValueLayout.ADDRESS, ids);
    return new SlotView() {
      @Override
      public long slotCount() {
        return slotCount;
      }

      @Override
      public MemorySegment deadPages() {
        return MemorySegment.NULL;
      }

      @Override
      public MemorySegment idPages() {
        return pages;
      }
    };
  }

  private List<Long> search(SlotIndex index, SearchRequest request) {
    return search(index, ROWS, request);
  }

  private List<Long> search(SlotIndex index, int slots, SearchRequest request) {
    int count = index.search(view(slots), MemorySegment.NULL, query, 10, request, hits);
    return LongStream.range(0, count)
        .mapToObj(i -> hits.ids().getAtIndex(ValueLayout.JAVA_LONG, i))
        .toList();
  }

  /** The distances of all slots, by slot. */
  private float[] distances(SlotIndex index, int slots) {
    int count = index.exact(view(slots), 0, slots, MemorySegment.NULL, query, slots, 0, true, hits);
    assertThat(count).isEqualTo(slots);
    float[] distances = new float[slots];
    for (int i = 0; i < count; i++) {
      int slot = (int) hits.ids().getAtIndex(ValueLayout.JAVA_LONG, i);
      distances[slot] = hits.distances().getAtIndex(ValueLayout.JAVA_FLOAT, i);
    }
    return distances;
  }

  private float[] row(SlotIndex index, long slot) {
    MemorySegment row = arena.allocate(ValueLayout.JAVA_FLOAT, DIMENSION);
    index.row(slot, row);
    return row.toArray(ValueLayout.JAVA_FLOAT);
  }

  private SearchRequest request() {
    return SearchRequest.of(query, 10);
  }

  private SearchRequest late() {
    return request().deadline(Instant.EPOCH);
  }

  private SearchRequest cancelled() {
    Cancellation cancellation = new Cancellation();
    cancellation.cancel();
    return request().cancelledBy(cancellation);
  }

  private SearchRequest patient() {
    return request().deadline(Instant.MAX).cancelledBy(new Cancellation());
  }

  @ParameterizedTest
  @CsvSource({
    "FLAT, true",
    "HNSW, true",
    "IVF_FLAT, true",
    "SQ8, true",
    "HNSW_SQ8, false",
    "IVF_SQ8, false",
    "IVF_PQ, false",
    "PQ, false",
    "SQ8, false"
  })
  void aSearchStopsAsItsRequestSays(FaissType type, boolean keepVectors) {
    SlotIndex index = linked(type, keepVectors);
    List<Long> found = search(index, request());
    assertThatThrownBy(() -> search(index, late()))
        .isInstanceOf(DeadlineExceededException.class)
        .hasMessage("the search was not done by its deadline");
    assertThatThrownBy(() -> search(index, cancelled()))
        .isInstanceOf(CancelledException.class)
        .hasMessage("the search was cancelled");
    assertThat(found).hasSize(10);
    assertThat(search(index, patient())).isEqualTo(found);
    assertThat(search(index, request())).isEqualTo(found);
  }

  /** Others move what a search reads while they link. */
  @ParameterizedTest
  @EnumSource(FaissType.class)
  void onlyAGraphOverVectorsIsLinkedBesideSearches(FaissType type) {
    assertThat(create(type, true).linksBesideSearches()).isEqualTo(type == FaissType.HNSW);
  }

  /** One call of native code, which nothing but the native code can end before it is done. */
  @Test
  void aWalkThatIsUnderWayStopsAsItsRequestSays() throws Exception {
    SlotIndex index =
        new FaissSlotIndex(
            Metric.L2,
            DIMENSION,
            new FaissParameters(
                FaissType.HNSW, DIMENSION, 4, 8, 50, 8, 8, 0, 500, 4, 4, 4, true, 100));
    made.add(index);
    index.prepare(MANY_ROWS);
    index.reserve(MANY_ROWS);
    index.stage(0, gaussian(MANY_ROWS, 3), MANY_ROWS, 0);
    index.link(0, MANY_ROWS, 2, MemorySegment.NULL, 0);
    // All rows are candidates, and each of them is put in its place among the others: that takes
    // many times what a thread waits for its turn on a busy machine.
    SearchRequest walk = request().efSearch(MANY_ROWS);
    long nanos = Long.MAX_VALUE;
    List<Long> found = List.of();
    for (int i = 0; i < 3; i++) {
      long began = System.nanoTime();
      found = search(index, MANY_ROWS, walk);
      nanos = Math.min(nanos, System.nanoTime() - began);
    }
    assertThat(found).hasSize(10);
    long soon = nanos / 4;
    int late = 0;
    while (!isStopped(index, walk.deadline(Instant.now().plusNanos(soon)))) {
      assertThat(++late).as("walks that went on past their deadline").isLessThan(MOST_WALKS);
    }
    int deaf = 0;
    while (!isCancelledOnItsWay(index, walk, soon)) {
      assertThat(++deaf).as("walks that were not cancelled").isLessThan(MOST_WALKS);
    }
    assertThat(search(index, MANY_ROWS, walk)).isEqualTo(found);
  }

  private boolean isCancelledOnItsWay(SlotIndex index, SearchRequest walk, long nanos)
      throws InterruptedException {
    Cancellation cancellation = new Cancellation();
    CountDownLatch ready = new CountDownLatch(1);
    CountDownLatch begun = new CountDownLatch(1);
    Thread cancelling =
        new Thread(
            () -> {
              ready.countDown();
              try {
                begun.await(); // by the thread that walks
                LockSupport.parkNanos(nanos);
              } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
              }
              cancellation.cancel();
            });
    cancelling.start();
    ready.await();
    begun.countDown();
    boolean stopped = isStopped(index, walk.cancelledBy(cancellation));
    cancelling.join();
    return stopped;
  }

  private boolean isStopped(SlotIndex index, SearchRequest walk) {
    try {
      search(index, MANY_ROWS, walk);
      return false;
    } catch (CancelledException | DeadlineExceededException expected) {
      return true;
    }
  }

  @Test
  void whatCannotBeTakenOverIsRefused() {
    SlotIndex source = linked(FaissType.FLAT, true);
    SlotIndex index = create(FaissType.FLAT, true);
    index.prepare(10);
    index.reserve(10);
    MemorySegment unknown = arena.allocateFrom(ValueLayout.JAVA_INT, 3, ROWS, 4);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> index.stageFrom(0, source, unknown, 3))
        .withMessage("slot " + ROWS + " of the source is not linked");
    MemorySegment known = arena.allocateFrom(ValueLayout.JAVA_INT, 3, 1, 4);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> index.stageFrom(8, source, known, 3))
        .withMessageStartingWith("slots to stage");
    SlotIndex foreign =
        (SlotIndex)
            Proxy.newProxyInstance(
                getClass().getClassLoader(), new Class<?>[] {SlotIndex.class}, (p, m, a) -> null);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> index.stageFrom(0, foreign, known, 3))
        .withMessageContaining("cannot take rows of");
    made.remove(source);
    source.close();
    assertThatIllegalStateException().isThrownBy(() -> index.stageFrom(0, source, known, 3));
  }

  @ParameterizedTest
  @EnumSource(
      value = FaissType.class,
      names = {"HNSW_SQ8", "IVF_FLAT", "IVF_SQ8", "IVF_PQ", "PQ", "SQ8"})
  void trainingAndEncodingStopAsTheirLimitsSay(FaissType type) {
    SlotIndex index = create(type, true);
    index.prepare(ROWS);
    index.reserve(ROWS);
    MemorySegment rows = gaussian(ROWS, 1);
    index.stage(0, rows, ROWS, 0);
    index.link(0, ROWS, 2, MemorySegment.NULL, 0);
    long trainsAt = index.trainsAt();
    assertThat(trainsAt).isEqualTo(500);
    assertThatThrownBy(() -> train(index, late().limits()))
        .isInstanceOf(DeadlineExceededException.class)
        .hasMessage("training was not done by its deadline");
    assertThatThrownBy(() -> train(index, cancelled().limits()))
        .isInstanceOf(CancelledException.class)
        .hasMessage("training was cancelled");
    assertThatThrownBy(() -> index.train(rows, ROWS, ROWS, 2, cancelled().limits()))
        .isInstanceOf(CancelledException.class)
        .hasMessage("training was cancelled");
    assertThat(index.trainsAt()).isEqualTo(trainsAt);
    assertThat(index.details()).containsEntry("trained", false);

    train(index, patient().limits());
    assertThat(index.trainsAt()).isEqualTo(Long.MAX_VALUE);
    assertThatThrownBy(() -> index.encode(ROWS, 2, late().limits()))
        .isInstanceOf(DeadlineExceededException.class)
        .hasMessage("the build was not done by its deadline");
    assertThatThrownBy(() -> index.encode(ROWS, 2, cancelled().limits()))
        .isInstanceOf(CancelledException.class)
        .hasMessage("the build was cancelled");
    catchUp(index);
    assertThat(search(index, request())).hasSize(10);
  }

  @ParameterizedTest
  @CsvSource({
    "FLAT, true",
    "HNSW, true",
    "IVF_FLAT, true",
    "SQ8, true",
    "HNSW_SQ8, false",
    "IVF_SQ8, false",
    "IVF_PQ, false",
    "PQ, false",
    "SQ8, false"
  })
  void slotsAreTakenOverBitForBit(FaissType type, boolean keepVectors) {
    SlotIndex source = linked(type, keepVectors);
    SlotIndex index = create(type, keepVectors);
    index.trainLike(source);
    assertThat(index.rowsDropped()).isEqualTo(source.rowsDropped());
    assertThat(source.rowsDropped()).isEqualTo(!keepVectors);
    int[] slots = IntStream.range(0, ROWS).map(i -> (i * 7 + 3) % ROWS).limit(500).toArray();
    MemorySegment list = arena.allocateFrom(ValueLayout.JAVA_INT, slots);
    index.prepare(500);
    index.reserve(500);
    index.stageFrom(0, source, list, 300);
    index.stageFrom(300, source, list.asSlice(300 * 4L), 200);
    index.encode(500, 2, Limits.NONE);
    assertThat(index.link(0, 500, 2, MemorySegment.NULL, 0))
        .isEqualTo(new SlotIndex.Linked(500, null));
    float[] before = distances(source, ROWS);
    float[] after = distances(index, 500);
    for (int i = 0; i < 500; i++) {
      assertThat(after[i]).isEqualTo(before[slots[i]]);
      if (!index.rowsDropped()) {
        assertThat(row(index, i)).isEqualTo(row(source, slots[i]));
      }
    }
  }
}
