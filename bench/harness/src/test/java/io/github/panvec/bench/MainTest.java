package io.github.panvec.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

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
  @CsvSource({
    "--help",
    "eval --help",
    "doctor --help",
    "conformance --help",
    "soak --help",
    "test --help",
    "--version"
  })
  void helpIsEverywhereAndExitsWithZero(String line) {
    assertThat(run(line.split(" "))).isZero();
    assertThat(out).isNotBlank();
    assertThat(err).isEmpty();
  }

  @Test
  void usageMistakesExitWithTwoAndNameTheNearestCommand() {
    assertThat(run("evl")).isEqualTo(2);
    assertThat(err).contains("Did you mean eval?").doesNotContain("\tat ");
    assertThat(run("conformence")).isEqualTo(2);
    assertThat(err).contains("Did you mean conformance");
    assertThat(run("soke")).isEqualTo(2);
    assertThat(err).contains("Did you mean soak");
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
        "--dataset|glove|No dataset \"glove\". Did you mean \"glove-100\"? Available: embedded,"
            + " glove-100, fashion-mnist-784",
        "--dataset|nowhere/x.fvecs|no such file",
        "--set|mm=3|No parameter \"mm\". Did you mean \"m\"?",
        "--set|m=1|m must be from 2 to 512, not 1",
        "--set|type=list|faiss: No type \"list\". Available: hnsw, hnsw_sq8,",
        "--set|keepVectors=no|No keepVectors \"no\"",
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
  void aKindThatDoesNotExistIsRefusedWithTheNearest() {
    assertThat(run("eval", "--backend", "toy-kinds", "--set", "type=list")).isEqualTo(2);
    assertThat(err)
        .contains(
            "toy-kinds: No type \"list\". Did you mean \"lists\"? Available: flat, graph, lists,"
                + " lists_code, code");
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
    assertThat(lines.get(3)).isEqualTo("");
    assertThat(lines.get(2)).isEqualTo("toy 1.0 (baseline), toy-exact 2.0 (baseline)");
    assertThat(lines.get(4))
        .startsWith("index")
        .contains("recall@10", "QPS", "p50 µs", "p99 µs", "build s", "memory MiB", "recall/MiB");
    assertThat(lines.get(6)).matches("toy +exact scan +1.0000 ± 0.0000 .*");
    assertThat(lines.get(7)).matches("toy-exact +exact +1.0000 ± 0.0000 .*");
    assertThat(lines.get(8)).matches("toy +m=32 efSearch=16 .*");
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
    assertThat(results.path("indexes").get(0).path("parameters").path("threads").asInt())
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
        .containsPattern("(?m)^toy-exact +exact +1.0000")
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
        .containsPattern("toy-exact +exact +1.0000");
  }

  @Test
  void aMetricThatABackendLacksFailsOnlyWhenItWasAskedFor() {
    assertThat(eval("--backend", "toy,toy-exact", "--metric", "dot")).isEqualTo(1);
    assertThat(out)
        .contains("it takes [L2, COSINE], not DOT")
        .containsPattern("toy +exact scan +1.0000");
  }

  private JsonNode row(String index, String setting, int value) throws IOException {
    for (JsonNode row : results().path("rows")) {
      if (row.path("index").asText().equals(index) && row.path(setting).asInt(-1) == value) {
        return row;
      }
    }
    throw new AssertionError("no row of " + index + " with " + setting + "=" + value);
  }

  @Test
  void everyTypeOfIndexHasRowsAndEveryBackendOneExactScan() throws IOException {
    assertThat(eval("--backend", "toy,toy-kinds")).isZero();

    assertThat(out)
        .containsPattern("(?m)^toy +exact scan")
        .containsPattern("(?m)^toy-kinds flat +exact +1.0000")
        .containsPattern("(?m)^toy-kinds graph +exact scan +1.0000")
        .doesNotContainPattern("(?m)^toy-kinds (lists|code).* exact scan")
        .containsPattern("(?m)^toy-kinds graph +m=16 efSearch=200")
        .containsPattern("(?m)^toy-kinds lists +nlist=32 nprobe=8")
        .containsPattern("(?m)^toy-kinds lists_code +nlist=32 nprobe=4 refineFactor=16")
        .containsPattern("(?m)^toy-kinds code +refineFactor=1 ")
        .containsPattern("(?m)^toy-kinds code codes only  ");
    assertThat(row("toy-kinds code", "refineFactor", 16).path("recall").asDouble())
        .isGreaterThan(row("toy-kinds code", "refineFactor", 1).path("recall").asDouble());
    assertThat(row("toy-kinds lists", "nprobe", 8).path("recall").asDouble())
        .isGreaterThan(row("toy-kinds lists", "nprobe", 1).path("recall").asDouble());
    assertThat(results().path("backends")).hasSize(2);
    assertThat(results().path("indexes")).hasSize(8);
  }

  @Test
  void whatIsNotGoodEnoughAtAnyEffortIsNamed() {
    assertThat(eval("--backend", "toy-kinds", "--set", "nprobe=1", "--set", "efSearch=200"))
        .isZero();
    assertThat(out)
        .contains("no row reaches a recall of 0.95: toy-kinds lists, toy-kinds lists_code\n");
    assertThat(eval("--backend", "toy-kinds", "--set", "type=lists")).isZero();
    assertThat(out).doesNotContain("no row reaches");
  }

  @Test
  void recallPerMiBIsRecallOverNativeMemory() throws IOException {
    assertThat(eval("--backend", "toy-kinds", "--set", "type=code")).isZero();

    JsonNode kept = row("toy-kinds code", "refineFactor", 16);
    // 500 rows of 100 components: 4 bytes each, and one of code.
    assertThat(kept.path("nativeBytes").asLong()).isEqualTo(250_000);
    assertThat(kept.path("recallPerMiB").asDouble())
        .isCloseTo(kept.path("recall").asDouble() * 1_048_576 / 250_000, within(1e-9));
    assertThat(out)
        .containsPattern("toy-kinds code +refineFactor=16 +1.0000.* 0.238 +4.19\\n")
        .contains("recall/MiB: recall divided by it");
  }

  @Test
  void exactAnswersOfAllHaveOneFingerprintAndApproximateHitsTheirDistances() throws IOException {
    assertThat(eval("--backend", "toy,toy-exact,toy-kinds")).isZero();

    String one = "858a6167abb2c17b917f95fb965f529237549fac1edd1eec8d2ca3f7b851b61e";
    assertThat(out)
        .contains(
            "fingerprint: one for 3 backends (sha256 "
                + one
                + "), 7 index types in all, and for plain Java\n")
        .containsPattern("distances: all [0-9,]+ of approximate hits are bit-equal to exact");
    JsonNode block = results().path("fingerprint");
    assertThat(block.path("sha256").asText()).isEqualTo(one);
    assertThat(block.path("byIndex"))
        .hasSize(7)
        .allSatisfy(each -> assertThat(each.asText()).isEqualTo(one));
    assertThat(block.path("byIndex").has("toy-kinds code")).isTrue();
    assertThat(block.path("byIndex").has("toy-kinds code codes only")).isFalse();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "exact-bits:lists|FAILED: toy-kinds lists: its exact answers differ from plain Java's:"
            + " query 0, hit 9 is id",
        "filter:code|FAILED: toy-kinds code: its exact answers differ from plain Java's: query 0"
            + " among 5 listed ids, hit 0 is id",
        "wrong:lists_code|FAILED: toy-kinds lists_code: exact search missed 40 true neighbours of"
            + " 40 queries"
      })
  void oneTypeWhoseExactAnswersDifferFailsTheRunAndIsNamed(String mischief, String complaint)
      throws IOException {
    System.setProperty(ToyBackend.MISCHIEF, mischief);

    assertThat(eval("--backend", "toy,toy-kinds")).isEqualTo(1);
    String name = "toy-kinds " + mischief.substring(mischief.indexOf(':') + 1);
    assertThat(out).contains(complaint, "fingerprint: NOT one: " + name + " differs");
    assertThat(results().path("fingerprint").path("one").asBoolean(true)).isFalse();
  }

  @Test
  void anApproximateHitWithAnotherDistanceThanExactSearchHasFailsTheRun() {
    System.setProperty(ToyBackend.MISCHIEF, "bits:graph");

    assertThat(eval("--backend", "toy-kinds")).isEqualTo(1);
    assertThat(out)
        .containsPattern(
            "FAILED: toy-kinds graph efSearch=16: query \\d+: id \\d+ came back at .* but exact"
                + " search has it at")
        .contains(
            "fingerprint: one for 1 backend ",
            "distances: NOT those of exact search: toy-kinds graph\n")
        .containsPattern("(?m)^toy-kinds graph +m=16 efSearch=16 +0");
  }

  @Test
  void codesOnlyAreNotHeldToExactDistances() throws IOException {
    assertThat(eval("--backend", "toy-kinds", "--set", "type=code", "--set", "keepVectors=false"))
        .isZero();
    assertThat(out).contains("fingerprint: none, because no index of this run can answer exactly");
    assertThat(results().path("rows").get(0).path("distancesChecked").asLong(-1)).isZero();
  }

  @Test
  void aMetricThatATypeLacksLeavesItOutAndIsRefusedWhenItWasAskedFor() {
    assertThat(eval("--backend", "toy-kinds", "--metric", "l2")).isZero();
    assertThat(out)
        .containsPattern("(?m)^toy-kinds code +type=code takes \\[.*\\], not L2$")
        .containsPattern("(?m)^toy-kinds lists ");
    assertThat(eval("--backend", "toy-kinds", "--metric", "l2", "--set", "type=code")).isEqualTo(2);
    assertThat(err).contains("panvec: toy-kinds code: type=code takes");
  }

  @Test
  void aParameterThatNoChosenIndexTakesIsRefusedWithWhatTakesIt() {
    assertThat(eval("--backend", "toy-kinds", "--set", "type=lists", "--set", "m=3")).isEqualTo(2);
    assertThat(err)
        .contains("none of the chosen indexes takes m: toy-kinds takes it only with type=graph");
    assertThat(eval("--backend", "toy-kinds", "--set", "nlist=13")).isEqualTo(2);
    assertThat(err).contains("toy-kinds lists: nlist must not be 13");
  }

  @Test
  void theListTellsWhatIsMeasuredAndWhatParametersApplyTo() {
    assertThat(run("eval", "--list", "--backend", "toy-kinds", "--set", "type=code")).isZero();
    assertThat(out)
        .contains(
            "toy-kinds 3.0\n",
            "    toy-kinds code codes only\n",
            "m (2 .. 512, default 16, only for type=graph): neighbours per node")
        .doesNotContain("toy-kinds lists");
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
        .doesNotContain("tried")
        .containsPattern("jdk +\\S");
  }

  @Test
  void doctorTriesEveryTypeAndSaysWhichOneIsIll() {
    assertThat(run("doctor", "--backend", "toy-kinds", "--timeout", "120")).isZero();
    assertThat(out)
        .contains(
            "tried flat, graph, lists, lists_code, lists_code codes only, code, code codes only",
            "toySimd abacus");
    System.setProperty(ToyBackend.MISCHIEF, "wrong:lists");

    assertThat(run("doctor", "--backend", "toy-kinds", "--timeout", "120")).isEqualTo(1);
    assertThat(out).contains("round trip failed: toy-kinds lists, L2: exact search found");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "unavailable|120|does not load: libtoy.so: file too short",
        "crash|120|crashed with SIGSEGV",
        "throw|120|thrown on purpose",
        "wrong|120|loads, but the round trip failed: toy, L2: exact search found",
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

  @Test
  void doctorRefusesWhatIsNoFlightFileInOneLine() throws IOException {
    Path file = Files.writeString(folder.resolve("other"), "of another kind");

    assertThat(run("doctor", "--post-mortem", file.toString())).isEqualTo(2);
    assertThat(err).isEqualTo("panvec: " + file + " is no flight file\n");
    assertThat(out).isEmpty();
    assertThat(run("doctor", "--post-mortem", folder.resolve("none").toString())).isEqualTo(2);
    assertThat(run("doctor", "--post-mortem", file.toString(), "--calls", "-1")).isEqualTo(2);
    assertThat(run("doctor", "--post-mortem", file.toString(), "--backend", "toy")).isEqualTo(2);
  }
}
