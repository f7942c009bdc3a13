package io.github.panvec.sqlitevec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.IdFilter;
import io.github.panvec.IndexStats;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Compaction, and what an index takes. */
class SqliteVecCompactionTest {
  private static final int DIMENSION = 100;
  private static final int COUNT = 10_000;

  @TempDir Path directory;
  private final Random random = Rows.random("SqliteVecCompactionTest");

  private float[] query() {
    return Rows.random(random, Metric.L2, DIMENSION, 1, 0).vectors;
  }

  @ParameterizedTest
  @EnumSource
  void aFileShrinksAndAnswersStay(Metric metric) {
    Path file = directory.resolve("shrinking.db");
    Rows rows = Rows.random(random, metric, DIMENSION, COUNT, 0);
    long[] gone = LongStream.range(0, COUNT).filter(id -> random.nextInt(5) != 0).toArray();
    try (VectorIndex index = Rows.open(metric, DIMENSION, file)) {
      index.compact();
      index.addAll(rows.ids, rows.vectors);
      long[] before = {index.stats().diskBytes()};
      assertThat(index.removeAll(gone)).isEqualTo(gone.length);
      IndexStats holey = index.stats();
      assertThat(holey.dead() > 0 || metric == Metric.DOT).isTrue();
      float[] query = query();
      List<Rows.Expected> expected = Rows.of(index.search(query, COUNT));
      List<Long> heard = new ArrayList<>();
      index.compact(
          WriteOptions.defaults()
              .progress(
                  (done, total) -> {
                    assertThat(total).isEqualTo(COUNT - gone.length);
                    heard.add(done);
                    // A compaction holds nothing between its slices: others may write.
                    CompletableFuture.runAsync(
                            () -> {
                              index.upsert(-1, query);
                              assertThat(index.remove(-1)).isTrue();
                            })
                        .join();
                  }));
      assertThat(heard).isSorted().endsWith((long) COUNT - gone.length);
      assertThat(Rows.of(index.search(query, COUNT))).isEqualTo(expected);
      IndexStats compact = index.stats();
      assertThat(compact.dead()).isZero();
      assertThat(compact.details()).containsEntry("freeBytes", 0L);
      // A fifth of the rows, a chunk that is not full, and pages of SQLite's own.
      assertThat(compact.diskBytes()).isLessThan(before[0] / 4 + (2 << 20));
      index.addAll(gone, Rows.random(random, metric, DIMENSION, gone.length, 0).vectors);
      assertThat(index.size()).isEqualTo(COUNT);
    }
  }

  @Test
  void memoryShrinks() {
    Rows rows = Rows.random(random, Metric.COSINE, DIMENSION, COUNT, 0);
    try (VectorIndex index = Panvec.create(Rows.spec(Metric.COSINE, DIMENSION))) {
      index.addAll(rows.ids, rows.vectors);
      long before = index.stats().nativeBytes();
      index.removeAll(LongStream.range(0, COUNT).filter(id -> id % 5 != 0).toArray());
      index.compact();
      assertThat(index.stats().nativeBytes()).isLessThan(before / 4 + (2 << 20));
    }
  }

  @ParameterizedTest
  @EnumSource
  void searchesWritesAndAnotherIndexGoOnMeanwhile(Metric metric) throws Exception {
    Path file = directory.resolve("busy.db");
    Rows rows = Rows.random(random, metric, DIMENSION, COUNT, 0);
    float[] query = rows.row(1);
    AtomicBoolean done = new AtomicBoolean();
    CountDownLatch searching = new CountDownLatch(2);
    try (VectorIndex index = Rows.open(metric, DIMENSION, file);
        VectorIndex other = Rows.open(metric, DIMENSION, file);
        ExecutorService pool = Executors.newFixedThreadPool(4)) {
      index.addAll(rows.ids, rows.vectors);
      index.removeAll(LongStream.range(0, COUNT).filter(id -> id % 2 == 0).toArray());
      List<Rows.Expected> expected =
          rows.nearest(
              query, 20, IdFilter.range(0, COUNT).and(IdFilter.matching(id -> id % 2 != 0)));
      List<Future<?>> all = new ArrayList<>();
      for (VectorIndex each : List.of(index, other)) {
        all.add(
            pool.submit(
                () -> {
                  do {
                    assertThat(Rows.of(each.search(query, 20))).isEqualTo(expected);
                    searching.countDown();
                  } while (!done.get());
                }));
      }
      float[] far = new float[DIMENSION];
      for (int i = 0; i < DIMENSION; i++) {
        far[i] = -1000 * query[i];
      }
      all.add(
          pool.submit(
              () -> {
                for (long id = COUNT; !done.get(); id++) {
                  other.add(id, far);
                  assertThat(other.remove(id)).isTrue();
                }
              }));
      searching.await();
      try {
        Future<?> second = pool.submit(() -> index.compact());
        index.compact();
        second.get();
      } finally {
        done.set(true);
      }
      for (Future<?> each : all) {
        each.get();
      }
      assertThat(index.size()).isEqualTo(COUNT / 2);
      assertThat(Rows.of(index.search(query, 20))).isEqualTo(expected);
    }
  }

  @Test
  void aFileIsOpenAsOftenAsTheStatsSay() throws Exception {
    Path descriptors = Path.of("/proc/self/fd");
    assumeTrue(Files.isDirectory(descriptors), "this system does not list open files");
    Path file = directory.toRealPath().resolve("descriptors.db");
    int readers = 4;
    VectorIndex index =
        Panvec.create(Rows.spec(Metric.L2, DIMENSION).with("path", file).with("readers", readers));
    try (index;
        ExecutorService pool = Executors.newFixedThreadPool(16)) {
      Rows rows = Rows.random(random, Metric.L2, DIMENSION, 3000, 0);
      index.addAll(rows.ids, rows.vectors);
      List<Future<?>> searches = new ArrayList<>();
      for (int i = 0; i < 200; i++) {
        float[] query = rows.row(i);
        searches.add(
            pool.submit(
                () -> {
                  index.search(query, 10);
                  assertThat(openFiles(descriptors, file)).isLessThanOrEqualTo(2 * readers + 4);
                }));
      }
      for (Future<?> search : searches) {
        search.get();
      }
      index.removeAll(rows.ids);
      index.compact();
      assertThat(openFiles(descriptors, file))
          .isPositive()
          .isLessThanOrEqualTo((Integer) index.stats().details().get("fileDescriptors"));
    }
    assertThat(openFiles(descriptors, file)).isZero();
    try (VectorIndex memory = Panvec.create(Rows.spec(Metric.L2, DIMENSION))) {
      assertThat(memory.stats().details()).containsEntry("fileDescriptors", 0);
    }
  }

  private static int openFiles(Path descriptors, Path file) {
    int open = 0;
    try (Stream<Path> all = Files.list(descriptors)) {
      for (Path each : all.toList()) {
        try {
          open += Files.readSymbolicLink(each).toString().startsWith(file.toString()) ? 1 : 0;
        } catch (IOException closedMeanwhile) {
          // It was the descriptor of another thread.
        }
      }
    } catch (IOException failed) {
      throw new IllegalStateException(failed);
    }
    return open;
  }

  @Test
  void aCompactionOfAClosedIndexIsRefused() {
    VectorIndex index = Panvec.create(Rows.spec(Metric.L2, DIMENSION));
    index.close();
    assertThatThrownBy(index::compact).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(index::ids).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> index.getAll(1)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> index.removeAll(1)).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> index.prepare(IdFilter.in(1)))
        .isInstanceOf(IllegalStateException.class);
  }
}
