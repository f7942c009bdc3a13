package io.github.panvec.conformance;

import io.github.panvec.Metric;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Thousands of random operations, the same on every kind of index, beside a map. */
class ModelTest extends ConformanceTest {

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract({"model.random-operations", "errors.index-as-before"})
  void randomOperationsLeaveIndexAndMapAlike(Metric metric) {
    long seed = TestVectors.seed();
    RandomOperations.run(subject, seed, 700, 3, metric);
    RandomOperations.run(subject, seed, 500, 16, metric);
    RandomOperations.run(subject, seed, 300, 100, metric);
  }
}
