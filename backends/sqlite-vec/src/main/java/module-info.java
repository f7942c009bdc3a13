/** The sqlite-vec backend: vectors in an SQLite database, in memory or in a file. */
module io.github.panvec.sqlitevec {
  requires transitive io.github.panvec;
  requires io.github.panvec.bindings.sqlitevec;
  requires io.github.panvec.engine;
  requires io.github.panvec.loader;
  requires static org.jspecify;

  exports io.github.panvec.sqlitevec;

  provides io.github.panvec.spi.VectorBackend with
      io.github.panvec.sqlitevec.SqliteVecBackend;
}
