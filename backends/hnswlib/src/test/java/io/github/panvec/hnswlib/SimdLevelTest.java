package io.github.panvec.hnswlib;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Availability;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The level is chosen once per JVM, so each case runs in a JVM of its own. */
class SimdLevelTest {

  /** Prints what the library says. */
  public static final class Child {
    private Child() {}

    public static void main(String[] args) {
      Availability availability = new HnswlibBackend().availability();
      System.out.println(
          availability.available() ? availability.simdLevel() : availability.reason());
    }
  }

  private static String run(String level) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(ProcessHandle.current().info().command().orElseThrow());
    command.add("--enable-native-access=ALL-UNNAMED");
    command.add("-Dpanvec.simd=" + level);
    for (String property : List.of("panvec.native.dir", "panvec.cache")) {
      String value = System.getProperty(property);
      if (value != null) {
        command.add("-D" + property + "=" + value);
      }
    }
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Child.class.getName()));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertThat(process.waitFor()).as(output).isZero();
    return output;
  }

  @Test
  void aForcedLevelIsUsed() throws Exception {
    assertThat(run("baseline")).isEqualTo("baseline");
  }

  @Test
  void autoPicksALevelOfThisCpu() throws Exception {
    assertThat(run("auto")).isIn("baseline", "neon", "avx2", "avx512");
  }

  @Test
  void anImpossibleLevelMakesTheBackendUnavailableNamingThePossibleOnes() throws Exception {
    assertThat(run("mmx")).contains("mmx").contains("baseline");
  }
}
