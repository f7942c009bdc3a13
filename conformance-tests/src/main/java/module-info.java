/** The contract of {@code VectorIndex} as tests, for authors of backends. */
module io.github.panvec.conformance {
  requires transitive io.github.panvec;
  requires transitive org.junit.jupiter.api;
  requires transitive org.junit.jupiter.params;
  requires transitive org.junit.platform.launcher;
  requires java.management;
  requires org.assertj.core;
  requires com.fasterxml.jackson.databind;
  requires static org.jspecify;

  exports io.github.panvec.conformance;

  opens io.github.panvec.conformance;

  provides org.junit.platform.launcher.TestExecutionListener with
      io.github.panvec.conformance.ConformanceListener;
}
