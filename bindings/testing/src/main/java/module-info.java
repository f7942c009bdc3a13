/** What is tested alike in the bindings of every library. */
module io.github.panvec.bindings.testing {
  requires transitive org.junit.jupiter.api;
  requires org.assertj.core;
  requires java.compiler;

  exports io.github.panvec.bindings.testing;

  opens io.github.panvec.bindings.testing;
}
