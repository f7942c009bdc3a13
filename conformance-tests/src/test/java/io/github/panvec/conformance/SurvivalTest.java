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

/** Nothing that Java can call ends the process. */
class SurvivalTest {

  static Stream<String> backends() {
    return Panvec.backends().stream().map(VectorBackend::name);
  }

  @Contract("jvm.survives")
  @ParameterizedTest
  @MethodSource("backends")
  void hostileCallsAreAnsweredOrRefused(String backend, @TempDir Path folder) throws Exception {
    List<String> options = List.of("-Xmx1g", "-XX:+UseSerialGC");
    assertThat(ChildJvm.run(folder, List.of(), options, HostileProgram.class, backend))
        .endsWith("survived");
  }

  @Contract("jvm.survives")
  @ParameterizedTest
  @MethodSource("backends")
  void theProcessEndsInOrderWithIndexesOpenAndInUse(String backend, @TempDir Path folder)
      throws Exception {
    for (int round = 0; round < 3; round++) {
      assertThat(ChildJvm.run(folder, List.of(), List.of(), ExitProgram.class, backend))
          .contains("threads in calls");
    }
  }
}
