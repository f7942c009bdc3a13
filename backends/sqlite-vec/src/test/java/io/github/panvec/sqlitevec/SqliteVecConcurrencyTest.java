package io.github.panvec.sqlitevec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Limits;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Many threads on one index. */
class SqliteVecConcurrencyTest {
  private static final int THREADS = 16;
  private static final int DIMENSION = 16;

  /** How long to wait for what never takes long. */
  private static final int PATIENCE_SECONDS = 30;

  @TempDir Path directory;
  private final Random random = Rows.random("SqliteVecConcurrencyTest");

  private VectorIndex open(boolean inFile) {
    return inFile
        ? Rows.open(Metric.L2, DIMENSION, directory.resolve(System.nanoTime() + ".db"))
        : Panvec.create(Rows.spec(Metric.L2, DIMENSION));
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void closeWaitsForSixteenSearchesAndEndsThemAll(boolean inFile) throws Exception {
    Rows rows = Rows.random(random, Metric.L2, DIMENSION, 2000, 0);
    float[] query = rows.row(5);
    List<Rows.Expected> expected = rows.nearest(query, 10, null);
    for (int round = 0; round < 10; round++) {
      VectorIndex index = open(inFile);
      index.addAll(rows.ids, rows.vectors);
      CountDownLatch allSearched = new CountDownLatch(THREADS);
      try (ExecutorService pool = Executors.newFixedThreadPool(THREADS)) {
        List<Future<?>> searches = new ArrayList<>();
        for (int thread = 0; thread < THREADS; thread++) {
          boolean buffered = thread % 2 == 0;
          searches.add(
              pool.submit(
                  () -> {
                    SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 10);
                    SearchRequest request = SearchRequest.of(query, 10);
                    try {
                      while (true) {
                        if (buffered) {
                          index.search(request, buffer);
                          assertThat(Rows.of(buffer.toResult())).isEqualTo(expected);
                        } else {
                          assertThat(Rows.of(index.search(request))).isEqualTo(expected);
                        }
                        allSearched.countDown();
                      }
                    } catch (IllegalStateException closed) {
                      assertThat(closed).hasMessage("the index is closed");
                    }
                  }));
        }
        allSearched.await();
        index.close();
        index.close();
        // SQLite removes its write-ahead log with the last connection: so none is left, not even
        // one that was in use.
        try (Stream<Path> files = Files.list(directory)) {
          assertThat(files.filter(file -> !file.toString().endsWith(".db"))).isEmpty();
        }
        for (Future<?> search : searches) {
          search.get();
        }
      }
      assertThatThrownBy(index::size)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("the index is closed");
      assertThatThrownBy(() -> index.add(1, query)).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> index.search(query, 1)).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(index::stats).isInstanceOf(IllegalStateException.class);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void searchesBesideAWriterSeeWholeBatchesOnly(boolean inFile) throws Exception {
    int batch = 300;
    int batches = 20;
    AtomicBoolean done = new AtomicBoolean();
    try (VectorIndex index = open(inFile);
        ExecutorService pool = Executors.newFixedThreadPool(4)) {
      List<Future<?>> readers = new ArrayList<>();
      for (int thread = 0; thread < 4; thread++) {
        readers.add(
            pool.submit(
                () -> {
                  int seen = 0;
                  while (!done.get() || seen < batch * batches) {
                    int count = index.search(new float[DIMENSION], Integer.MAX_VALUE).count();
                    assertThat(count % batch).as("%d rows", count).isZero();
                    assertThat(count).isGreaterThanOrEqualTo(seen);
                    seen = count;
                  }
                }));
      }
      try {
        for (int i = 0; i < batches; i++) {
          Rows rows = Rows.random(random, Metric.L2, DIMENSION, batch, (long) i * batch);
          index.addAll(rows.ids, rows.vectors);
          assertThat(index.size()).isEqualTo((i + 1L) * batch);
        }
      } finally {
        done.set(true);
      }
      for (Future<?> reader : readers) {
        reader.get();
      }
    }
  }

  @Test
  void aSearchDoesNotWaitForTheWriter() {
    try (VectorIndex reading = open(true)) {
      reading.add(1, new float[DIMENSION]);
      Path file = Path.of(reading.spec().parameters().get("path").toString());
      try (SqliteVecConnection writing =
          SqliteVecConnection.openWriter(Rows.spec(Metric.L2, DIMENSION), file.toString(), 0)) {
        writing.inTransaction(
            Limits.NONE,
            "writing",
            () -> {
              writing.add(2, new float[DIMENSION], false);
              assertThat(reading.search(new float[DIMENSION], 5).ids()).containsExactly(1);
            });
      }
      assertThat(reading.search(new float[DIMENSION], 5).ids()).containsExactly(1, 2);
    }
  }

  @Test
  void noMoreReadersAreOpenedThanAllowed() throws Exception {
    VectorIndex index =
        Panvec.create(
            Rows.spec(Metric.L2, DIMENSION)
                .with("path", directory.resolve("bounded.db"))
                .with("readers", 2));
    try (index;
        ExecutorService pool = Executors.newFixedThreadPool(THREADS)) {
      Rows rows = Rows.random(random, Metric.L2, DIMENSION, 500, 0);
      index.addAll(rows.ids, rows.vectors);
      List<Future<?>> searches = new ArrayList<>();
      for (int i = 0; i < 50 * THREADS; i++) {
        float[] query = rows.row(i % 500);
        long nearest = i % 500;
        searches.add(
            pool.submit(() -> assertThat(index.search(query, 1).id(0)).isEqualTo(nearest)));
      }
      for (Future<?> search : searches) {
        search.get();
      }
      assertThat((Integer) index.stats().details().get("openReaders")).isBetween(1, 2);
    }
  }

  @Test
  void readersComeAndGoWhileAnIdleOneIsShown() throws Exception {
    String file = directory.resolve("shown.db").toString();
    SqliteVecConnection writer =
        SqliteVecConnection.openWriter(Rows.spec(Metric.L2, DIMENSION), file, 1000);
    try (ExecutorService other = Executors.newSingleThreadExecutor();
        ConnectionPool pool =
            ConnectionPool.overFile(
                writer,
                () -> SqliteVecConnection.openReader(Rows.spec(Metric.L2, DIMENSION), file, 1000),
                3)) {
      SqliteVecConnection first = pool.acquireReader(Limits.NONE, "reading");
      SqliteVecConnection second = pool.acquireReader(Limits.NONE, "reading");
      pool.releaseReader(first);
      pool.releaseReader(second);
      List<SqliteVecConnection> shown = new ArrayList<>();
      pool.forEachIdle(
          idle -> {
            shown.add(idle);
            assertThat(idle.cacheBytes()).isPositive();
            Future<SqliteVecConnection> passing =
                other.submit(
                    () -> {
                      SqliteVecConnection reader = pool.acquireReader(Limits.NONE, "reading");
                      assertThat(reader.size()).isZero();
                      pool.releaseReader(reader);
                      return reader;
                    });
            try {
              assertThat(passing.get(PATIENCE_SECONDS, TimeUnit.SECONDS)).isNotSameAs(idle);
            } catch (Exception failed) {
              throw new AssertionError("nobody gets a reader while one is shown", failed);
            }
          });
      assertThat(shown).containsExactlyInAnyOrder(writer, first, second);
      assertThat(pool.openReaders()).isEqualTo(2);
    }
  }

  @Test
  void aThousandIndexesOpenAndClose() {
    for (int i = 0; i < 1000; i++) {
      try (VectorIndex index = open(false)) {
        index.add(i, new float[DIMENSION]);
        assertThat(index.contains(i)).isTrue();
      }
    }
  }
}
