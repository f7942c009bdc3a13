package io.github.panvec.conformance.selftest;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.conformance.Conformance;
import io.github.panvec.conformance.Report;
import java.lang.reflect.Method;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.discovery.DiscoverySelectors;

/** The suite notices what it is for: each fault of a toy fails the test that is named for it. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SelfTest {
  private final List<String> caught = new ArrayList<>();
  private ToyOnly toy;

  @BeforeAll
  void show(@TempDir Path folder) throws Exception {
    toy = ToyOnly.in(folder);
  }

  @Test
  void theToyWithoutAFaultPasses() {
    Report report =
        run(
            Arrays.stream(Fault.values())
                .map(fault -> fault.caughtBy)
                .distinct()
                .toArray(String[]::new));
    assertThat(report.problems()).isEmpty();
    assertThat(report.cells()).isNotEmpty();
  }

  @ParameterizedTest
  @EnumSource(Fault.class)
  void everyFaultIsCaughtByItsTest(Fault fault) {
    Report report = fault.during(() -> run(fault.caughtBy));
    String test = fault.caughtBy.replace('#', '.');
    assertThat(report.failedTests())
        .as("failures of %s with the fault %s", test, fault)
        .isNotEmpty()
        .allMatch(failed -> (failed.test() + " ").startsWith(test + " "));
    assertThat(report.failedCells()).isNotEmpty();
    caught.add(
        String.format(
            Locale.ROOT,
            "%-40s caught by %s",
            fault.name().toLowerCase(Locale.ROOT).replace('_', ' '),
            test));
  }

  private Report run(String... tests) {
    DiscoverySelector[] selectors =
        Arrays.stream(tests).map(SelfTest::selector).toArray(DiscoverySelector[]::new);
    return toy.during(
        () -> Conformance.run(Conformance.Options.only(selectors).withBackends(ToyBackend.NAME)));
  }

  private static DiscoverySelector selector(String test) {
    String[] parts = test.split("#");
    for (Class<?> part : Conformance.suite()) {
      if (part.getSimpleName().equals(parts[0])) {
        for (Method method : part.getDeclaredMethods()) {
          if (method.getName().equals(parts[1])) {
            return DiscoverySelectors.selectMethod(part, method);
          }
        }
      }
    }
    throw new AssertionError("the suite has no test " + test);
  }

  @AfterAll
  void tell() {
    caught.forEach(System.out::println);
    System.out.println(caught.size() + " of " + Fault.values().length + " faults caught");
  }
}
