/** Finds, verifies and opens Panvec's native libraries. */
module io.github.panvec.loader {
  requires static org.jspecify;

  exports io.github.panvec.loader;
}
