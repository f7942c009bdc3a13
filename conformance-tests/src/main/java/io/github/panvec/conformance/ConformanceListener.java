package io.github.panvec.conformance;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;

/**
 * Writes {@code conformance.md}, {@code .json} and {@code .html} when a run of tests ends that held
 * an index to the contract. JUnit finds it by itself.
 */
public final class ConformanceListener implements TestExecutionListener {
  /** Names the property with the folder to write to; default {@code target}; empty: none. */
  public static final String FOLDER = "panvec.conformance.out";

  private final TestLog log = new TestLog(line -> {});

  /** JUnit makes one. */
  public ConformanceListener() {}

  @Override
  public void testPlanExecutionStarted(TestPlan plan) {
    log.testPlanExecutionStarted(plan);
  }

  @Override
  public void executionSkipped(TestIdentifier test, String reason) {
    log.executionSkipped(test, reason);
  }

  @Override
  public void executionFinished(TestIdentifier test, TestExecutionResult result) {
    log.executionFinished(test, result);
  }

  @Override
  public void testPlanExecutionFinished(TestPlan plan) {
    String folder = System.getProperty(FOLDER, "target");
    if (folder.isBlank() || CellLog.outcomes().isEmpty()) {
      return;
    }
    try {
      ReportFiles.write(Report.now(log), Path.of(folder));
    } catch (IOException | RuntimeException failed) {
      // An exception here would be lost: JUnit logs what listeners throw, far from the result.
      System.getLogger(ConformanceListener.class.getName())
          .log(
              System.Logger.Level.ERROR,
              "The conformance report could not be written to " + folder,
              failed);
    }
  }
}
