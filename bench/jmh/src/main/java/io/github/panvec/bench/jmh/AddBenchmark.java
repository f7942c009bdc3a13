package io.github.panvec.bench.jmh;

import io.github.panvec.Panvec;
import io.github.panvec.VectorIndex;
import java.util.Arrays;
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
 * Time per row of 10,000 rows added one by one, beside that of one batch of as many. Single adds
 * must not cost more the more rows there are ({@code present}). They link on one thread; a batch
 * uses {@code threads}.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SingleShotTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 2)
@Measurement(iterations = 5)
@Fork(
    value = 1,
    jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
public class AddBenchmark {
  private static final int ROWS = 10_000;
  private static final int DIMENSION = 100;

  @Param({"faiss type=hnsw", "usearch", "hnswlib"})
  private String index;

  @Param({"0", "20000"})
  private int present;

  @Param("1")
  private int threads;

  private float[][] rows;
  private float[] batch;
  private long[] ids;
  private VectorIndex target;

  /** Makes the rows. */
  @Setup(Level.Trial)
  public void makeRows() {
    batch = Inputs.vectors(20261121, ROWS, DIMENSION);
    ids = Inputs.ids(present, ROWS);
    rows = new float[ROWS][];
    for (int i = 0; i < ROWS; i++) {
      rows[i] = Arrays.copyOfRange(batch, i * DIMENSION, (i + 1) * DIMENSION);
    }
  }

  /** A new index, which holds {@code present} rows already. */
  @Setup(Level.Invocation)
  public void create() {
    target = Panvec.create(Inputs.spec(index, DIMENSION, threads));
    if (present > 0) {
      target.addAll(Inputs.ids(0, present), Inputs.vectors(20261122, present, DIMENSION));
    }
  }

  /** Frees it. */
  @TearDown(Level.Invocation)
  public void close() {
    target.close();
  }

  /** One call for each row. */
  @Benchmark
  @OperationsPerInvocation(ROWS)
  public void oneByOne() {
    for (int i = 0; i < ROWS; i++) {
      target.add(ids[i], rows[i]);
    }
  }

  /** One call for all. */
  @Benchmark
  @OperationsPerInvocation(ROWS)
  public void oneBatch() {
    target.addAll(ids, batch);
  }
}
