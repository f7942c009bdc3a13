package io.github.panvec.sqlitevec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Cancellation;
import io.github.panvec.CancelledException;
import io.github.panvec.DeadlineExceededException;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Limits;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Deadlines and cancellation. */
class SqliteVecTimeTest {
  private static final int DIMENSION = 64;
  private static final int COUNT = 20_000;

  @TempDir Path directory;
  private final Random random = Rows.random("SqliteVecTimeTest");

  private VectorIndex open(Metric metric, boolean inFile) {
    return inFile
        ? Rows.open(metric, DIMENSION, directory.resolve("timed.db"))
        : Panvec.create(Rows.spec(metric, DIMENSION));
  }

  private float[] query() {
    return Rows.random(random, Metric.L2, DIMENSION, 1, 0).vectors;
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void whatIsPastItsDeadlineOrCancelledThrowsAtOnceAndTheIndexGoesOn(boolean inFile) {
    Rows rows = Rows.random(random, Metric.L2, DIMENSION, 10, 0);
    MemorySegment ids = MemorySegment.ofArray(rows.ids);
    MemorySegment vectors = MemorySegment.ofArray(rows.vectors);
    Cancellation cancelled = new Cancellation();
    cancelled.cancel();
    try (VectorIndex index = open(Metric.L2, inFile)) {
      index.add(100, query());
      SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 5);
      List<Consumer<SearchRequest>> searches =
          List.of(
              index::search,
              request -> index.search(request, buffer),
              index::searchAll,
              request -> index.searchRange(request, 5),
              request -> index.search(request.filter(IdFilter.matching(id -> true))));
      for (Consumer<SearchRequest> search : searches) {
        SearchRequest request = SearchRequest.of(query(), 5);
        assertThatThrownBy(() -> search.accept(request.deadline(Instant.EPOCH)))
            .isInstanceOf(DeadlineExceededException.class);
        assertThatThrownBy(() -> search.accept(request.deadline(Instant.MIN)))
            .isInstanceOf(DeadlineExceededException.class);
        assertThatThrownBy(() -> search.accept(request.cancelledBy(cancelled)))
            .isInstanceOf(CancelledException.class);
        search.accept(request.deadline(Instant.MAX).cancelledBy(new Cancellation()));
      }
      List<Consumer<WriteOptions>> writes =
          List.of(
              options -> index.addAll(ids, vectors, options),
              options -> index.upsertAll(ids, vectors, options),
              options -> index.train(vectors, options),
              index::compact);
      for (Consumer<WriteOptions> write : writes) {
        WriteOptions options = WriteOptions.defaults();
        assertThatThrownBy(() -> write.accept(options.deadline(Instant.EPOCH)))
            .isInstanceOf(DeadlineExceededException.class);
        assertThatThrownBy(() -> write.accept(options.cancelledBy(cancelled)))
            .isInstanceOf(CancelledException.class);
      }
      assertThat(index.ids()).containsExactly(100);
      for (Consumer<WriteOptions> write : writes) {
        write.accept(WriteOptions.defaults().deadline(Instant.MAX));
        index.removeAll(rows.ids);
      }
    }
  }

  /** Cancels from another thread, a random while after the call has begun. */
  private void cancelUntilMet(ExecutorService pool, Consumer<Cancellation> call) throws Exception {
    int met = 0;
    for (int round = 0; round < 2000 && met == 0; round++) {
      Cancellation cancellation = new Cancellation();
      int yields = random.nextInt(1 + round * 10);
      CountDownLatch begun = new CountDownLatch(1);
      Future<?> cancelling =
          pool.submit(
              () -> {
                begun.countDown();
                for (int i = 0; i < yields; i++) {
                  Thread.yield();
                }
                cancellation.cancel();
              });
      begun.await();
      try {
        call.accept(cancellation);
      } catch (CancelledException expected) {
        met++;
      }
      cancelling.get();
    }
    assertThat(met).isEqualTo(1);
  }

  @ParameterizedTest
  @EnumSource
  void aRunningSearchIsCancelled(Metric metric) throws Exception {
    Rows rows = Rows.random(random, metric, DIMENSION, COUNT, 0);
    try (VectorIndex index = open(metric, true);
        ExecutorService pool = Executors.newSingleThreadExecutor()) {
      index.addAll(rows.ids, rows.vectors);
      float[] query = query();
      for (IdFilter filter :
          new IdFilter[] {
            null, IdFilter.range(5, COUNT), IdFilter.in(3).not(), IdFilter.matching(id -> id != 7)
          }) {
        SearchRequest plain = SearchRequest.of(query, 10);
        SearchRequest request = filter == null ? plain : plain.filter(filter);
        cancelUntilMet(pool, stop -> index.search(request.cancelledBy(stop)));
        assertThat(Rows.of(index.search(request))).isEqualTo(rows.nearest(query, 10, filter));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aRunningWriteIsCancelledAndLeavesNothing(boolean inFile) throws Exception {
    Rows rows = Rows.random(random, Metric.L2, DIMENSION, COUNT, 0);
    MemorySegment ids = MemorySegment.ofArray(rows.ids);
    MemorySegment vectors = MemorySegment.ofArray(rows.vectors);
    try (VectorIndex index = open(Metric.L2, inFile);
        ExecutorService pool = Executors.newSingleThreadExecutor()) {
      index.add(-1, query());
      cancelUntilMet(
          pool,
          stop -> {
            index.addAll(ids, vectors, WriteOptions.defaults().cancelledBy(stop));
            index.removeAll(rows.ids);
          });
      assertThat(index.ids()).containsExactly(-1);
      index.addAll(rows.ids, rows.vectors);
      cancelUntilMet(
          pool,
          stop -> {
            index.removeAll(rows.ids);
            index.addAll(rows.ids, rows.vectors);
            index.removeAll(evenOf(rows.ids));
            try {
              index.compact(WriteOptions.defaults().cancelledBy(stop));
            } finally {
              assertThat(index.size()).isEqualTo(1 + COUNT / 2);
            }
          });
      index.compact();
      assertThat(index.size()).isEqualTo(1 + COUNT / 2);
    }
  }

  private static long[] evenOf(long[] ids) {
    return Arrays.stream(ids).filter(id -> id % 2 == 0).toArray();
  }

  @Test
  void theWaitForATurnEndsAtTheDeadlineOrTheCancellation() throws Exception {
    Cancellation cancellation = new Cancellation();
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch leave = new CountDownLatch(1);
    try (VectorIndex index = open(Metric.L2, false);
        ExecutorService pool = Executors.newFixedThreadPool(2)) {
      index.add(1, query());
      IdFilter slow =
          IdFilter.matching(
              id -> {
                inside.countDown();
                try {
                  leave.await();
                } catch (InterruptedException unexpected) {
                  throw new IllegalStateException(unexpected);
                }
                return true;
              });
      Future<?> holder = pool.submit(() -> index.search(SearchRequest.of(query(), 1).filter(slow)));
      inside.await();
      SearchRequest request = SearchRequest.of(query(), 1);
      assertThatThrownBy(() -> index.search(request.deadline(Instant.now().plusMillis(5))))
          .isInstanceOf(DeadlineExceededException.class);
      Future<?> waiting =
          pool.submit(
              () ->
                  assertThatThrownBy(() -> index.search(request.cancelledBy(cancellation)))
                      .isInstanceOf(CancelledException.class));
      cancellation.cancel();
      waiting.get();
      leave.countDown();
      holder.get();
      assertThat(index.search(request).count()).isEqualTo(1);
    }
  }

  @Test
  void theWaitForAnotherWriterOfTheFileEndsAtTheDeadline() {
    Path file = directory.resolve("locked.db");
    try (VectorIndex index = Rows.open(Metric.L2, DIMENSION, file);
        SqliteVecConnection other =
            SqliteVecConnection.openWriter(
                Rows.spec(Metric.L2, DIMENSION), file.toString(), 1000)) {
      other.inTransaction(
          Limits.NONE,
          "writing",
          () -> {
            WriteOptions soon = WriteOptions.defaults().deadline(Instant.now().plusMillis(20));
            assertThatThrownBy(
                    () ->
                        index.addAll(
                            MemorySegment.ofArray(new long[] {1}),
                            MemorySegment.ofArray(query()),
                            soon))
                .isInstanceOf(DeadlineExceededException.class);
          });
      index.add(1, query());
      assertThat(index.size()).isEqualTo(1);
    }
  }

  /** What waits for the readers of a long log is over when the write's limits say so. */
  @Test
  void aCommitStandsWhenItIsCancelledAndThenWaitsForNobody() {
    int dimension = 4000; // a row is a page
    int slice = 205;
    // What a commit to a log of 4000 pages waits at the least for somebody who reads on.
    long patience = 500_000_000;
    String file = directory.resolve("log.db").toString();
    IndexSpec spec = Rows.spec(Metric.DOT, dimension);
    MemorySegment vectors = MemorySegment.ofArray(new float[slice * dimension]);
    try (SqliteVecConnection writer = SqliteVecConnection.openWriter(spec, file, 1000);
        SqliteVecConnection reader = SqliteVecConnection.openReader(spec, file, 1000)) {
      reader.beginRead();
      assertThat(reader.size()).isZero();
      AtomicLong rows = new AtomicLong();
      long took = patience;
      // A slow disk takes its time too; without the limits, no commit is quicker.
      for (int round = 0; took >= patience; round++) {
        assertThat(round).as("commits that seem to have waited").isLessThan(10);
        int slices = round == 0 ? 20 : 5;
        Cancellation cancellation = new Cancellation();
        AtomicLong began = new AtomicLong();
        writer.inTransaction(
            WriteOptions.defaults().cancelledBy(cancellation).limits(),
            "writing",
            () -> {
              for (int i = 0; i < slices; i++) {
                long first = rows.getAndAdd(slice);
                long[] ids = LongStream.range(first, first + slice).toArray();
                writer.addAll(
                    MemorySegment.ofArray(ids),
                    vectors,
                    slice,
                    false,
                    Limits.NONE,
                    null,
                    "writing");
              }
              cancellation.cancel();
              began.set(System.nanoTime());
            });
        took = System.nanoTime() - began.get();
        assertThat(writer.size()).isEqualTo(rows.get());
      }
      reader.endRead();
      assertThat(reader.size()).isEqualTo(rows.get());
    }
  }
}
