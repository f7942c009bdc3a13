package io.github.panvec.bench.jmh;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A search on hnswlib at a fixed {@code efSearch} into a reusable buffer. With {@code -prof gc},
 * {@code gc.alloc.rate.norm} tells the bytes of garbage per search, which should be next to 0. The
 * vectors are random: for recall, run {@code panvec eval}.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(
    value = 2,
    jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
public class HnswlibSearchBenchmark {
  private static final int ROWS = 20_000;
  private static final int QUERIES = 1_024;
  private static final int K = 10;

  @Param({"100", "384"})
  private int dimension;

  @Param("64")
  private int efSearch;

  private VectorIndex index;
  private float[][] queries;

  /** Builds the index that all threads search. */
  @Setup(Level.Trial)
  public void build() {
    Random random = new Random(20261120);
    float[] rows = new float[ROWS * dimension];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = (float) random.nextGaussian();
    }
    long[] ids = new long[ROWS];
    for (int i = 0; i < ROWS; i++) {
      ids[i] = i;
    }
    queries = new float[QUERIES][dimension];
    for (float[] query : queries) {
      for (int i = 0; i < dimension; i++) {
        query[i] = (float) random.nextGaussian();
      }
    }
    index = Panvec.create(IndexSpec.of("hnswlib", dimension, Metric.COSINE));
    index.addAll(ids, rows);
  }

  /** Frees the index. */
  @TearDown(Level.Trial)
  public void close() {
    index.close();
  }

  /** What one thread needs. */
  @State(Scope.Thread)
  public static class Caller {
    private SearchBuffer buffer;
    private SearchRequest request;
    private int next;

    /** Allocates the buffer. */
    @Setup(Level.Trial)
    public void allocate(HnswlibSearchBenchmark benchmark) {
      buffer = SearchBuffer.allocate(benchmark.dimension, K);
      request = SearchRequest.of(buffer.query(), K).efSearch(benchmark.efSearch);
    }
  }

  /** One query. */
  @Benchmark
  public long searchIntoBuffer(Caller caller) {
    caller.buffer.setQuery(queries[caller.next++ & QUERIES - 1]);
    index.search(caller.request, caller.buffer);
    return caller.buffer.id(0);
  }
}
