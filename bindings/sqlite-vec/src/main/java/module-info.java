/** Generated: one Java method for each C function of libpanvec_sqlitevec. */
module io.github.panvec.bindings.sqlitevec {
  requires transitive io.github.panvec.loader;

  exports io.github.panvec.bindings.sqlitevec;
}
