/** Slots, versions, locks and checks for backends. */
module io.github.panvec.engine {
  requires transitive io.github.panvec;
  requires static org.jspecify;

  exports io.github.panvec.engine;
}
