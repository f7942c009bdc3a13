package io.github.panvec.engine;

/** Finds slots by id. */
interface SlotLookup {
  /** The slot of {@code id} that is live in {@code version}, or -1. */
  int find(long id, Version version);
}
