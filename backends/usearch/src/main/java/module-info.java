/** The backend "usearch". */
module io.github.panvec.usearch {
  requires transitive io.github.panvec;
  requires io.github.panvec.engine;
  requires io.github.panvec.bindings.usearch;
  requires io.github.panvec.loader;
  requires static org.jspecify;

  exports io.github.panvec.usearch;

  provides io.github.panvec.spi.VectorBackend with
      io.github.panvec.usearch.UsearchBackend;
}
