package io.github.panvec.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Cancellation;
import io.github.panvec.CancelledException;
import io.github.panvec.Capabilities;
import io.github.panvec.DeadlineExceededException;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.NativeMemoryException;
import io.github.panvec.SearchRequest;
import io.github.panvec.WriteOptions;
import java.lang.foreign.MemorySegment;
import java.time.Instant;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class CompactionTest {
  private static final long MOST_ROWS = 1_000_000;

  private final List<JavaSlotIndex> made = new ArrayList<>();
  private Consumer<JavaSlotIndex> setUp = slots -> {};

  private ManagedIndex index(long compactAt) {
    return new ManagedIndex(
        new Engine(
            IndexSpec.of("java", 1, Metric.L2),
            new Capabilities(EnumSet.allOf(Metric.class), 1, Integer.MAX_VALUE, true, false, false),
            "1",
            () -> {
              JavaSlotIndex slots = new JavaSlotIndex();
              setUp.accept(slots);
              made.add(slots);
              return slots;
            },
            1,
            compactAt));
  }

  private static long[] ids(int count) {
    return LongStream.range(0, count).toArray();
  }

  private static float[] floats(int count) {
    float[] floats = new float[count];
    for (int i = 0; i < count; i++) {
      floats[i] = i;
    }
    return floats;
  }

  private static void assertHolds(ManagedIndex index, TreeMap<Long, Float> model) {
    assertThat(index.size()).isEqualTo(model.size());
    assertThat(index.ids()).containsExactly(model.keySet().stream().mapToLong(i -> i).toArray());
    model.forEach(
        (id, value) ->
            assertThat(index.get(id))
                .hasValueSatisfying(row -> assertThat(row).containsExactly(value)));
    SearchRequest all = SearchRequest.of(new float[1], 1_000_000).exact();
    assertThat(index.search(all).ids())
        .containsExactlyInAnyOrder(model.keySet().toArray(new Long[0]));
  }

  @Test
  void whatIsDeadIsGoneAndTheOldGenerationFreed() {
    try (ManagedIndex index = index(0)) {
      index.addAll(ids(100), floats(100));
      assertThat(index.removeAll(3, 5, 5, 7, 1000)).isEqualTo(3);
      index.upsert(9, new float[] {-9});
      index.compact();
      assertThat(index.stats().dead()).isZero();
      assertThat(index.stats().details())
          .containsEntry("slots", 97L)
          .containsEntry("compactions", 1L);
      assertThat(made).hasSize(2);
      assertThat(made.get(0).closed).isTrue();
      assertThat(made.get(1).closed).isFalse();
      assertThat(index.get(9)).hasValueSatisfying(row -> assertThat(row).containsExactly(-9));
      assertThat(index.contains(5)).isFalse();
      index.add(5, new float[] {55});
      assertThat(index.get(5)).hasValueSatisfying(row -> assertThat(row).containsExactly(55));
    }
    assertThat(made).allMatch(slots -> slots.closed);
  }

  @Test
  void withoutDeadRowsItDoesNothing() {
    try (ManagedIndex index = index(0)) {
      index.addAll(ids(10), floats(10));
      index.compact();
      assertThat(made).hasSize(1);
    }
  }

  @Test
  void writesMeanwhileAreInTheCopy() {
    long seed = 20261121;
    Random random = new Random(seed);
    TreeMap<Long, Float> model = new TreeMap<>();
    try (ManagedIndex index = index(0)) {
      int rows = 10_000;
      index.addAll(ids(rows), floats(rows));
      for (long id = 0; id < rows; id++) {
        model.put(id, (float) id);
      }
      index.remove(0);
      model.remove(0L);
      boolean[] once = {false};
      setUp =
          slots ->
              slots.beforeNext =
                  () -> {
                    if (once[0]) {
                      return;
                    }
                    // Some thousand writes while the first rows have been copied.
                    once[0] = true;
                    for (int i = 0; i < 3000; i++) {
                      long id = random.nextInt(2 * rows);
                      if (random.nextInt(3) == 0) {
                        assertThat(index.remove(id)).isEqualTo(model.remove(id) != null);
                      } else {
                        float value = random.nextInt(1_000_000);
                        index.upsert(id, new float[] {value});
                        model.put(id, value);
                      }
                    }
                  };
      index.compact();
      assertThat(once[0]).isTrue();
      assertThat(made).hasSize(2);
      assertHolds(index, model);
    }
  }

  @Test
  void readersAndWritersGoOnAndSeeOneState() throws Exception {
    try (ManagedIndex index = index(0);
        ExecutorService pool = Executors.newFixedThreadPool(3)) {
      int rows = 6000;
      index.addAll(ids(rows), floats(rows));
      AtomicBoolean stop = new AtomicBoolean();
      Callable<Integer> reader =
          () -> {
            int searches = 0;
            SearchRequest all = SearchRequest.of(new float[1], 2 * rows).exact();
            while (!stop.get() || searches == 0) {
              assertThat(index.search(all).count()).isEqualTo(rows);
              searches++;
            }
            return searches;
          };
      List<Future<Integer>> readers = List.of(pool.submit(reader), pool.submit(reader));
      Future<?> writer =
          pool.submit(
              () -> {
                Random random = new Random(1);
                for (int i = 0; !stop.get(); i++) {
                  index.upsert(random.nextInt(rows), new float[] {i});
                }
              });
      try {
        for (int round = 0; round < 20; round++) {
          index.upsert(round, new float[] {-1});
          index.compact();
        }
      } finally {
        stop.set(true);
      }
      writer.get();
      for (Future<Integer> each : readers) {
        assertThat(each.get()).isPositive();
      }
      assertThat(index.size()).isEqualTo(rows);
      assertThat(made.subList(0, made.size() - 1)).allMatch(slots -> slots.closed);
    }
  }

  @Test
  void itEndsBesideAWriterAsQuickAsItIs() throws Exception {
    try (ManagedIndex index = index(0);
        ExecutorService pool = Executors.newSingleThreadExecutor()) {
      index.addAll(ids(20_000), floats(20_000));
      index.remove(0);
      AtomicBoolean done = new AtomicBoolean();
      AtomicLong next = new AtomicLong(20_000);
      // In each step of the copy the writer adds more than a step copies, unless the step keeps it
      // out.
      setUp =
          slots ->
              slots.beforeNext =
                  () -> {
                    long enough = next.get() + 5000;
                    long until = System.nanoTime() + 20_000_000;
                    while (next.get() < enough && System.nanoTime() - until < 0) {
                      Thread.onSpinWait();
                    }
                  };
      Future<?> writer =
          pool.submit(
              () -> {
                while (!done.get() && next.get() < MOST_ROWS) {
                  long first = next.get();
                  index.addAll(LongStream.range(first, first + 1000).toArray(), floats(1000));
                  next.addAndGet(1000);
                }
              });
      index.compact();
      done.set(true);
      writer.get();
      assertThat(next.get()).as("rows when the copy had caught up").isLessThan(MOST_ROWS);
      assertThat(index.size()).isEqualTo(next.get() - 1);
    }
  }

  @Test
  void oneThatFailsOrIsCancelledLeavesTheIndexAsItWas() {
    try (ManagedIndex index = index(0)) {
      index.addAll(ids(100), floats(100));
      index.remove(1);
      setUp = slots -> slots.failAfter = 7;
      assertThatThrownBy(index::compact).isInstanceOf(NativeMemoryException.class);
      assertThat(made.get(1).closed).isTrue();
      assertThat(index.stats().dead()).isEqualTo(1);
      assertThat(index.size()).isEqualTo(99);

      setUp = slots -> {};
      WriteOptions past = WriteOptions.defaults().deadline(Instant.now().minusSeconds(1));
      assertThatThrownBy(() -> index.compact(past)).isInstanceOf(DeadlineExceededException.class);
      Cancellation cancellation = new Cancellation();
      setUp = slots -> slots.beforeNext = cancellation::cancel;
      assertThatThrownBy(() -> index.compact(WriteOptions.defaults().cancelledBy(cancellation)))
          .isInstanceOf(CancelledException.class);
      assertThat(made.get(made.size() - 1).closed).isTrue();
      assertThat(index.stats().dead()).isEqualTo(1);
      setUp = slots -> {};
      index.compact();
      assertThat(index.stats().dead()).isZero();
    }
  }

  @Test
  void itStartsByItselfWhenEnoughIsDead() throws Exception {
    try (ManagedIndex index = index(30)) {
      index.addAll(ids(5000), floats(5000));
      index.removeAll(ids(1400));
      assertThat(made).hasSize(1);
      index.removeAll(ids(1500));
      while ((long) index.stats().details().get("compactions") == 0) {
        Thread.onSpinWait();
      }
      assertThat(index.stats().dead()).isZero();
      assertThat(index.size()).isEqualTo(3500);
    }
    assertThat(made).hasSize(2).allMatch(slots -> slots.closed);
  }

  @Test
  void closeEndsTheOneInTheBackgroundBeforeItFreesWhatIsCopied() {
    setUp = slots -> slots.beforeNext = () -> assertThat(made.get(0).closed).as("freed").isFalse();
    for (int round = 0; round < 50; round++) {
      made.clear();
      try (ManagedIndex index = index(30)) {
        index.addAll(ids(9000), floats(9000));
        index.removeAll(ids(4000));
      }
      assertThat(made).allMatch(slots -> slots.closed);
    }
  }

  @Test
  void oneThatWasTrainedMeanwhileIsCopiedAgain() {
    try (ManagedIndex index = index(0)) {
      made.get(0).trainAt = 10_000;
      index.addAll(ids(6000), floats(6000));
      index.remove(3);
      boolean[] once = {false};
      setUp =
          slots ->
              slots.beforeNext =
                  () -> {
                    if (!once[0]) {
                      once[0] = true;
                      assertThat(index.train(floats(50))).isTrue();
                    }
                  };
      index.compact();
      assertThat(made).hasSize(3);
      assertThat(made.get(1).closed).isTrue();
      assertThat(index.train(floats(50))).isFalse();
      assertThat(index.size()).isEqualTo(5999);
    }
  }

  @Test
  void aPreparedFilterAsksOnceForEachRowAndOutlivesWritesAndCompaction() {
    try (ManagedIndex index = index(0)) {
      index.addAll(ids(200), floats(200));
      List<Long> asked = new ArrayList<>();
      IdFilter even =
          IdFilter.matching(
              id -> {
                asked.add(id);
                return id % 2 == 0;
              });
      IdFilter prepared = index.prepare(even);
      assertThat(asked).hasSize(200);
      asked.clear();
      SearchRequest all = SearchRequest.of(new float[1], 1000).exact().filter(prepared);
      assertThat(index.search(all).count()).isEqualTo(100);
      assertThat(asked).isEmpty();
      index.addAll(new long[] {300, 301}, new float[2]);
      index.removeAll(0, 1, 2);
      assertThat(index.search(all).count()).isEqualTo(99);
      assertThat(asked).containsExactly(300L, 301L);
      asked.clear();
      index.compact();
      assertThat(index.search(all).count()).isEqualTo(99);
      assertThat(asked).hasSize(199);
      asked.clear();
      assertThat(index.search(all).count()).isEqualTo(99);
      assertThat(asked).isEmpty();
      try (ManagedIndex other = index(0)) {
        other.addAll(ids(10), floats(10));
        assertThat(other.search(all).count()).isEqualTo(5);
      }
    }
  }

  @Test
  void aListenerHearsOfRowsAndWhatItThrowsLeavesTheIndexAsItWas() {
    try (ManagedIndex index = index(0)) {
      index.addAll(ids(10), floats(10));
      List<Long> heard = new ArrayList<>();
      long[] more = LongStream.range(10, 50).toArray();
      WriteOptions options = WriteOptions.defaults();
      assertThatThrownBy(
              () ->
                  index.addAll(
                      MemorySegment.ofArray(more),
                      MemorySegment.ofArray(floats(40)),
                      options.progress(
                          (done, total) -> {
                            if (done > 20) {
                              throw new ArithmeticException("enough");
                            }
                          })))
          .isInstanceOf(ArithmeticException.class);
      assertThat(index.size()).isEqualTo(10);
      assertThat(index.contains(10)).isFalse();
      index.addAll(
          MemorySegment.ofArray(more),
          MemorySegment.ofArray(floats(40)),
          options.progress(
              (done, total) -> {
                assertThat(total).isEqualTo(40);
                heard.add(done);
                assertThatThrownBy(() -> index.remove(1)).isInstanceOf(IllegalStateException.class);
                assertThatThrownBy(index::compact).isInstanceOf(IllegalStateException.class);
                assertThatThrownBy(index::close).isInstanceOf(IllegalStateException.class);
              }));
      assertThat(heard).isSorted().endsWith(40L);
      assertThat(index.size()).isEqualTo(50);
    }
  }

  @Test
  void aBatchOfUpsertsReplacesAllOrNothing() {
    try (ManagedIndex index = index(0)) {
      index.addAll(ids(10), floats(10));
      made.get(0).failAfter = 2;
      assertThatThrownBy(() -> index.upsertAll(new long[] {8, 9, 10}, new float[] {80, 90, 100}))
          .isInstanceOf(NativeMemoryException.class);
      assertThat(index.size()).isEqualTo(10);
      index.upsertAll(new long[] {8, 9, 10}, new float[] {80, 90, 100});
      TreeMap<Long, Float> model = new TreeMap<>();
      for (long id = 0; id < 8; id++) {
        model.put(id, (float) id);
      }
      model.put(8L, 80f);
      model.put(9L, 90f);
      model.put(10L, 100f);
      assertHolds(index, model);
      assertThat(index.getAll(9, 77, 0))
          .satisfiesExactly(
              row -> assertThat(row).hasValueSatisfying(v -> assertThat(v).containsExactly(90)),
              row -> assertThat(row).isEmpty(),
              row -> assertThat(row).hasValueSatisfying(v -> assertThat(v).containsExactly(0)));
    }
  }
}
