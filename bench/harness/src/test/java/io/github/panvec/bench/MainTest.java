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
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MainTest {
  @TempDir private Path folder;
  private String out = "";
  private String err = "";

  @BeforeEach
  void ownCache() {
    System.setProperty("panvec.cache", folder.resolve("cache").toString());
  }

  @AfterEach
  void behave() {
    System.clearProperty("panvec.cache");
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

  /** A run over little data with tiny rounds. */
  private int eval(String... more) {
    List<String> args =
        new ArrayList<>(
            List.of(
                "eval",
                "--limit",
                "500",
                "--queries",
                "40",
                "--round-seconds",
                "0.01",
                "--out",
                folder.resolve("out").toString()));
    args.addAll(List.of(more));
    return run(args.toArray(new String[0]));
  }

  private JsonNode results() throws IOException {
    return new ObjectMapper().readTree(folder.resolve("out/results.json").toFile());
  }

  @ParameterizedTest
  @CsvSource({"--help", "eval --help", "doctor --help", "test --help", "--version"})
  void helpIsEverywhereAndExitsWithZero(String line) {
    assertThat(run(line.split(" "))).isZero();
    assertThat(out).isNotBlank();
    assertThat(err).isEmpty();
  }

  @Test
  void usageMistakesExitWithTwoAndNameTheNearestCommand() {
    assertThat(run("evl")).isEqualTo(2);
    assertThat(err).contains("Did you mean eval?").doesNotContain("\tat ");
    assertThat(run()).isEqualTo(2);
    assertThat(run("eval", "--nonsense")).isEqualTo(2);
    assertThat(run("eval", "--k", "many")).isEqualTo(2);
    assertThat(run("test")).isEqualTo(2);
    assertThat(err).contains("./panvec test");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--backend|toi|No backend \"toi\". Did you mean \"toy\"?",
        "--metric|cosin|No metric \"cosin\". Did you mean \"cosine\"?",
        "--dataset|glove|No dataset \"glove\". Did you mean \"glove-100\"? Available: embedded, glove-100, fashion-mnist-784",
        "--dataset|nowhere/x.fvecs|no such file",
        "--set|mm=3|No parameter \"mm\". Did you mean \"m\"?",
        "--set|m=1|m must be from 2 to 512, not 1",
        "--k|0|--k must be from 1",
        "--threads|0|--threads must be from 1",
        "--limit|0|--limit must be at least 1",
        "--rounds|0|--rounds must be from 1"
      })
  void wrongInputExitsWithTwoInOneLine(String option, String value, String message) {
    assertThat(run("eval", "--out", folder.toString(), option, value)).isEqualTo(2);
    assertThat(err.lines().filter(line -> line.startsWith("panvec: ")))
        .singleElement()
        .asString()
        .contains(message);
    assertThat(err).doesNotContain("\tat ");
  }

  @Test
  void aDamagedDatasetExitsWithTwoAndSaysWhere() throws IOException {
    Path file = Files.write(folder.resolve("cut.fvecs"), new byte[] {3, 0, 0, 0, 1, 2});

    assertThat(eval("--dataset", file.toString())).isEqualTo(2);
    assertThat(err).contains(file + ": cut off in row 0 at byte 0: 6 of 16 bytes");
  }

  @Test
  void debugTellsWhere() {
    assertThat(run("eval", "--debug", "--dataset", "nowhere/x.npy", "--out", folder.toString()))
        .isEqualTo(2);
    assertThat(err).contains("\tat io.github.panvec.bench");
  }

  @Test
  void evalPrintsTheTableWithExactRowsFirstAndWritesResults() throws IOException {
    assertThat(eval("--backend", "toy,toy-exact", "--threads", "2", "--set", "m=32")).isZero();

    List<String> lines = out.lines().toList();
    assertThat(lines.get(3))
        .startsWith("backend")
        .contains("recall@10", "QPS", "p50 µs", "p99 µs", "build s", "memory MiB");
    assertThat(lines.get(5)).startsWith("toy 1.0").contains("exact scan", "1.0000 ± 0.0000");
    assertThat(lines.get(6)).startsWith("toy-exact 2.0").contains("1.0000 ± 0.0000");
    assertThat(lines.get(7)).startsWith("toy 1.0").contains("m=32 efSearch=16");
    assertThat(out).contains("Nearest by", "->", "Results: " + folder.resolve("out/results.json"));
    JsonNode results = results();
    assertThat(results.path("exitCode").asInt(-1)).isZero();
    assertThat(results.path("rows")).hasSize(11);
    assertThat(results.path("rows").get(0).path("kind").asText()).isEqualTo("exact-scan");
    assertThat(results.path("rows").get(0).path("recallQueries").asInt()).isEqualTo(40);
    assertThat(results.path("rows").get(2).path("recall").asDouble()).isBetween(0.5, 0.99);
    assertThat(results.path("rows").get(2).path("timedQueries").asInt()).isPositive();
    assertThat(results.path("dataset").path("baseSha256").asText()).hasSize(64);
    assertThat(results.path("dataset").path("rows").asInt()).isEqualTo(500);
    assertThat(results.path("environment").path("cores").asInt()).isPositive();
    assertThat(results.path("backends").get(0).path("parameters").path("threads").asInt())
        .isEqualTo(2);
    assertThat(folder.resolve("out/table.txt")).content().contains("recall@10");
  }

  @Test
  void anExactRowThatMissesFailsTheRun() throws IOException {
    System.setProperty(ToyBackend.MISCHIEF, "wrong");

    assertThat(eval("--backend", "toy")).isEqualTo(1);
    assertThat(out)
        .contains("FAILED: toy exact scan is exact, but missed")
        .containsPattern("exact scan +0\\.9");
    assertThat(results().path("exitCode").asInt()).isEqualTo(1);
  }

  @Test
  void aBackendThatDoesNotLoadGetsARowWithItsReasonAndTheOthersRun() {
    System.setProperty(ToyBackend.MISCHIEF, "unavailable");

    assertThat(eval("--backend", "toy,toy-exact")).isEqualTo(1);
    assertThat(out)
        .containsPattern("(?m)^toy +not available: libtoy.so: file too short$")
        .containsPattern("(?m)^toy-exact 2.0 +exact +1.0000")
        .contains("FAILED: toy is not available");
    assertThat(eval("--backend", "toy-exact")).isZero();
    assertThat(out).doesNotContain("libtoy");
  }

  @Test
  void aBuildThatFailsGetsARowToo() {
    System.setProperty(ToyBackend.MISCHIEF, "broken-build");

    assertThat(eval("--backend", "toy,toy-exact")).isEqualTo(1);
    assertThat(out)
        .contains("its build failed: no room on purpose")
        .containsPattern("toy-exact 2.0 +exact +1.0000");
  }

  @Test
  void aMetricThatABackendLacksFailsOnlyWhenItWasAskedFor() {
    assertThat(eval("--backend", "toy,toy-exact", "--metric", "dot")).isEqualTo(1);
    assertThat(out)
        .contains("it takes [L2, COSINE], not DOT")
        .containsPattern("toy 1.0 +exact scan +1.0000");
  }

  @Test
  void groundTruthIsCachedForTheNextRun() throws IOException {
    assertThat(eval("--backend", "toy-exact")).isZero();
    assertThat(results().path("groundTruth").path("cached").asBoolean()).isFalse();
    assertThat(eval("--backend", "toy-exact")).isZero();
    assertThat(results().path("groundTruth").path("cached").asBoolean()).isTrue();
  }

  @Test
  void doctorFindsHealthyBackendsWell() {
    assertThat(run("doctor", "--backend", "toy,toy-exact", "--timeout", "120")).isZero();
    assertThat(out)
        .contains("2 of 2 backends are well", "/toy/libtoy.so", "SIMD baseline")
        .containsPattern("jdk +\\S");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "unavailable|120|does not load: libtoy.so: file too short",
        "crash|120|crashed with SIGSEGV",
        "throw|120|thrown on purpose",
        "wrong|120|loads, but the round trip failed: L2: exact search found",
        "hang|3|hung for 3 s"
      })
  void doctorNamesTheTroubleOfOneBackendAndFindsTheOtherWell(
      String mischief, String seconds, String complaint) {
    System.setProperty(ToyBackend.MISCHIEF, mischief);

    assertThat(run("doctor", "--backend", "toy,toy-exact", "--timeout", seconds)).isEqualTo(1);
    assertThat(out)
        .containsPattern("toy +FAILED")
        .contains(complaint, "1 of 2 backends are well")
        .containsPattern("toy-exact +ok");
  }
}
