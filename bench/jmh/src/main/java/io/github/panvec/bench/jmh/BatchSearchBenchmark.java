package io.github.panvec.bench.jmh;

import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Time per query of 1,024 queries in one {@code searchAll}, beside that of as many searches into a
 * reusable buffer on one thread. The vectors are random: for recall, run {@code panvec eval}.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 2, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(
    value = 1,
    jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
public class BatchSearchBenchmark {
  private static final int ROWS = 20_000;
  private static final int QUERIES = 1_024;
  private static final int DIMENSION = 100;
  private static final int K = 10;

  @Param({
    "faiss type=hnsw",
    "faiss type=flat",
    "faiss type=ivf_pq expectedRows=20000",
    "usearch",
    "hnswlib"
  })
  private String index;

  @Param({"1", "2"})
  private int threads;

  private VectorIndex built;
  private float[] queries;
  private SearchRequest all;
  private SearchBuffer buffer;
  private SearchRequest one;

  /** Builds the index. */
  @Setup(Level.Trial)
  public void build() {
    built = Panvec.create(Inputs.spec(index, DIMENSION, threads));
    built.addAll(Inputs.ids(0, ROWS), Inputs.vectors(20261121, ROWS, DIMENSION));
    queries = Inputs.vectors(20261123, QUERIES, DIMENSION);
    all = SearchRequest.of(queries, K);
    buffer = SearchBuffer.allocate(DIMENSION, K);
    one = SearchRequest.of(buffer.query(), K);
  }

  /** Frees it. */
  @TearDown(Level.Trial)
  public void close() {
    built.close();
  }

  /** A search for each query. */
  @Benchmark
  @OperationsPerInvocation(QUERIES)
  public long oneByOne() {
    MemorySegment source = MemorySegment.ofArray(queries);
    long rowBytes = (long) DIMENSION * Float.BYTES;
    long sum = 0;
    for (int query = 0; query < QUERIES; query++) {
      MemorySegment.copy(source, query * rowBytes, buffer.query(), 0, rowBytes);
      built.search(one, buffer);
      sum += buffer.id(0);
    }
    return sum;
  }

  /** One call for all queries. */
  @Benchmark
  @OperationsPerInvocation(QUERIES)
  public List<SearchResult> searchAll() {
    return built.searchAll(all);
  }
}
