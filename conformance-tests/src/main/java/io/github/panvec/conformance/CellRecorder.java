package io.github.panvec.conformance;

import java.lang.reflect.Method;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.opentest4j.TestAbortedException;

/** Writes the outcome of each test of the suite into {@link CellLog}. */
final class CellRecorder implements BeforeEachCallback, AfterEachCallback {

  @Override
  public void beforeEach(ExtensionContext context) {
    CellLog.begin();
  }

  @Override
  public void afterEach(ExtensionContext context) {
    if (context.getExecutionException().orElse(null) instanceof TestAbortedException) {
      // An assumption did not hold: nothing was found out.
      CellLog.begin();
      return;
    }
    Method method = context.getRequiredTestMethod();
    Contract contract = method.getAnnotation(Contract.class);
    Subject subject = ((ConformanceTest) context.getRequiredTestInstance()).subject;
    String test = context.getRequiredTestClass().getSimpleName() + "." + method.getName();
    String failure = context.getExecutionException().map(Throwable::toString).orElse("");
    CellLog.end(subject, test, contract.value(), failure);
  }
}
