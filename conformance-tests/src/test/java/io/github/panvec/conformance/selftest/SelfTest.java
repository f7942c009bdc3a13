package io.github.panvec.conformance.selftest;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.conformance.Conformance;
import io.github.panvec.conformance.Contract;
import io.github.panvec.conformance.Report;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
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
    assumeTrue(
        fault != Fault.DENORMALS_FLUSHED_ON_THE_THREAD || FloatingPoint.isKnown(),
        "how to flush denormals is known for glibc on x86-64 and ARM64");
    Report report = fault.during(() -> runImpatiently(fault.caughtBy));
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

  @Test
  void aFloatPassThatDecidesIsCaughtUnderEveryMetric() {
    Report report = Fault.FLOAT_PASS_DECIDES.during(() -> run(Fault.FLOAT_PASS_DECIDES.caughtBy));
    assertThat(report.failedCells())
        .extracting(Report.CellResult::metric)
        .contains("L2", "COSINE", "DOT");
  }

  /**
   * The list gets shorter with every fault for a claim of it; that it gets longer is a decision.
   */
  @Test
  void claimsWithoutAFaultAreListed() throws IOException {
    Set<String> without = new TreeSet<>();
    for (Class<?> type : Conformance.suite()) {
      for (Method method : type.getDeclaredMethods()) {
        Contract contract = method.getAnnotation(Contract.class);
        if (contract != null) {
          without.addAll(List.of(contract.value()));
        }
      }
    }
    for (Fault fault : Fault.values()) {
      Method test = method(fault.caughtBy);
      List.of(test.getAnnotation(Contract.class).value()).forEach(without::remove);
    }
    try (InputStream in = SelfTest.class.getResourceAsStream("claims-without-a-fault.txt")) {
      String listed = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      assertThat(without).containsExactlyElementsOf(listed.lines().sorted().toList());
    }
  }

  /** What a fault keeps waiting waits in vain. */
  private Report runImpatiently(String test) {
    System.setProperty("panvec.conformance.patience", "2");
    try {
      return run(test);
    } finally {
      System.clearProperty("panvec.conformance.patience");
    }
  }

  private Report run(String... tests) {
    DiscoverySelector[] selectors =
        Arrays.stream(tests).map(SelfTest::selector).toArray(DiscoverySelector[]::new);
    return toy.during(
        () -> Conformance.run(Conformance.Options.only(selectors).withBackends(ToyBackend.NAME)));
  }

  private static DiscoverySelector selector(String test) {
    Method method = method(test);
    return DiscoverySelectors.selectMethod(method.getDeclaringClass(), method);
  }

  private static Method method(String test) {
    String[] parts = test.split("#");
    for (Class<?> part : Conformance.suite()) {
      if (part.getSimpleName().equals(parts[0])) {
        for (Method method : part.getDeclaredMethods()) {
          if (method.getName().equals(parts[1])) {
            return method;
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
