package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Panvec;
import io.github.panvec.spi.VectorBackend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Nothing that Java can call ends the process: with searches that scan or walk as costs less, and
 * that always walk.
 */
class SurvivalTest {
  static Stream<String> backends() {
    return Panvec.backends().stream().map(VectorBackend::name);
  }

  @Contract("jvm.survives")
  @ParameterizedTest
  @MethodSource("backends")
  void hostileCallsAreAnsweredOrRefused(String backend, @TempDir Path folder) throws Exception {
    for (String said :
        runBoth(folder, List.of("-Xmx1g", "-XX:+UseSerialGC"), HostileProgram.class, backend)) {
      assertThat(said).endsWith("survived");
    }
  }

  @Contract("jvm.survives")
  @ParameterizedTest
  @MethodSource("backends")
  void theProcessEndsInOrderWithIndexesOpenAndInUse(String backend, @TempDir Path folder)
      throws Exception {
    for (String said : runBoth(folder, List.of(), ExitProgram.class, backend)) {
      assertThat(said).matches("leaving \\d+ threads in calls");
    }
  }

  /** As searches cost least, and always walking, beside each other; what they said. */
  private static List<String> runBoth(
      Path folder, List<String> options, Class<?> program, String backend) throws Exception {
    List<CompletableFuture<String>> children = new ArrayList<>();
    for (boolean walking : new boolean[] {false, true}) {
      Path own = Files.createDirectory(folder.resolve(walking ? "walking" : "as it costs"));
      List<String> all = new ArrayList<>(options);
      all.add("-Dpanvec.engine.alwaysWalk=" + walking);
      children.add(
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  return ChildJvm.run(own, List.of(), all, program, backend);
                } catch (IOException | InterruptedException failed) {
                  throw new IllegalStateException(failed);
                }
              },
              Thread::startVirtualThread));
    }
    List<String> said = new ArrayList<>();
    for (CompletableFuture<String> child : children) {
      said.add(child.get());
    }
    return said;
  }
}
