package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Nothing that Java can call ends the process. In one of its own, so that a crash is a failure. */
class SurvivalTest {

  @ParameterizedTest
  @ValueSource(strings = {"faiss", "hnswlib", "sqlite-vec", "usearch"})
  void hostileCallsAreAnsweredOrRefused(String backend, @TempDir Path folder) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "-Xmx1g",
            "-XX:+UseSerialGC",
            "-XX:-CreateCoredumpOnCrash",
            "-XX:ErrorFile=" + folder.resolve("hs_err.log")));
    for (String property : List.of("panvec.native.dir", "panvec.cache", "panvec.seed")) {
      String value = System.getProperty(property, "");
      if (!value.isEmpty()) {
        command.add("-D" + property + "=" + value);
      }
    }
    command.addAll(
        List.of(
            "-cp", System.getProperty("java.class.path"), HostileProgram.class.getName(), backend));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertThat(process.waitFor()).as("-Dpanvec.seed=%d%n%s", TestVectors.seed(), output).isZero();
    assertThat(output).endsWith("survived");
  }
}
