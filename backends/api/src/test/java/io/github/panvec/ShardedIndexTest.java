package io.github.panvec;

import static io.github.panvec.ShardToys.ROW_BYTES;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.fail;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongPredicate;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(value = 5, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class ShardedIndexTest {
  private static final long ROWS = 10;
  private static final long SHARD_BYTES = ROWS * ROW_BYTES;

  private final long seed = Long.getLong("panvec.seed", System.nanoTime());
  private final Random random = new Random(seed);
  private final TreeMap<Long, Float> rows = new TreeMap<>();

  @TempDir private Path folder;
  private ClassLoader before;

  @BeforeEach
  void toysAlone() {
    before = Thread.currentThread().getContextClassLoader();
    ShardToys.reset();
  }

  @AfterEach
  void nothingWentWrong() {
    Thread.currentThread().setContextClassLoader(before);
    assertThat(ShardToys.WRONG).as("seed %d", seed).isEmpty();
    assertThat(ShardToys.OPEN_BYTES.get()).as("bytes left open, seed %d", seed).isZero();
  }

  /** A shard of ten rows with the ids from {@code first} on, at their ids. */
  private SnapshotSource shard(String name, String backend, long first) {
    Map<Long, Float> some = new TreeMap<>();
    LongStream.range(first, first + ROWS).forEach(id -> some.put(id, (float) id));
    return shard(name, backend, some);
  }

  private SnapshotSource shard(String name, String backend, Map<Long, Float> some) {
    ShardToys.save(folder.resolve(name), backend, some);
    rows.putAll(some);
    return SnapshotSource.of(folder.resolve(name));
  }

  /** Shards a, b, c … of ten rows each: 0 to 9, 10 to 19 … */
  private List<SnapshotSource> shards(int count) {
    List<SnapshotSource> all = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      all.add(shard("" + (char) ('a' + i), i % 2 == 0 ? "one" : "two", i * ROWS));
    }
    return all;
  }

  private static ShardOptions room(double shards) {
    return ShardOptions.defaults().budget((long) (shards * SHARD_BYTES));
  }

  private static SearchRequest at(float x, int k) {
    return SearchRequest.of(new float[] {x}, k);
  }

  private List<Hit> nearest(float x, int k, LongPredicate passes) {
    return rows.entrySet().stream()
        .filter(row -> passes.test(row.getKey()))
        .map(row -> new Hit(row.getKey(), Math.abs(x - row.getValue())))
        .sorted(Comparator.comparing(Hit::distance).thenComparing(Hit::id))
        .limit(k)
        .toList();
  }

  private static <T> Future<T> start(Callable<T> call) {
    FutureTask<T> task = new FutureTask<>(call);
    // It has this thread's context class loader.
    Thread.ofPlatform().daemon().start(task);
    return task;
  }

  private static void await(CountDownLatch latch) {
    try {
      if (!latch.await(2, TimeUnit.MINUTES)) {
        throw new AssertionError("nobody came");
      }
    } catch (InterruptedException unexpected) {
      throw new AssertionError(unexpected);
    }
  }

  private List<String> opened() {
    return List.copyOf(ShardToys.OPENED);
  }

  // ----------------------------------------------------------------------------------- answers

  @Test
  void answersAreThoseOfOneIndexOfAllRows() {
    List<Map<Long, Float>> parts =
        Stream.generate(() -> (Map<Long, Float>) new TreeMap<Long, Float>()).limit(5).toList();
    for (int i = 0; i < 300; i++) {
      // Few places, so that many rows of all shards are at the same distance.
      parts.get(random.nextInt(5)).put(random.nextLong(), (float) random.nextInt(12));
    }
    List<SnapshotSource> sources = new ArrayList<>();
    for (int i = 0; i < 5; i++) {
      sources.add(shard("shard" + i, i % 2 == 0 ? "one" : "two", parts.get(i)));
    }
    long most =
        sources.stream().mapToLong(source -> Panvec.describe(source).bytes()).max().getAsLong();
    for (ShardOptions options :
        List.of(
            ShardOptions.defaults(),
            ShardOptions.defaults().budget(most),
            ShardOptions.defaults().inMemory().budget(2 * most),
            ShardOptions.defaults().views(Verify.SIZES).budget(3 * most))) {
      try (ShardedIndex index = ShardedIndex.open(sources, options)) {
        assertThat(index.size()).isEqualTo(rows.size());
        for (int i = 0; i < 40; i++) {
          float x = random.nextInt(24) / 2f;
          int k = 1 + random.nextInt(100);
          long border = random.nextLong();
          SearchRequest request = at(x, k).exact();
          assertThat(index.search(request).hits()).isEqualTo(nearest(x, k, id -> true));
          assertThat(index.search(request.filter(IdFilter.matching(id -> id < border))).hits())
              .isEqualTo(nearest(x, k, id -> id < border));
          RangeResult within = index.searchRange(request, 1.5f);
          List<Hit> expected =
              nearest(x, k, id -> true).stream().filter(hit -> hit.distance() <= 1.5f).toList();
          assertThat(within.hits().hits()).isEqualTo(expected);
          assertThat(within.truncated()).isEqualTo(expected.size() == k);
          assertThat(within.approximate()).isFalse();
        }
        List<SearchResult> batch = index.searchAll(new float[] {3, 7.5f, 100}, 20);
        assertThat(batch).hasSize(3);
        assertThat(batch.get(1).hits()).isEqualTo(nearest(7.5f, 20, id -> true));
        assertThat(batch.get(2).hits()).isEqualTo(nearest(100, 20, id -> true));
        assertThat(index.ids()).isEqualTo(rows.keySet().stream().mapToLong(id -> id).toArray());
        long some = rows.ceilingKey(random.nextLong(rows.lastKey()));
        assertThat(index.contains(some)).isTrue();
        assertThat(index.get(some)).hasValue(new float[] {rows.get(some)});
        assertThat(index.getAll(some, 0, rows.firstKey(), some))
            .map(row -> row.map(vector -> vector[0]))
            .map(row -> row.orElse(null))
            .containsExactly(
                rows.get(some), rows.get(0L), rows.get(rows.firstKey()), rows.get(some));
      }
    }
  }

  @Test
  void aSearchIsAWalkWhenThoseOfItsShardsAre() {
    try (ShardedIndex index = ShardedIndex.open(shards(2))) {
      assertThat(index.search(at(3, 2)).path()).isEqualTo(SearchPath.WALK);
      assertThat(index.search(at(3, 2).exact()).path()).isEqualTo(SearchPath.SCAN);
      assertThat(index.search(new float[] {12}, 1).hits()).containsExactly(new Hit(12, 0));
    }
  }

  @Test
  void aPredicateIsAskedOnceForEachRowOnTheCallersThread() {
    try (ShardedIndex index = ShardedIndex.open(shards(3))) {
      List<Long> asked = new ArrayList<>();
      Thread caller = Thread.currentThread();
      index.search(
          at(3, 2)
              .filter(
                  IdFilter.matching(
                      id -> {
                        assertThat(Thread.currentThread()).isSameAs(caller);
                        return asked.add(id);
                      })));
      assertThat(asked).containsExactlyInAnyOrderElementsOf(rows.keySet());
    }
  }

  @Test
  void anIdInTwoShardsIsNeverTwiceInAnAnswer() {
    List<SnapshotSource> sources =
        List.of(
            shard("a", "one", 0),
            shard("b", "two", 20),
            shard("c", "one", Map.of(7L, 8f, 40L, 1f)));
    try (ShardedIndex index = ShardedIndex.open(sources)) {
      for (Runnable call :
          List.<Runnable>of(
              () -> index.search(at(7.5f, 3)),
              () -> index.searchAll(new float[] {25, 7.5f}, 3),
              () -> index.searchRange(at(7, 100), 3),
              index::ids)) {
        assertThatThrownBy(call::run)
            .isExactlyInstanceOf(VectorIndexException.class)
            .hasMessageContaining("id 7 is in shard")
            .hasMessageContaining("shard 0 (" + folder.resolve("a"))
            .hasMessageContaining("shard 2 (" + folder.resolve("c"));
      }
      assertThat(index.search(at(7, 1)).ids()).containsExactly(7);
      assertThat(index.search(at(25, 3)).ids()).containsExactly(25, 24, 26);
      assertThat(index.contains(7)).isTrue();
    }
  }

  // ------------------------------------------------------------------------- opening and closing

  @Test
  void aShardIsOpenedByTheFirstCallThatNeedsIt() {
    List<SnapshotSource> sources = new ArrayList<>(shards(3));
    sources.add(1, shard("empty", "two", Map.of()));
    try (ShardedIndex index = ShardedIndex.open(sources, ShardOptions.defaults().inMemory())) {
      assertThat(index.size()).isEqualTo(30);
      assertThat(index.dimension()).isEqualTo(1);
      assertThat(index.metric()).isEqualTo(Metric.L2);
      assertThat(index.manifests())
          .extracting(SnapshotManifest::size)
          .containsExactly(10L, 0L, 10L, 10L);
      IndexStats stats = index.stats();
      assertThat(stats.size()).isEqualTo(30);
      assertThat(stats.dead()).isEqualTo(3);
      assertThat(stats.diskBytes()).isEqualTo(3 * SHARD_BYTES);
      assertThat(stats.nativeBytes()).isZero();
      assertThat(index).hasToString("4 shards of 30 vectors with 1 dimensions under L2");
      assertThat(opened()).isEmpty();
      assertThat(index.contains(3)).isTrue();
      assertThat(opened()).containsExactly("open a");
      assertThat(index.contains(3)).isTrue();
      assertThat(index.contains(1000)).isFalse();
      assertThat(opened()).containsExactly("open a", "open b", "open c");
      index.search(at(0, 1));
      assertThat(opened()).hasSize(3);
      assertThat(index.stats().nativeBytes()).isEqualTo(21);
      assertThat(index.stats().details())
          .containsEntry("shards", 4L)
          .containsEntry("open", 3L)
          .containsEntry("openBytes", 3 * SHARD_BYTES)
          .containsEntry("opened", 3L)
          .containsEntry("evicted", 0L);
    }
  }

  @Test
  void whatACallerGotWrongAndWhatAsksForNothingOpenNothing() {
    try (ShardedIndex index = ShardedIndex.open(shards(2))) {
      Cancellation cancelled = new Cancellation();
      cancelled.cancel();
      Map<Runnable, Class<?>> wrong =
          Map.of(
              () -> index.search(new float[2], 1), InvalidVectorException.class,
              () -> index.search(new float[] {Float.NaN}, 1), InvalidVectorException.class,
              () -> index.searchAll(new float[] {1, Float.NaN}, 1), InvalidVectorException.class,
              () -> index.search(at(1, 1001)), IllegalArgumentException.class,
              () -> index.searchRange(at(1, 1), -1), IllegalArgumentException.class,
              () -> index.search(at(1, 1).cancelledBy(cancelled)), CancelledException.class,
              () -> index.search(at(1, 1).deadline(Instant.EPOCH)),
                  DeadlineExceededException.class);
      wrong.forEach((call, type) -> assertThatThrownBy(call::run).isInstanceOf(type));
      assertThatThrownBy(() -> index.searchAll(new float[] {1, Float.NaN}, 1))
          .hasMessageContaining("query 1");
      assertThat(index.searchAll(new float[0], 1)).isEmpty();
      assertThat(index.getAll()).isEmpty();
      assertThat(opened()).isEmpty();
    }
  }

  @Test
  void thoseUsedLeastRecentlyAreClosedForOthers() {
    try (ShardedIndex index = ShardedIndex.open(shards(4), room(2.5))) {
      index.contains(0); // a
      index.contains(10); // a, b
      index.contains(5); // a again
      index.contains(39); // c and d follow, since each is asked
      assertThat(opened()).containsExactly("view a", "view b", "view c", "view d");
      assertThat(index.stats().details()).containsEntry("open", 2L).containsEntry("evicted", 2L);
      index.contains(25);
      assertThat(opened()).as("c and d were open").hasSize(4);
    }
    assertThat(ShardToys.MOST_BYTES.get()).isEqualTo(2 * SHARD_BYTES);
  }

  @Test
  void theLastUseCountsAndNotTheOpening() {
    try (ShardedIndex index = ShardedIndex.open(shards(3), room(2))) {
      index.search(at(0, 1)); // b and c are left
      index.search(at(0, 1)); // c, and a
      index.search(at(0, 1)); // asks a and then c, so that a makes room for b
      assertThat(opened()).containsExactly("view a", "view b", "view c", "view a", "view b");
      assertThat(index.contains(25)).isTrue();
      assertThat(opened()).as("c was open").hasSize(5);
    }
  }

  @Test
  void aBudgetThatIsOneShardTooSmallCostsOneOpeningACall() {
    try (ShardedIndex index = ShardedIndex.open(shards(5), room(4))) {
      index.search(at(0, 3));
      for (int search = 0; search < 20; search++) {
        int openings = opened().size();
        assertThat(index.search(at(search, 3).exact()).hits())
            .isEqualTo(nearest(search, 3, id -> true));
        assertThat(opened()).hasSize(openings + 1);
      }
      index.searchAll(new float[100], 1);
      assertThat(opened()).as("a batch opens as often as a search").hasSize(26);
    }
  }

  @Test
  void aShardWithMoreBytesThanTheBudgetIsRefused() {
    List<SnapshotSource> sources = shards(2);
    assertThatThrownBy(() -> ShardedIndex.open(sources, room(0.9)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("shard 0 (" + folder.resolve("a") + ") has 160 bytes, the budget 144");
    assertThatThrownBy(() -> ShardOptions.defaults().budget(0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("budget must be at least 1 byte, not 0");
    try (ShardedIndex index = ShardedIndex.open(sources, room(1))) {
      assertThat(index.search(at(5, 20)).count()).isEqualTo(20);
    }
  }

  @Test
  void whatIsSavedLaterIsNotSeenAndDeletesNothing() {
    List<SnapshotSource> sources = shards(2);
    Path first = folder.resolve("a");
    try (ShardedIndex index = ShardedIndex.open(sources, room(1))) {
      for (int save = 0; save < 3; save++) {
        ShardToys.save(first, "two", Map.of(77L, 7f));
        assertThat(index.search(at(5, 2).exact()).ids()).containsExactly(5, 4);
        assertThat(index.size()).isEqualTo(20);
        assertThat(index.contains(77)).isFalse();
      }
      assertThat(first.resolve("1/rows")).exists();
    }
    ShardToys.save(first, "two", Map.of(77L, 7f));
    assertThat(first.resolve("1")).doesNotExist();
  }

  @Test
  void closingTwiceDoesNothingAndLaterCallsAreRefused() {
    ShardedIndex index = ShardedIndex.open(shards(2));
    index.search(at(0, 1));
    index.close();
    index.close();
    for (Runnable call :
        List.<Runnable>of(
            () -> index.search(at(0, 1)),
            () -> index.searchAll(new float[2], 1),
            () -> index.searchRange(at(0, 1), 1),
            () -> index.get(1),
            () -> index.getAll(1, 2),
            () -> index.contains(1),
            index::ids,
            index::size,
            index::stats)) {
      assertThatThrownBy(call::run)
          .isInstanceOf(IllegalStateException.class)
          .hasMessageContaining("closed");
    }
    assertThat(index.toString()).startsWith("2 shards");
  }

  // ---------------------------------------------------------------------------------- concurrency

  @Test
  void thereIsNeverMoreOpenThanTheBudgetAndNothingIsClosedInUse() throws Exception {
    List<SnapshotSource> sources = new ArrayList<>(shards(7));
    Map<Long, Float> large = new TreeMap<>();
    LongStream.range(100, 125).forEach(id -> large.put(id, (float) id));
    sources.add(shard("large", "one", large));
    ConcurrentLinkedQueue<Throwable> unexpected = new ConcurrentLinkedQueue<>();
    AtomicInteger failures = new AtomicInteger();
    // Every eleventh opening fails: what it reserved must be free again.
    AtomicInteger openings = new AtomicInteger();
    ShardToys.onOpen =
        name -> {
          if (openings.incrementAndGet() % 11 == 0) {
            throw new IllegalStateException("not today");
          }
        };
    try (ShardedIndex index = ShardedIndex.open(sources, room(3))) {
      List<Future<?>> threads = new ArrayList<>();
      for (int t = 0; t < 8; t++) {
        Random own = new Random(seed + t);
        threads.add(
            start(
                () -> {
                  for (int i = 0; i < 400; i++) {
                    float x = own.nextInt(125);
                    try {
                      switch (own.nextInt(4)) {
                        case 0 ->
                            assertThat(index.search(at(x, 5).exact()).hits())
                                .isEqualTo(nearest(x, 5, id -> true));
                        case 1 ->
                            assertThat(index.contains((long) x))
                                .isEqualTo(rows.containsKey((long) x));
                        case 2 ->
                            assertThat(index.searchAll(new float[] {x, 3}, 2).get(0).hits())
                                .isEqualTo(nearest(x, 2, id -> true));
                        default -> {
                          Instant soon = Instant.now().plusNanos(own.nextInt(200_000));
                          assertThat(index.search(at(x, 4).deadline(soon)).hits())
                              .isEqualTo(nearest(x, 4, id -> true));
                        }
                      }
                    } catch (DeadlineExceededException late) {
                      failures.incrementAndGet();
                    } catch (IllegalStateException failed) {
                      assertThat(failed).hasMessageContaining("not today");
                      failures.incrementAndGet();
                    } catch (Throwable wrong) {
                      unexpected.add(wrong);
                    }
                  }
                  return null;
                }));
      }
      for (Future<?> thread : threads) {
        thread.get();
      }
      ShardToys.onOpen = name -> {};
      assertThat(index.search(at(60, 6).exact()).hits()).isEqualTo(nearest(60, 6, id -> true));
      assertThat(index.stats().details().get("openBytes")).isEqualTo(ShardToys.OPEN_BYTES.get());
    }
    assertThat(unexpected).as("seed %d", seed).isEmpty();
    assertThat(ShardToys.MOST_BYTES.get()).isLessThanOrEqualTo(3 * SHARD_BYTES);
    assertThat(failures).hasPositiveValue();
  }

  /** Has a search wait in shard {@code a} until the latch is released. */
  private static CountDownLatch[] holdSearchesInA() {
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch leave = new CountDownLatch(1);
    ShardToys.onSearch =
        name -> {
          if (name.equals("a") && inside.getCount() > 0) {
            inside.countDown();
            await(leave);
          }
        };
    return new CountDownLatch[] {inside, leave};
  }

  @Test
  void aCallWaitsForRoomWithinItsDeadlineAndCancellation() throws Exception {
    try (ShardedIndex index = ShardedIndex.open(shards(2), room(1))) {
      CountDownLatch[] hold = holdSearchesInA();
      Future<SearchResult> first = start(() -> index.search(at(5, 20)));
      await(hold[0]);
      // What is not open is asked last, so each of these waits for the place of a.
      SearchRequest request = at(5, 20);
      assertThatThrownBy(() -> index.search(request.deadline(Instant.now().plusMillis(30))))
          .isInstanceOf(DeadlineExceededException.class);
      Cancellation cancellation = new Cancellation();
      Future<SearchResult> cancelled = start(() -> index.search(request.cancelledBy(cancellation)));
      Future<SearchResult> second = start(() -> index.search(request));
      cancellation.cancel();
      assertThatThrownBy(cancelled::get)
          .isInstanceOf(ExecutionException.class)
          .hasCauseInstanceOf(CancelledException.class);
      assertThat(first.isDone()).isFalse();
      assertThat(second.isDone()).isFalse();
      assertThat(opened()).containsExactly("view a");
      hold[1].countDown();
      assertThat(first.get().count()).isEqualTo(20);
      assertThat(second.get().count()).isEqualTo(20);
    }
    assertThat(ShardToys.MOST_BYTES.get()).isEqualTo(SHARD_BYTES);
  }

  @Test
  void aShardThatHasToGoTakesNoNewCalls() throws Exception {
    try (ShardedIndex index = ShardedIndex.open(shards(2), room(1))) {
      CountDownLatch[] hold = holdSearchesInA();
      Future<SearchResult> first = start(() -> index.search(at(5, 1)));
      await(hold[0]);
      // It wants b, for which a has to go; its deadline is long over for whoever comes next.
      assertThatThrownBy(() -> index.search(at(15, 1).deadline(Instant.now().plusMillis(30))))
          .isInstanceOf(DeadlineExceededException.class);
      ShardToys.onSearch = name -> fail("nobody gets into a");
      assertThatThrownBy(() -> index.search(at(5, 1).deadline(Instant.now().plusMillis(30))))
          .isInstanceOf(DeadlineExceededException.class);
      ShardToys.onSearch = name -> {};
      hold[1].countDown();
      assertThat(first.get().count()).isEqualTo(1);
      assertThat(index.contains(5)).isTrue();
    }
  }

  @Test
  void anInterruptedCallerWaitsAndStaysInterrupted() throws Exception {
    try (ShardedIndex index = ShardedIndex.open(shards(2), room(1))) {
      CountDownLatch[] hold = holdSearchesInA();
      Future<SearchResult> first = start(() -> index.search(at(5, 1)));
      await(hold[0]);
      Thread.currentThread().interrupt();
      assertThatThrownBy(() -> index.search(at(15, 1).deadline(Instant.now().plusMillis(30))))
          .isInstanceOf(DeadlineExceededException.class);
      assertThat(Thread.interrupted()).isTrue();
      hold[1].countDown();
      assertThat(first.get().count()).isEqualTo(1);
    }
  }

  @Test
  void callsThatNeedTheSameShardOpenItOnce() throws Exception {
    try (ShardedIndex index = ShardedIndex.open(shards(1))) {
      CountDownLatch opening = new CountDownLatch(1);
      CountDownLatch goOn = new CountDownLatch(1);
      ShardToys.onOpen =
          name -> {
            opening.countDown();
            await(goOn);
          };
      List<Future<SearchResult>> calls = new ArrayList<>();
      for (int i = 0; i < 6; i++) {
        calls.add(start(() -> index.search(at(5, 1))));
      }
      await(opening);
      assertThatThrownBy(() -> index.search(at(5, 1).deadline(Instant.now().plusMillis(30))))
          .isInstanceOf(DeadlineExceededException.class);
      goOn.countDown();
      for (Future<SearchResult> call : calls) {
        assertThat(call.get().ids()).containsExactly(5);
      }
      assertThat(opened()).containsExactly("view a");
    }
  }

  @Test
  void closeWaitsForCallsInFlight() throws Exception {
    ShardedIndex index = ShardedIndex.open(shards(2), room(1));
    CountDownLatch[] hold = holdSearchesInA();
    Future<SearchResult> search = start(() -> index.search(at(5, 20)));
    await(hold[0]);
    CountDownLatch closing = new CountDownLatch(1);
    Future<Integer> close =
        start(
            () -> {
              closing.countDown();
              index.close();
              return ShardToys.OPENED.size();
            });
    await(closing);
    // Later calls are refused as soon as close has begun, which may be a moment from now.
    Thread closer = Thread.currentThread();
    while (true) {
      try {
        index.size();
        Thread.onSpinWait();
      } catch (IllegalStateException refused) {
        break;
      }
    }
    assertThat(closer.isInterrupted()).isFalse();
    assertThat(close.isDone()).isFalse();
    hold[1].countDown();
    assertThat(search.get().count()).isEqualTo(20);
    assertThat(close.get()).as("the search opened b, and close came after it").isEqualTo(2);
  }

  @Test
  void whatRunsInTheMiddleOfACallMustNotCallTheIndex() {
    AtomicReference<ShardedIndex> self = new AtomicReference<>();
    try (ShardedIndex index = ShardedIndex.open(shards(2), room(1))) {
      self.set(index);
      for (Runnable inner :
          List.<Runnable>of(
              () -> self.get().search(at(1, 1)),
              () -> self.get().contains(1),
              () -> self.get().size(),
              () -> self.get().stats(),
              () -> self.get().close())) {
        IdFilter calling =
            IdFilter.matching(
                id -> {
                  inner.run();
                  return true;
                });
        assertThatThrownBy(() -> index.search(at(1, 1).filter(calling)))
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("predicate");
        assertThat(index.search(at(1, 1)).ids()).containsExactly(1);
      }
    }
  }

  // --------------------------------------------------------------------------------------- errors

  private void assertRefused(
      Class<? extends Exception> type, String words, List<SnapshotSource> sources) {
    assertThatThrownBy(() -> ShardedIndex.open(sources))
        .isInstanceOf(type)
        .hasMessageContaining(words);
  }

  @Test
  void whatDoesNotBelongTogetherIsRefused() {
    SnapshotSource first = shard("a", "one", 0);
    ShardToys.save(folder.resolve("dot"), "two", Metric.DOT, 1, Map.of(), Map.of());
    ShardToys.save(folder.resolve("two"), "two", Metric.L2, 2, Map.of(), Map.of());
    ShardToys.save(folder.resolve("far"), "far-away", Map.of(1L, 1f));
    ShardToys.save(folder.resolve("odd"), "one", Map.of("odd", 3L), Map.of(1L, 1f));
    assertRefused(IllegalArgumentException.class, "at least one shard", List.of());
    for (Map.Entry<String, String> wrong :
        Map.of(
                "dot", "has 1 dimensions under DOT, shard 0 (",
                "two", "has 2 dimensions under L2, shard 0 (",
                "odd", "is not for this version of Panvec",
                "none", "does not exist")
            .entrySet()) {
      Path path = folder.resolve(wrong.getKey());
      assertRefused(
          ForeignFileException.class, wrong.getValue(), List.of(first, SnapshotSource.of(path)));
      assertRefused(
          ForeignFileException.class,
          "shard 1 (" + path + ")",
          List.of(first, SnapshotSource.of(path)));
    }
    assertRefused(
        UnknownBackendException.class,
        "shard 1 (" + folder.resolve("far") + "): " + folder.resolve("far") + ": No backend",
        List.of(first, SnapshotSource.of(folder.resolve("far"))));
    assertRefused(
        IllegalArgumentException.class,
        "shard 2 (" + folder.resolve("a") + ") is the same snapshot as shard 0",
        List.of(first, shard("b", "two", 20), first));
    // Of nothing there may be any number.
    shard("empty", "one", Map.of());
    SnapshotSource empty = SnapshotSource.of(folder.resolve("empty"));
    try (ShardedIndex index = ShardedIndex.open(List.of(empty, empty))) {
      assertThat(index.search(at(1, 1)).count()).isZero();
      assertThat(index.get(1)).isEmpty();
    }
  }

  @Test
  void openingThatFailsGivesEveryGenerationFree() {
    SnapshotSource first = shard("a", "one", 0);
    assertRefused(
        ForeignFileException.class,
        "does not exist",
        List.of(first, SnapshotSource.of(folder.resolve("none"))));
    shard("a", "one", 0);
    assertThat(folder.resolve("a/1")).doesNotExist();
  }

  @Test
  void aDamagedShardIsNamedAndTheOthersGoOn() throws IOException {
    List<SnapshotSource> sources = shards(3);
    Path file = folder.resolve("b/1/rows");
    byte[] well = Files.readAllBytes(file);
    byte[] damaged = well.clone();
    damaged[40] ^= 1;
    Files.write(file, damaged);
    try (ShardedIndex index = ShardedIndex.open(sources)) {
      for (int attempt = 0; attempt < 3; attempt++) {
        assertThatThrownBy(() -> index.search(at(5, 1)))
            .isInstanceOf(CorruptIndexException.class)
            .hasMessageStartingWith("shard 1 (" + folder.resolve("b") + "): " + file)
            .hasCauseInstanceOf(CorruptIndexException.class);
      }
      assertThat(index.contains(5)).isTrue();
      Files.write(file, well);
      assertThat(index.search(at(15, 1)).ids()).containsExactly(15);
    }
  }

  @Test
  void whatFailsInAShardNamesIt() {
    try (ShardedIndex index = ShardedIndex.open(shards(2))) {
      List<RuntimeException> failures =
          List.of(
              new VectorIndexException("oh"),
              new NativeMemoryException("oh"),
              new IndexIoException("oh"),
              new IndexBusyException("oh"),
              new BackendUnavailableException("oh", null));
      for (RuntimeException failure : failures) {
        ShardToys.onSearch =
            name -> {
              if (name.equals("b")) {
                throw failure;
              }
            };
        assertThatThrownBy(() -> index.search(at(5, 1)))
            .isExactlyInstanceOf(failure.getClass())
            .hasMessage("shard 1 (" + folder.resolve("b") + "): oh")
            .hasCause(failure);
      }
      ShardToys.onSearch = name -> {};
      RuntimeException own = new RuntimeException("mine");
      IdFilter throwing =
          IdFilter.matching(
              id -> {
                throw own;
              });
      assertThatThrownBy(() -> index.search(at(5, 1).filter(throwing))).isSameAs(own);
      assertThat(index.search(at(5, 1)).ids()).containsExactly(5);
    }
  }

  @Test
  void whatNeedsVectorsIsRefusedWhenAShardHasNone() {
    ShardToys.save(
        folder.resolve("codes"), "two", Map.of("keepVectors", "false"), Map.of(50L, 50f));
    List<SnapshotSource> sources = new ArrayList<>(shards(1));
    sources.add(SnapshotSource.of(folder.resolve("codes")));
    try (ShardedIndex index = ShardedIndex.open(sources)) {
      for (Runnable call :
          List.<Runnable>of(() -> index.search(at(1, 1).exact()), () -> index.get(1))) {
        assertThatThrownBy(call::run)
            .isInstanceOf(UnsupportedOperationException.class)
            .hasMessageContaining("shard 1 (")
            .hasMessageContaining("float32 vectors");
      }
      assertThat(opened()).isEmpty();
      assertThat(index.search(at(50, 1)).ids()).containsExactly(50);
    }
  }

  // ------------------------------------------------------------------------------ shards elsewhere

  /** An object store: files by path, and what has been fetched. */
  private final class Store implements SnapshotSource.Fetcher {
    private final String name;
    private final List<String> fetched = new ArrayList<>();
    private final List<MemorySegment> segments = new ArrayList<>();

    Store(String name) {
      this.name = name;
    }

    @Override
    public synchronized MemorySegment fetch(String path, Arena arena) throws IOException {
      Path file = folder.resolve(name).resolve(path);
      if (!Files.exists(file)) {
        throw new FileNotFoundException("404");
      }
      fetched.add(path);
      byte[] bytes = Files.readAllBytes(file);
      MemorySegment segment =
          arena.allocate(bytes.length, 8).copyFrom(MemorySegment.ofArray(bytes));
      segments.add(segment);
      return segment;
    }

    SnapshotSource source() {
      return SnapshotSource.of("store/" + name, this);
    }
  }

  @Test
  void shardsAreFetchedWhenTheyAreNeededAndFreedAgain() throws IOException {
    shards(2);
    Store a = new Store("a");
    Store b = new Store("b");
    for (ShardOptions options : List.of(room(1), room(1).inMemory())) {
      a.fetched.clear();
      b.fetched.clear();
      try (ShardedIndex index = ShardedIndex.open(List.of(a.source(), b.source()), options)) {
        assertThat(a.fetched).containsExactly("manifest.json");
        assertThat(b.fetched).containsExactly("manifest.json");
        assertThat(index.contains(3)).isTrue();
        assertThat(a.fetched).containsExactly("manifest.json", "1/rows");
        assertThat(b.fetched).containsExactly("manifest.json");
        assertThat(index.search(at(12, 3).exact()).hits()).isEqualTo(nearest(12, 3, id -> true));
        assertThat(b.fetched).containsExactly("manifest.json", "1/rows");
        assertThat(a.segments).noneMatch(segment -> segment.scope().isAlive());
        assertThat(index.contains(3)).isTrue();
        assertThat(a.fetched).containsExactly("manifest.json", "1/rows", "1/rows");
      }
      assertThat(b.segments).noneMatch(segment -> segment.scope().isAlive());
      assertThat(a.segments).noneMatch(segment -> segment.scope().isAlive());
    }
  }

  @Test
  void whatCannotBeFetchedIsNamed() throws IOException {
    shards(2);
    SnapshotSource a = new Store("a").source();
    SnapshotSource b = new Store("b").source();
    assertThatThrownBy(() -> ShardedIndex.open(List.of(a, new Store("none").source())))
        .isInstanceOf(IndexIoException.class)
        .hasMessage("shard 1 (store/none): reading store/none, manifest.json: 404");
    try (ShardedIndex index = ShardedIndex.open(List.of(a, b))) {
      Path file = folder.resolve("b/1/rows");
      byte[] well = Files.readAllBytes(file);
      Files.delete(file);
      assertThatThrownBy(() -> index.search(at(1, 1)))
          .isInstanceOf(IndexIoException.class)
          .hasMessage("shard 1 (store/b): reading store/b, 1/rows: 404");
      byte[] damaged = well.clone();
      damaged[1] ^= 1;
      Files.write(file, damaged);
      assertThatThrownBy(() -> index.search(at(1, 1)))
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageStartingWith("shard 1 (store/b): store/b, 1/rows: its CRC-32C is");
      Files.write(file, new byte[3]);
      assertThatThrownBy(() -> index.search(at(1, 1)))
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageContaining("store/b, 1/rows: has 3 bytes; the manifest says 160");
      Files.write(file, well);
      assertThat(index.search(at(11, 1)).ids()).containsExactly(11);
    }
  }

  @Test
  void shardsInMemoryAreNamedToo() throws IOException {
    shards(1);
    Map<String, MemorySegment> files = new HashMap<>();
    for (String path : List.of("manifest.json", "1/rows")) {
      files.put(path, MemorySegment.ofArray(Files.readAllBytes(folder.resolve("a").resolve(path))));
    }
    try (ShardedIndex index = ShardedIndex.open(List.of(SnapshotSource.of(files)))) {
      assertThat(index.search(at(7, 1)).ids()).containsExactly(7);
    }
    files.remove("1/rows");
    try (ShardedIndex index = ShardedIndex.open(List.of(SnapshotSource.of("left", files)))) {
      assertThatThrownBy(() -> index.search(at(7, 1)))
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageStartingWith("shard 0 (left): left, 1/rows: missing");
    }
  }
}
