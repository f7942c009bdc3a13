/** Generated: one Java method for each C function of libpanvec_usearch, usearch's own C API and Panvec's additions. */
module io.github.panvec.bindings.usearch {
  requires transitive io.github.panvec.loader;

  exports io.github.panvec.bindings.usearch;
}
