package io.github.panvec.bench.eval;

import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.bench.Progress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Asks indexes: once for recall, then again and again for speed. */
final class Measurement implements AutoCloseable {
  /** A slow row is asked fewer queries than all, but at least this many, and says how many. */
  private static final int LEAST_QUERIES = 50;

  private final float[][] queries;
  private final int k;
  private final int threads;
  private final int recallThreads = Runtime.getRuntime().availableProcessors();
  private final ExecutorService pool;

  Measurement(float[][] queries, int k, int threads) {
    this.queries = queries;
    this.k = k;
    this.threads = threads;
    this.pool = Executors.newFixedThreadPool(Math.max(threads, recallThreads));
  }

  /**
   * Recall over all queries, or, once {@code budgetSeconds} are over, over as many of the first
   * ones as were reached. Not timed, so all cores take part.
   */
  Recall recall(Row row, Scorer scorer, double budgetSeconds, Progress progress) {
    int[] hits = new int[queries.length];
    AtomicInteger next = new AtomicInteger();
    AtomicInteger done = new AtomicInteger();
    AtomicReference<@Nullable String> wrongDistance = new AtomicReference<>();
    long end = System.nanoTime() + (long) (budgetSeconds * 1e9);
    List<Callable<Void>> workers = new ArrayList<>();
    for (int i = 0; i < recallThreads; i++) {
      workers.add(
          () -> {
            SearchBuffer buffer = SearchBuffer.allocate(queries[0].length, k);
            SearchRequest request = row.request(buffer, k);
            long[] ids = new long[k];
            for (int query = next.getAndIncrement();
                query < queries.length;
                query = next.getAndIncrement()) {
              buffer.setQuery(queries[query]);
              row.subject().index().search(request, buffer);
              for (int rank = 0; rank < buffer.count(); rank++) {
                ids[rank] = buffer.id(rank);
              }
              hits[query] = scorer.hits(query, ids, buffer.count());
              if (row.subject().keepsVectors()) {
                wrongDistance.compareAndSet(null, scorer.wrongDistance(query, buffer));
              }
              progress.at(done.incrementAndGet(), queries.length);
              if (query >= LEAST_QUERIES && System.nanoTime() > end) {
                // Leaves no gap: whoever took a number before this one finishes it.
                next.addAndGet(queries.length);
              }
            }
            return null;
          });
    }
    runAll(workers);
    List<Integer> asked = new ArrayList<>();
    for (int query = 0; query < done.get(); query++) {
      asked.add(hits[query]);
    }
    row.distances(row.subject().keepsVectors() ? (long) asked.size() * k : 0, wrongDistance.get());
    return Recall.of(asked, k);
  }

  /** One round: every thread asks query after query for {@code seconds}, at least one. */
  void round(Row row, double seconds) {
    int first = row.cursor();
    long budget = (long) (seconds * 1e9);
    int expected =
        row.roundQps().isEmpty()
            ? 1 << 14
            : (int) (row.roundQps().get(0) * seconds / threads * 1.3);
    CyclicBarrier start = new CyclicBarrier(threads);
    List<LatencyLog> logs = new ArrayList<>();
    List<Callable<long[]>> workers = new ArrayList<>();
    for (int t = 0; t < threads; t++) {
      LatencyLog log = new LatencyLog(expected);
      logs.add(log);
      int from = (int) ((first + (long) t * queries.length / threads) % queries.length);
      workers.add(() -> ask(row, from, budget, start, log));
    }
    long began = Long.MAX_VALUE;
    long ended = Long.MIN_VALUE;
    int count = 0;
    for (long[] span : runAll(workers)) {
      began = Math.min(began, span[0]);
      ended = Math.max(ended, span[1]);
    }
    for (LatencyLog log : logs) {
      count += log.count();
    }
    row.cursor((first + count / threads) % queries.length);
    row.round(count / ((ended - began) / 1e9), logs);
  }

  private long[] ask(Row row, int from, long budget, CyclicBarrier start, LatencyLog log)
      throws Exception {
    SearchBuffer buffer = SearchBuffer.allocate(queries[0].length, k);
    SearchRequest request = row.request(buffer, k);
    int query = from;
    start.await();
    long began = System.nanoTime();
    long now;
    do {
      long asked = System.nanoTime();
      buffer.setQuery(queries[query]);
      row.subject().index().search(request, buffer);
      now = System.nanoTime();
      log.add(now - asked);
      query = query + 1 == queries.length ? 0 : query + 1;
    } while (now - began < budget);
    return new long[] {began, now};
  }

  private <T> List<T> runAll(List<Callable<T>> workers) {
    try {
      List<T> results = new ArrayList<>();
      for (Future<T> future : pool.invokeAll(workers)) {
        results.add(future.get());
      }
      return results;
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof RuntimeException thrown) {
        throw thrown;
      }
      throw new IllegalStateException(failed.getCause());
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(stopped);
    }
  }

  @Override
  public void close() {
    pool.close();
  }
}
