package io.github.panvec.conformance;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.VectorIndex;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A part of the suite, run for every kind of index that keeps its vectors. A part about kinds that
 * a backend does not have is none of its business; {@link Subjects#all()} refuses to test nothing.
 *
 * <p>A test that hangs fails in the end, on a thread of its own: an index that waits for ever in
 * native code, or for a lock, does not notice that it is interrupted.
 */
@ParameterizedClass(name = "{0}", allowZeroInvocations = true)
@MethodSource("subjects")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
@ExtendWith(CellRecorder.class)
@Timeout(value = 20, unit = TimeUnit.MINUTES, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
abstract class ConformanceTest {
  @Parameter Subject subject;

  /** A subclass for other kinds of index has its own. */
  static Stream<Subject> subjects() {
    return Subjects.keepingVectors();
  }

  final VectorIndex create(int dimension, Metric metric) {
    return subject.create(dimension, metric);
  }

  final IndexSpec spec(int dimension, Metric metric) {
    return subject.spec(dimension, metric);
  }

  /** Every metric that the subject takes. */
  final List<Metric> metrics() {
    return subject.metrics();
  }

  /** For what holds under every metric. */
  final Metric any(Metric preferred) {
    return subject.any(preferred);
  }

  /** For what is true under one metric alone: skips the test where the subject does not take it. */
  final Metric only(Metric metric) {
    assumeTrue(subject.takes(metric), () -> subject + " does not take " + metric);
    return metric;
  }

  /** Metrics and dimensions to cover. */
  final List<Subject.Shape> shapes() {
    return subject.shapes();
  }

  static float[] ones(int count) {
    float[] ones = new float[count];
    Arrays.fill(ones, 1);
    return ones;
  }
}
