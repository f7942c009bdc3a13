/** The Panvec API: one {@code VectorIndex} over several native nearest-neighbour engines. */
module io.github.panvec {
  // Events are recorded where the runtime image has it.
  requires static jdk.jfr;
  requires static transitive org.jspecify;

  exports io.github.panvec;
  exports io.github.panvec.snapshot;
  exports io.github.panvec.spi;

  uses io.github.panvec.spi.VectorBackend;
}
