/** The backend "hnswlib". */
module io.github.panvec.hnswlib {
  requires transitive io.github.panvec;
  requires io.github.panvec.engine;
  requires io.github.panvec.bindings.hnswlib;
  requires io.github.panvec.loader;
  requires static org.jspecify;

  exports io.github.panvec.hnswlib;

  provides io.github.panvec.spi.VectorBackend with
      io.github.panvec.hnswlib.HnswlibBackend;
}
