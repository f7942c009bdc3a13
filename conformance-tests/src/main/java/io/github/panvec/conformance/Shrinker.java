package io.github.panvec.conformance;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongUnaryOperator;
import java.util.function.UnaryOperator;

/**
 * Makes a failing trace short: fewer operations (delta debugging: halves, quarters, ... single
 * ones), fewer rows and hits, simple vectors, small ids, few dimensions. Each candidate runs on a
 * new index; it is kept when it fails too, in whatever way, and takes less code.
 */
final class Shrinker {
  private final Trace.Factory factory;
  private final long end;
  private int replaysLeft;
  private Trace.Failure best;
  private long cost;

  private Shrinker(Trace.Failure failure, Trace.Factory factory, Duration time, int replays) {
    this.best = failure;
    this.cost = failure.trace().cost();
    this.factory = factory;
    this.end = System.nanoTime() + time.toNanos();
    this.replaysLeft = replays;
  }

  /**
   * The shortest found.
   *
   * @param time when to stop looking, whatever was found
   * @param replays the most candidates to try
   */
  static Trace.Failure shrink(
      Trace.Failure failure, Trace.Factory factory, Duration time, int replays) {
    Shrinker shrinker = new Shrinker(failure, factory, time, replays);
    long before;
    do {
      before = shrinker.cost;
      shrinker.dropOperations();
      shrinker.mergeAdds();
      shrinker.lowerDimension();
      shrinker.makeOperationsSmaller();
      shrinker.simplifyVectors();
      shrinker.simplifyIds();
    } while (shrinker.cost < before && !shrinker.isExhausted());
    return shrinker.best;
  }

  private boolean isExhausted() {
    return replaysLeft <= 0 || System.nanoTime() - end >= 0;
  }

  private List<Operation> operations() {
    return best.trace().operations();
  }

  /** Keeps the candidate if it fails with less code. */
  private boolean keeps(Trace candidate) {
    if (isExhausted() || candidate.cost() >= cost) {
      return false;
    }
    replaysLeft--;
    Optional<Trace.Failure> failure;
    try {
      failure = candidate.run(factory);
    } catch (IllegalArgumentException noSuchIndex) {
      // Not every dimension suits every kind of index.
      return false;
    }
    if (failure.isEmpty() || failure.get().trace().cost() >= cost) {
      return false;
    }
    best = failure.get();
    cost = best.trace().cost();
    return true;
  }

  private void dropOperations() {
    int chunk = Math.max(1, operations().size() / 2);
    while (chunk >= 1 && !isExhausted()) {
      // From the end: what comes late depends on what was early.
      for (int start = operations().size() - chunk; start > -chunk; start -= chunk) {
        int size = operations().size();
        int from = Math.max(0, Math.min(start, size - chunk));
        int to = Math.min(size, Math.max(0, start) + chunk);
        if (from < to) {
          List<Operation> fewer = new ArrayList<>(operations().subList(0, from));
          fewer.addAll(operations().subList(to, size));
          keeps(best.trace().with(fewer));
        }
      }
      chunk /= 2;
    }
  }

  /** Two adds, one after the other, as one. */
  private void mergeAdds() {
    for (int i = operations().size() - 2; i >= 0 && !isExhausted(); i--) {
      if (i + 1 < operations().size()) {
        List<Operation.Row> rows = new ArrayList<>(rows(operations().get(i)));
        List<Operation.Row> more = rows(operations().get(i + 1));
        if (!rows.isEmpty() && !more.isEmpty()) {
          rows.addAll(more);
          List<Operation> merged = new ArrayList<>(operations());
          merged.remove(i + 1);
          merged.set(i, new Operation.AddAll(rows, false));
          keeps(best.trace().with(merged));
        }
      }
    }
  }

  private static List<Operation.Row> rows(Operation operation) {
    if (operation instanceof Operation.AddAll batch && !batch.replace()) {
      return batch.rows();
    }
    return operation instanceof Operation.Add add
        ? List.of(new Operation.Row(add.id(), add.vector()))
        : List.of();
  }

  private void makeOperationsSmaller() {
    for (int i = 0; i < operations().size() && !isExhausted(); i++) {
      while (i < operations().size() && makeSmaller(i)) {
        // Again: a smaller one may have smaller ones.
      }
    }
  }

  private boolean makeSmaller(int i) {
    for (Operation smaller : operations().get(i).smaller()) {
      if (isExhausted()) {
        return false;
      }
      List<Operation> changed = new ArrayList<>(operations());
      changed.set(i, smaller);
      if (keeps(best.trace().with(changed))) {
        return true;
      }
    }
    return false;
  }

  private static Trace map(Trace trace, LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
    return trace.with(trace.operations().stream().map(each -> each.map(ids, vectors)).toList());
  }

  private void lowerDimension() {
    int[] dimensions = {1, 2, 3, 4, 8, 16, best.trace().dimension() / 2};
    for (int dimension : dimensions) {
      Trace trace = best.trace();
      int less = trace.dimension() - dimension;
      if (less > 0 && dimension > 0) {
        Trace narrow =
            map(
                trace,
                id -> id,
                vector -> Arrays.copyOf(vector, Math.max(0, vector.length - less)));
        if (keeps(new Trace(trace.metric(), dimension, narrow.operations()))) {
          return;
        }
      }
    }
  }

  // ---- vectors: those that are equal stay equal

  private static String key(float[] vector) {
    return JavaCode.floats(vector);
  }

  private Map<String, float[]> vectors() {
    Map<String, float[]> vectors = new LinkedHashMap<>();
    map(
        best.trace(),
        id -> id,
        vector -> {
          vectors.putIfAbsent(key(vector), vector);
          return vector;
        });
    return vectors;
  }

  private void simplifyVectors() {
    if (isExhausted()) {
      return;
    }
    Map<String, Integer> numbers = new HashMap<>();
    vectors().keySet().forEach(key -> numbers.put(key, numbers.size()));
    keeps(map(best.trace(), id -> id, vector -> plain(vector, numbers.get(key(vector)))));
    keeps(map(best.trace(), id -> id, Shrinker::rounded));
    int number = 0;
    for (Map.Entry<String, float[]> each : vectors().entrySet()) {
      for (float[] simpler : simpler(each.getValue(), number++)) {
        if (isExhausted()) {
          return;
        }
        if (replaceAll(each.getKey(), simpler)) {
          break;
        }
      }
    }
  }

  private boolean replaceAll(String key, float[] simpler) {
    return keeps(map(best.trace(), id -> id, vector -> key(vector).equals(key) ? simpler : vector));
  }

  private static List<float[]> simpler(float[] vector, int number) {
    List<float[]> simpler = new ArrayList<>();
    simpler.add(new float[vector.length]);
    simpler.add(plain(vector, 0));
    simpler.add(plain(vector, number));
    simpler.add(rounded(vector));
    for (int part = vector.length; part >= 1; part /= 2) {
      for (int from = 0; from < vector.length; from += part) {
        float[] partlyZero = vector.clone();
        Arrays.fill(partlyZero, from, Math.min(vector.length, from + part), 0);
        simpler.add(partlyZero);
      }
    }
    return simpler;
  }

  /** One that has a direction of its own for each number; what is not finite stays. */
  private static float[] plain(float[] vector, int number) {
    float[] plain = new float[vector.length];
    for (int i = 0; i < vector.length; i++) {
      plain[i] = Float.isFinite(vector[i]) ? i == 0 ? 1 : i == 1 ? number : 0 : vector[i];
    }
    return plain;
  }

  private static float[] rounded(float[] vector) {
    float[] rounded = vector.clone();
    for (int i = 0; i < vector.length; i++) {
      rounded[i] = Float.isFinite(vector[i]) ? (float) Math.rint(vector[i]) + 0.0f : vector[i];
    }
    return rounded;
  }

  // ---- ids

  private Set<Long> ids() {
    Set<Long> ids = new LinkedHashSet<>();
    map(
        best.trace(),
        id -> {
          ids.add(id);
          return id;
        },
        vector -> vector);
    return ids;
  }

  private void simplifyIds() {
    if (isExhausted()) {
      return;
    }
    Set<Long> used = ids();
    long next = 1;
    for (long id : List.copyOf(used)) {
      while (used.contains(next)) {
        next++;
      }
      long free = next;
      if (isExhausted()) {
        return;
      }
      if (keeps(map(best.trace(), each -> each == id ? free : each, vector -> vector))) {
        used.add(free);
      }
    }
  }
}
