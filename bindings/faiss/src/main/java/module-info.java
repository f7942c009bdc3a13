/** Generated: one Java method for each C function of libpanvec_faiss, FAISS's own C API and Panvec's additions. */
module io.github.panvec.bindings.faiss {
  requires transitive io.github.panvec.loader;

  exports io.github.panvec.bindings.faiss;
}
