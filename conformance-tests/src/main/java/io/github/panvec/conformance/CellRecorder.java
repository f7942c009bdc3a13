package io.github.panvec.conformance;

import io.github.panvec.conformance.Report.Unsupported;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.opentest4j.TestAbortedException;

/**
 * Writes the outcome of each test of the suite into {@link CellLog}. A test that ran, of something
 * that the list says is not supported, fails: the list would have hidden it.
 */
final class CellRecorder implements BeforeEachCallback, AfterEachCallback {
  private static final ExtensionContext.Namespace LISTS =
      ExtensionContext.Namespace.create(CellRecorder.class);

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
    List<String> contradictions = contradictions(subject, list(context, subject), contract);
    String failure =
        context
            .getExecutionException()
            .map(Throwable::toString)
            .orElse(String.join(", ", contradictions));
    CellLog.end(subject, test, contract.value(), failure);
    if (context.getExecutionException().isEmpty() && !contradictions.isEmpty()) {
      throw new AssertionError(
          subject + ", in " + NotSupported.RESOURCE + ": " + String.join(", ", contradictions));
    }
  }

  /** What the list says of a kind of index, read once in a run. */
  @SuppressWarnings("unchecked")
  private static List<Unsupported> list(ExtensionContext context, Subject subject) {
    return context
        .getRoot()
        .getStore(LISTS)
        .getOrComputeIfAbsent(subject, kind -> NotSupported.load().of(List.of(kind)), List.class);
  }

  private static List<String> contradictions(
      Subject subject, List<Unsupported> list, Contract contract) {
    String kind = subject.toString();
    return CellLog.touched().stream()
        .flatMap(
            shape ->
                Arrays.stream(contract.value())
                    .filter(
                        claim ->
                            list.stream()
                                .anyMatch(each -> each.isAbout(kind, shape.metric().name(), claim)))
                    .map(claim -> "listed as not supported, but run: " + shape + " " + claim))
        .toList();
  }
}
