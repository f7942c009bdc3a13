package io.github.panvec.conformance;

import io.github.panvec.conformance.Report.CellResult;
import io.github.panvec.conformance.Report.Claim;
import io.github.panvec.conformance.Report.Kind;
import io.github.panvec.conformance.Report.TestOutcome;
import io.github.panvec.conformance.Report.Unsupported;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.platform.commons.support.ReflectionSupport;

/**
 * That a run of the whole suite has held every kind of index to every claim: each pair is a cell,
 * or is listed as not supported, or waits for its call, or is held by tests of a process ({@code
 * per-process.txt}).
 */
final class Completeness {
  private static final String TEST = "Completeness";

  private Completeness() {}

  /** Whether every test of the suite that has something to run over has run. */
  static boolean isWhole(Collection<TestOutcome> outcomes) {
    Set<String> run = new HashSet<>();
    outcomes.forEach(outcome -> run.add(outcome.test().split(" ")[0]));
    return Conformance.suite().stream()
        .filter(Completeness::hasSubjects)
        .flatMap(type -> methods(type).map(method -> type.getSimpleName() + "." + method.getName()))
        .allMatch(run::contains);
  }

  private static boolean hasSubjects(Class<?> type) {
    Method subjects =
        ReflectionSupport.findMethod(type, "subjects")
            .orElseThrow(() -> new IllegalStateException(type + " has no subjects"));
    return ((Stream<?>) ReflectionSupport.invokeMethod(subjects, null)).findAny().isPresent();
  }

  /** Those that every run comes to. */
  private static Stream<Method> methods(Class<?> type) {
    return Arrays.stream(type.getDeclaredMethods())
        .filter(method -> method.isAnnotationPresent(Contract.class))
        .filter(method -> !method.isAnnotationPresent(Tag.class))
        .filter(
            method -> {
              ParameterizedTest parameterized = method.getAnnotation(ParameterizedTest.class);
              return parameterized == null || !parameterized.allowZeroInvocations();
            });
  }

  /** A failure for each kind of index that was not held to some claim for no listed reason. */
  static List<TestOutcome> gaps(
      List<Kind> kinds,
      List<Claim> claims,
      List<CellResult> cells,
      List<Unsupported> notSupported,
      Set<String> perProcess) {
    Set<String> accounted = new HashSet<>();
    cells.forEach(cell -> accounted.add(cell.kind() + " " + cell.claim()));
    notSupported.stream()
        .filter(each -> each.metric().isEmpty())
        .forEach(each -> accounted.add(each.backend() + " " + each.type() + " " + each.claim()));
    List<TestOutcome> gaps = new ArrayList<>();
    for (Kind kind : kinds) {
      List<String> missing =
          claims.stream()
              .filter(claim -> claim.waitsFor().isEmpty())
              .map(Claim::id)
              .filter(claim -> !perProcess.contains(claim))
              .filter(claim -> !accounted.contains(kind.name() + " " + claim))
              .collect(Collectors.toList());
      if (!missing.isEmpty()) {
        String said =
            "no test held it to %s, and no line of %s says why"
                .formatted(String.join(", ", missing), NotSupported.RESOURCE);
        gaps.add(new TestOutcome(TEST, kind.name(), TestOutcome.FAILED, said));
      }
    }
    return gaps;
  }
}
