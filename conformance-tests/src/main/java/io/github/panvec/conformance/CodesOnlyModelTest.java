package io.github.panvec.conformance;

import io.github.panvec.Metric;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The operations of {@link ModelTest} where an index keeps codes in place of its vectors. */
class CodesOnlyModelTest extends ConformanceTest {

  static Stream<Subject> subjects() {
    return Subjects.codesOnly();
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract({
    "codes.writes",
    "codes.min-k-matches",
    "codes.refuse-what-needs-vectors",
    "model.random-operations",
    "errors.index-as-before"
  })
  void randomOperationsLeaveIndexAndMapAlike(Metric metric) {
    long seed = TestVectors.seed();
    RandomOperations.run(subject, seed, 400, 3, metric);
    RandomOperations.run(subject, seed, 300, 16, metric);
    RandomOperations.run(subject, seed, 200, 100, metric);
  }
}
