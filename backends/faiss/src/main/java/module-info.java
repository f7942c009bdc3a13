/** The backend "faiss". */
module io.github.panvec.faiss {
  requires transitive io.github.panvec;
  requires io.github.panvec.engine;
  requires io.github.panvec.bindings.faiss;
  requires io.github.panvec.loader;
  requires static org.jspecify;

  exports io.github.panvec.faiss;

  provides io.github.panvec.spi.VectorBackend with
      io.github.panvec.faiss.FaissBackend;
}
