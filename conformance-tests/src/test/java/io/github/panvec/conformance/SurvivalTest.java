package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Panvec;
import io.github.panvec.spi.VectorBackend;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Nothing that Java can call ends the process: with searches that scan or walk as costs less, and
 * that always walk.
 */
class SurvivalTest {
  private static final String ALWAYS_WALK = "-Dpanvec.engine.alwaysWalk=true";

  static Stream<String> backends() {
    return Panvec.backends().stream().map(VectorBackend::name);
  }

  @Contract("jvm.survives")
  @ParameterizedTest
  @MethodSource("backends")
  void hostileCallsAreAnsweredOrRefused(String backend, @TempDir Path folder) throws Exception {
    for (String walks : List.of("-Dpanvec.engine.alwaysWalk=false", ALWAYS_WALK)) {
      List<String> options = List.of("-Xmx1g", "-XX:+UseSerialGC", walks);
      assertThat(ChildJvm.run(folder, List.of(), options, HostileProgram.class, backend))
          .as(walks)
          .endsWith("survived");
    }
  }

  @Contract("jvm.survives")
  @ParameterizedTest
  @MethodSource("backends")
  void theProcessEndsInOrderWithIndexesOpenAndInUse(String backend, @TempDir Path folder)
      throws Exception {
    for (List<String> options : List.of(List.<String>of(), List.of(ALWAYS_WALK))) {
      assertThat(ChildJvm.run(folder, List.of(), options, ExitProgram.class, backend))
          .matches("leaving \\d+ threads in calls");
    }
  }
}
