package io.github.panvec.bench.jmh;

import io.github.panvec.bindings.hnswlib.PanvecHnswlib;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * The price of crossing from Java to C and back: a function that returns its argument, beside the
 * same in Java.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
    value = 2,
    jvmArgsAppend = {"--enable-native-access=ALL-UNNAMED"})
public class DowncallBenchmark {
  private long value = 42;

  /** The floor: what JMH's own loop costs. */
  @Benchmark
  public long javaOnly() {
    return value;
  }

  /** One downcall with one argument. */
  @Benchmark
  public long emptyDowncall() {
    return PanvecHnswlib.panvec_hnswlib_nop(value);
  }
}
