/** Generated: one Java method for each C function of libpanvec_hnswlib. */
module io.github.panvec.bindings.hnswlib {
  requires transitive io.github.panvec.loader;

  exports io.github.panvec.bindings.hnswlib;
}
