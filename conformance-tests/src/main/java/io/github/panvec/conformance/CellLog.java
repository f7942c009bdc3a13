package io.github.panvec.conformance;

import io.github.panvec.Metric;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** What the tests of this JVM have established, cell by cell. Thread-safe. */
public final class CellLog {

  /**
   * What is known of a cell.
   *
   * @param tests the tests that ran, as class and method
   * @param failure what the first of them that failed said; empty when all passed
   */
  public record Outcome(Set<String> tests, String failure) {
    public Outcome {
      tests = new TreeSet<>(tests);
    }

    /** Whether every test of it passed. */
    public boolean passed() {
      return failure.isEmpty();
    }
  }

  private static final Map<Cell, Outcome> OUTCOMES = new LinkedHashMap<>();
  private static final Map<String, String> FINGERPRINTS = new LinkedHashMap<>();

  /** Threads that a test starts, or is run on because of its time limit, belong to the test. */
  private static final ThreadLocal<Set<Subject.Shape>> TOUCHED =
      new InheritableThreadLocal<>() {
        @Override
        protected Set<Subject.Shape> initialValue() {
          return none();
        }
      };

  private CellLog() {}

  private static Set<Subject.Shape> none() {
    return Collections.synchronizedSet(new LinkedHashSet<>());
  }

  /** Everything so far. */
  public static synchronized Map<Cell, Outcome> outcomes() {
    return new LinkedHashMap<>(OUTCOMES);
  }

  /** The fingerprint of each kind of index, by its name and metric: {@code faiss flat L2}. */
  public static synchronized Map<String, String> fingerprints() {
    return new LinkedHashMap<>(FINGERPRINTS);
  }

  static synchronized void fingerprint(Subject subject, Metric metric, String fingerprint) {
    FINGERPRINTS.put(subject + " " + metric, fingerprint);
  }

  /** Forgets everything. */
  static synchronized void clear() {
    OUTCOMES.clear();
    FINGERPRINTS.clear();
  }

  /** A test begins on this thread. */
  static void begin() {
    // Not cleared: a test that ran out of time may still be adding to the last one's.
    TOUCHED.set(none());
  }

  /** The running test is about this metric and dimension. */
  static void touch(Subject.Shape shape) {
    TOUCHED.get().add(shape);
  }

  /** What the running test is about, so far. */
  static List<Subject.Shape> touched() {
    Set<Subject.Shape> touched = TOUCHED.get();
    synchronized (touched) {
      return List.copyOf(touched);
    }
  }

  /** The test that began on this thread has ended; an empty failure: it passed. */
  static void end(Subject subject, String test, String[] claims, String failure) {
    synchronized (CellLog.class) {
      for (Subject.Shape shape : touched()) {
        for (String claim : claims) {
          Cell cell =
              new Cell(subject.backend(), subject.type(), shape.metric(), shape.dimension(), claim);
          Outcome before = OUTCOMES.getOrDefault(cell, new Outcome(Set.of(), ""));
          Set<String> tests = new TreeSet<>(before.tests());
          tests.add(test);
          OUTCOMES.put(cell, new Outcome(tests, before.passed() ? failure : before.failure()));
        }
      }
    }
    begin();
  }
}
