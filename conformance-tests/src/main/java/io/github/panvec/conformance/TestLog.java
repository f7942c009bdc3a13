package io.github.panvec.conformance;

import io.github.panvec.conformance.Report.TestOutcome;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.TestSource;
import org.junit.platform.engine.support.descriptor.ClassSource;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;

/** Collects the outcome of every test of a run, whether it made cells or not. Thread-safe. */
final class TestLog implements TestExecutionListener {
  private final Consumer<String> progress;
  private final List<TestOutcome> outcomes = new ArrayList<>();
  private final Instant began = Instant.now();
  private TestPlan plan;

  TestLog(Consumer<String> progress) {
    this.progress = progress;
  }

  /** Everything so far. */
  synchronized List<TestOutcome> outcomes() {
    return List.copyOf(outcomes);
  }

  private synchronized int count() {
    return outcomes.size();
  }

  Instant began() {
    return began;
  }

  Duration elapsed() {
    return Duration.between(began, Instant.now());
  }

  @Override
  public synchronized void testPlanExecutionStarted(TestPlan started) {
    plan = started;
  }

  @Override
  public void executionStarted(TestIdentifier test) {
    if (test.isTest() && test.getSource().orElse(null) instanceof MethodSource method) {
      progress.accept(
          simple(method.getClassName()) + ", " + kind(test) + ": " + count() + " tests done");
    }
  }

  @Override
  public void executionFinished(TestIdentifier test, TestExecutionResult result) {
    if (test.isTest() || result.getStatus() == TestExecutionResult.Status.FAILED) {
      String said = result.getThrowable().map(Throwable::toString).orElse("");
      switch (result.getStatus()) {
        case SUCCESSFUL -> add(test, TestOutcome.PASSED, "");
        case ABORTED -> add(test, TestOutcome.SKIPPED, said);
        case FAILED -> add(test, TestOutcome.FAILED, said.isEmpty() ? "failed" : said);
      }
    }
  }

  @Override
  public void executionSkipped(TestIdentifier test, String reason) {
    add(test, TestOutcome.SKIPPED, reason);
  }

  private synchronized void add(TestIdentifier test, String status, String message) {
    outcomes.add(new TestOutcome(name(test), kind(test), status, message));
  }

  private static Optional<String> className(TestIdentifier test) {
    return test.getSource()
        .filter(ClassSource.class::isInstance)
        .map(source -> simple(((ClassSource) source).getClassName()));
  }

  /** The class and the method, with what its parameter is. */
  private static String name(TestIdentifier test) {
    Optional<TestSource> source = test.getSource();
    if (source.isPresent() && source.get() instanceof MethodSource method) {
      String name = simple(method.getClassName()) + "." + method.getMethodName();
      String shown = test.getDisplayName();
      return shown.startsWith(method.getMethodName()) ? name : name + " " + shown;
    }
    return className(test).orElse(test.getDisplayName());
  }

  /** What the class was invoked with: the kind of index. */
  private String kind(TestIdentifier test) {
    String kind = "";
    for (Optional<TestIdentifier> at = Optional.of(test); at.isPresent(); ) {
      Optional<TestIdentifier> parent = plan.getParent(at.get());
      if (parent.isPresent()
          && className(at.get()).isPresent()
          && className(at.get()).equals(className(parent.get()))) {
        kind = at.get().getDisplayName();
      }
      at = parent;
    }
    return kind;
  }

  private static String simple(String className) {
    return className.substring(className.lastIndexOf('.') + 1);
  }
}
