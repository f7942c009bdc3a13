/** The contract of {@code VectorIndex} as tests, for authors of backends. */
module io.github.panvec.conformance {
  requires transitive io.github.panvec;
  requires transitive org.junit.jupiter.api;
  requires transitive org.junit.jupiter.params;
  requires org.assertj.core;
  requires static org.jspecify;

  exports io.github.panvec.conformance;

  opens io.github.panvec.conformance;
}
