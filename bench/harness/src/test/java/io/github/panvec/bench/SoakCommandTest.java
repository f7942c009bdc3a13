package io.github.panvec.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.panvec.bench.toy.ToyBackend;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SoakCommandTest {
  /** One that no machine is slow enough for: these tests are not about speed. */
  private static final String ANY_RATIO = "1e9";

  @TempDir private Path folder;
  private String out = "";
  private String err = "";

  @AfterEach
  void behave() {
    System.clearProperty(ToyBackend.MISCHIEF);
  }

  private int run(String... args) {
    StringWriter outText = new StringWriter();
    StringWriter errText = new StringWriter();
    int status = Main.run(new PrintWriter(outText), new PrintWriter(errText), false, args);
    out = outText.toString();
    err = errText.toString();
    return status;
  }

  /** A second over little data. */
  private int soak(String maxRatio, String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                "soak",
                "--minutes",
                "0.017",
                "--rows",
                "1000",
                "--dimension",
                "9",
                "--max-ratio",
                maxRatio));
    args.addAll(List.of(more));
    return run(args.toArray(new String[0]));
  }

  private List<String> complaints() {
    return out.lines().filter(line -> line.startsWith("FAILED: ")).toList();
  }

  @Test
  void aBackendThatIsRightEndsWithZeroAndItsFigures() throws IOException {
    Path json = folder.resolve("soak.json");
    assertThat(soak(ANY_RATIO, "--backend", "toy", "--json", json.toString())).as(out).isZero();

    assertThat(complaints()).isEmpty();
    assertThat(out)
        .contains("1,000 rows x 9, L2, k = 10, seed 1, 0.017 min each\n")
        .contains(Runtime.getRuntime().availableProcessors() + " processor")
        .containsPattern("(?m)^toy +[0-9.,]+ +[0-9.,]+ +[0-9.]+ +[0-9,]+ \\+ .* finished$")
        .contains("results: " + json);
    JsonNode index = new ObjectMapper().readTree(json.toFile()).path("indexes").path(0);
    assertThat(index.path("writerFinished").asBoolean()).isTrue();
    assertThat(index.path("failures").asInt(-1)).isZero();
    assertThat(index.path("operations").asLong()).isGreaterThan(100);
    assertThat(index.path("compactions").asInt()).as("rows die").isPositive();
    assertThat(index.path("parameters").path("threads").asInt()).isEqualTo(1);
    for (String phases : List.of("writerOnThisIndex", "writerOnAnotherIndex")) {
      JsonNode latencies = index.path(phases);
      assertThat(latencies.path("searches").asLong()).isPositive();
      assertThat(latencies.path("seconds").asDouble()).isPositive();
      assertThat(latencies.path("p50Micros").asDouble())
          .isPositive()
          .isLessThanOrEqualTo(latencies.path("p99Micros").asDouble());
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "removed|search .*: hit \\d+ \\(id \\d+ at .*\\) was removed by operation \\d+, which had"
            + " returned before the search began",
        "wrong|search .*: hit 0 \\(id \\d+ at 0.0\\) is at \\d.*",
        "bits|search .*: hit 9 \\(id \\d+ at .*\\) is at \\d.*",
        "lost|operation .*, add.*: get does not find id \\d+ after it returned",
        "exact-bits|operation .*: exact search finds .* and not id \\d+ at 0.0 after it returned",
        "full|operation .* on the .* index, .*: .*VectorIndexException: full on purpose",
        "full|the writer did not finish: stopped by VectorIndexException"
      })
  void whatIsWrongIsDescribedAndEndsWithOne(String mischief, String complaint) {
    System.setProperty(ToyBackend.MISCHIEF, mischief);

    assertThat(soak(ANY_RATIO, "--backend", "toy")).isEqualTo(1);
    assertThat(complaints())
        .as(out)
        .anySatisfy(line -> assertThat(line).matches("FAILED: toy: " + complaint));
    assertThat(out.lines().reduce("", (a, b) -> b)).startsWith("FAILED: toy: ");
  }

  @Test
  void aRatioThatIsTooLargeEndsWithOneAndSaysWhich() {
    assertThat(soak("0.000001", "--backend", "toy,toy-exact")).isEqualTo(1);
    assertThat(complaints())
        .hasSize(2)
        .anySatisfy(line -> assertThat(line).matches("FAILED: toy: the ratio .* is above 0.*"))
        .anySatisfy(line -> assertThat(line).startsWith("FAILED: toy-exact: the ratio "));
  }

  @Test
  void oneBackendThatDoesNotLoadIsACauseAndTheOtherIsSoaked() {
    System.setProperty(ToyBackend.MISCHIEF, "unavailable");

    assertThat(soak(ANY_RATIO, "--backend", "toy,toy-exact")).isEqualTo(1);
    assertThat(complaints())
        .singleElement()
        .asString()
        .contains("toy: not available (./panvec doctor tells more): libtoy.so: file too short");
    assertThat(out)
        .containsPattern("(?m)^toy +not soaked")
        .containsPattern("(?m)^toy-exact .* finished$");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--minutes 0|--minutes must be above 0",
        "--minutes soon|'soon' is not a double",
        "--rows 999|--rows must be from 1000 to 50000000, not 999",
        "--dimension 0|--dimension must be at least 1",
        "--max-ratio 0|--max-ratio must be above 0",
        "--backend toi|No backend \"toi\". Did you mean \"toy\"?",
        "--set mm=3|No parameter \"mm\". Did you mean \"m\"?",
        "--set path=x|two indexes cannot have one file",
        "--backend toy --set m=1|m must be from 2 to 512, not 1",
        "--backend toy-kinds --set type=list|No type \"list\"",
        "--backend toy-kinds --set type=code --set keepVectors=false|has no true distances",
        "--json FOLDER|--json FOLDER: cannot be written",
        "--nonsense|Unknown option: '--nonsense'"
      })
  void wrongInputExitsWithTwoInOneLineAndRunsNothing(String options, String message) {
    String place = folder.toString();
    String line = "soak --minutes 0.01 --backend toy " + options;
    String[] args =
        line.replace("FOLDER", place).replaceFirst("--minutes 0.01 (.*--minutes)", "$1").split(" ");
    assertThat(run(args)).isEqualTo(2);
    assertThat(err.lines().filter(each -> each.startsWith("panvec: ")))
        .singleElement()
        .asString()
        .contains(message.replace("FOLDER", place));
    assertThat(err).doesNotContain("\tat ");
    assertThat(out).isEmpty();
    assertThat(folder).satisfies(each -> assertThat(Files.exists(each.resolve("x"))).isFalse());
  }
}
