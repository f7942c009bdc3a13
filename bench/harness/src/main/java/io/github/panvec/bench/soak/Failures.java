package io.github.panvec.bench.soak;

import java.util.ArrayList;
import java.util.List;

/** Counts what went wrong, and keeps the first descriptions. Thread-safe. */
final class Failures {
  private static final int KEPT = 20;

  private final List<String> first = new ArrayList<>();
  private long count;

  synchronized void add(String description) {
    count++;
    if (first.size() < KEPT) {
      first.add(description);
    }
  }

  synchronized long count() {
    return count;
  }

  /** The first of them, in the order in which they were found. */
  synchronized List<String> first() {
    return List.copyOf(first);
  }
}
