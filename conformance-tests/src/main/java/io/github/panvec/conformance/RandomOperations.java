package io.github.panvec.conformance;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import java.time.Duration;
import java.util.Optional;

/** Runs random traces on kinds of index, and tells of failures by a short program. */
final class RandomOperations {
  private static final Duration SHRINKING = Duration.ofSeconds(10);
  private static final int REPLAYS = 2000;
  private static final int CONFIRMATIONS = 5;

  private RandomOperations() {}

  /**
   * Runs the trace of this seed, length, dimension and metric, the same on every index.
   *
   * @throws AssertionError when the index answers otherwise than the model, with the program
   */
  static void run(Subject subject, long seed, int length, int dimension, Metric metric) {
    Trace trace = RandomTrace.generate(seed, length, dimension, metric);
    Optional<Trace.Failure> failure = trace.run(subject::create);
    if (failure.isPresent()) {
      throw new AssertionError(report(subject, seed, failure.get()));
    }
  }

  private static String report(Subject subject, long seed, Trace.Failure failure) {
    // Not the subject's own: candidates are no tests of their dimensions.
    Trace.Factory factory = (dimension, metric) -> Panvec.create(subject.spec(dimension, metric));
    Trace.Failure small = Shrinker.shrink(failure, factory, SHRINKING, REPLAYS);
    long again = 0;
    for (int i = 0; i < CONFIRMATIONS; i++) {
      again += small.trace().run(factory).isPresent() ? 1 : 0;
    }
    IndexSpec spec = subject.spec(small.trace().dimension(), small.trace().metric());
    String title = subject + ", " + small.trace().metric() + ", -Dpanvec.seed=" + seed;
    return """
        %s at dimension %d, operation %d, %s:
        expected %s
        came     %s
        Replay with -Dpanvec.seed=%d. The same in %d operations (%d of %d replays failed):

        %s"""
        .formatted(
            subject,
            failure.trace().dimension(),
            failure.trace().operations().size(),
            failure.trace().metric(),
            failure.expected(),
            failure.came(),
            seed,
            small.trace().operations().size(),
            again,
            CONFIRMATIONS,
            JavaCode.program(title, spec, small));
  }
}
