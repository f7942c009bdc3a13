package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A program in a JVM of its own on this class path, so that a crash or a hang is a failure. */
final class ChildJvm {
  private static final long MINUTES = 10;

  private ChildJvm() {}

  /**
   * Runs it to its end and returns what it printed; fails, with that, when it does not exit with 0
   * in time.
   *
   * @param folder for its output and for the JVM's own report
   * @param shell words that run the command which follows them, for example {@code nice}
   * @param options of the JVM
   */
  static String run(
      Path folder, List<String> shell, List<String> options, Class<?> program, String... arguments)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>(shell);
    command.addAll(command(folder, options, program, arguments));
    Path said = folder.resolve("output.txt");
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(said.toFile()).start();
    boolean ended = process.waitFor(MINUTES, TimeUnit.MINUTES);
    if (!ended) {
      process.destroyForcibly().waitFor();
    }
    String output = Files.readString(said, StandardCharsets.UTF_8).strip();
    assertThat(ended).as("still running after %d minutes:%n%s", MINUTES, output).isTrue();
    assertThat(process.exitValue()).as("-Dpanvec.seed=%d%n%s", TestVectors.seed(), output).isZero();
    return output;
  }

  /**
   * The command that runs it.
   *
   * @param folder for the JVM's own report
   * @param options of the JVM
   */
  static List<String> command(
      Path folder, List<String> options, Class<?> program, String... arguments) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "-XX:-CreateCoredumpOnCrash",
            "-XX:ErrorFile=" + folder.resolve("hs_err.log")));
    command.addAll(options);
    for (String property : List.of("panvec.native.dir", "panvec.cache", "panvec.seed")) {
      String value = System.getProperty(property, "");
      if (!value.isEmpty()) {
        command.add("-D" + property + "=" + value);
      }
    }
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), program.getName()));
    command.addAll(List.of(arguments));
    return command;
  }
}
