package io.github.panvec.bench;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.VectorIndex;
import io.github.panvec.bench.toy.ToyBackend;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code build}, {@code query}, {@code inspect} and {@code verify}. */
class SnapshotCommandsTest {
  private static final float[][] ROWS = {{1, 0, 0}, {0, 1, 0}, {4, 3, 0}, {0, 0, 2}, {1, 1, 1}};

  @TempDir private Path folder;
  private Path snapshot;
  private Path input;
  private String out = "";
  private String err = "";

  @BeforeEach
  void files() throws IOException {
    System.setProperty("panvec.cache", folder.resolve("cache").toString());
    snapshot = folder.resolve("chunks.panvec");
    input = fvecs("rows.fvecs", ROWS);
  }

  @AfterEach
  void behave() {
    System.clearProperty("panvec.cache");
    System.clearProperty(ToyBackend.MISCHIEF);
  }

  private Path fvecs(String name, float[]... rows) throws IOException {
    ByteBuffer bytes =
        ByteBuffer.allocate(rows.length * (4 + 4 * rows[0].length)).order(ByteOrder.LITTLE_ENDIAN);
    for (float[] row : rows) {
      bytes.putInt(row.length);
      for (float component : row) {
        bytes.putFloat(component);
      }
    }
    return Files.write(folder.resolve(name), bytes.array());
  }

  private int run(Object... args) {
    StringWriter outText = new StringWriter();
    StringWriter errText = new StringWriter();
    int status =
        Main.run(
            new PrintWriter(outText),
            new PrintWriter(errText),
            false,
            Arrays.stream(args).map(Object::toString).toArray(String[]::new));
    out = outText.toString();
    err = errText.toString();
    return status;
  }

  private int build(Object... more) {
    List<Object> args = new ArrayList<>(List.of("build", "--input", input, "--out", snapshot));
    args.addAll(List.of(more));
    if (!args.contains("--backend")) {
      args.addAll(List.of("--backend", "toy"));
    }
    return run(args.toArray());
  }

  private String complaint() {
    List<String> lines = err.lines().filter(line -> line.startsWith("panvec: ")).toList();
    assertThat(lines).as(err).hasSize(1);
    assertThat(err).doesNotContain("\tat ");
    return lines.get(0);
  }

  private Map<String, String> tree() throws IOException {
    Map<String, String> tree = new TreeMap<>();
    try (Stream<Path> paths = Files.walk(folder)) {
      for (Path path : paths.filter(Files::isRegularFile).toList()) {
        tree.put(
            folder.relativize(path).toString(),
            new String(Files.readAllBytes(path), StandardCharsets.ISO_8859_1));
      }
    }
    return tree;
  }

  // ---------------------------------------------------------------------------------- all of them

  @ParameterizedTest
  @CsvSource({"build, bild", "query, qery", "inspect, inspekt", "verify, verfy"})
  void eachHasHelpAndIsWhatAMisspeltOneIsTakenFor(String command, String misspelt) {
    assertThat(run(command, "--help")).isZero();
    assertThat(out).startsWith("Usage: panvec " + command);
    assertThat(err).isEmpty();
    assertThat(run(misspelt)).isEqualTo(2);
    assertThat(err).contains("Did you mean " + command);
  }

  @ParameterizedTest
  @CsvSource({
    "hnswlib, efSearch=64",
    "usearch, quantization=f16",
    "faiss, type=flat",
    "faiss, type=ivf_flat",
    "sqlite-vec, busyTimeoutMs=1000"
  })
  void everyEngineIsBuiltAskedInspectedAndVerified(String backend, String parameter)
      throws IOException {
    float[][] rows = new float[400][];
    Random random = new Random(11);
    for (int i = 0; i < rows.length; i++) {
      rows[i] = new float[] {random.nextFloat(), random.nextFloat(), random.nextFloat()};
    }
    fvecs("rows.fvecs", rows);
    assertThat(build("--backend", backend, "--set", parameter, "--metric", "l2")).as(err).isZero();
    SnapshotManifest manifest = Panvec.describe(snapshot);
    assertThat(manifest.size()).isEqualTo(rows.length);
    if (parameter.equals("type=ivf_flat")) {
      assertThat(manifest.parameters()).containsEntry("expectedRows", 400L);
    }
    assertThat(run("query", snapshot, "--queries", input, "-k", "1", "--exact")).as(err).isZero();
    String inMemory = out;
    assertThat(inMemory.lines().toList())
        .isEqualTo(
            IntStream.range(0, rows.length)
                .mapToObj(row -> "query " + row + ": " + row + " at 0.0")
                .toList());
    assertThat(run("query", snapshot, "--queries", input, "-k", "1", "--exact", "--view")).isZero();
    assertThat(out).isEqualTo(inMemory);
    assertThat(run("inspect", snapshot, "--view")).as(err).isZero();
    assertThat(out).contains("backend      " + backend + " ").containsPattern("(?m)^view +opened");
    assertThat(run("verify", snapshot)).isZero();
    for (SnapshotManifest.Entry entry : manifest.files()) {
      Path file = snapshot.resolve(entry.path());
      byte[] bytes = Files.readAllBytes(file);
      int bit = random.nextInt(8 * bytes.length);
      bytes[bit / 8] ^= (byte) (1 << bit % 8);
      Files.write(file, bytes);
      assertThat(run("verify", snapshot)).as("%s, bit %d", file, bit).isEqualTo(1);
      assertThat(out).contains("FAILED  " + file + ": its CRC-32C is ");
      bytes[bit / 8] ^= (byte) (1 << bit % 8);
      Files.write(file, bytes);
    }
    assertThat(run("verify", snapshot)).isZero();
  }

  // ---------------------------------------------------------------------------------------- build

  @Test
  void buildSavesEveryRowUnderItsNumber() {
    assertThat(build("--metric", "l2", "--set", "m=32")).as(err).isZero();
    assertThat(out)
        .startsWith(snapshot + ": generation 1, toy 1.0, 5 vectors x 3, L2\n")
        .containsPattern("built in [0-9.]+ s, saved in [0-9.]+ s: 2 files, 100 bytes\n");
    try (VectorIndex index = Panvec.open(snapshot)) {
      assertThat(index.ids()).containsExactly(0, 1, 2, 3, 4);
      for (int row = 0; row < ROWS.length; row++) {
        assertThat(index.get(row)).hasValue(ROWS[row]);
      }
      assertThat(index.spec().parameters()).containsEntry("m", 32L);
    }
  }

  @Test
  void theMetricIsCosineUnlessTheInputOrTheCallerSaysOtherwise() {
    assertThat(build()).isZero();
    assertThat(Panvec.describe(snapshot).metric()).isEqualTo(Metric.COSINE);
    assertThat(build("--metric", "DOT")).isZero();
    assertThat(Panvec.describe(snapshot).metric()).isEqualTo(Metric.DOT);
  }

  @Test
  void anotherBuildIsTheNextGeneration() {
    assertThat(build()).isZero();
    assertThat(build("--rows", "2")).isZero();
    assertThat(out).contains("generation 2, toy 1.0, 2 vectors x 3, COSINE");
    assertThat(Panvec.describe(snapshot).size()).isEqualTo(2);
  }

  @Test
  void idsComeFromATextFileOrANumpyArray() throws IOException {
    long[] ids = {7, -1, Long.MAX_VALUE, Long.MIN_VALUE, 0};
    Path text = folder.resolve("ids.txt");
    Files.write(text, Arrays.stream(ids).mapToObj(Long::toString).toList());
    byte[] header =
        "\u0093NUMPY\u0001\u0000\u003d\u0000{'descr': '<i8', 'fortran_order': False, 'shape': (5,), }  \n"
            .getBytes(StandardCharsets.ISO_8859_1);
    header[8] = (byte) (header.length - 10);
    ByteBuffer npy =
        ByteBuffer.allocate(header.length + 8 * ids.length).order(ByteOrder.LITTLE_ENDIAN);
    npy.put(header);
    Arrays.stream(ids).forEach(npy::putLong);
    Path numpy = Files.write(folder.resolve("ids.npy"), npy.array());
    for (Path file : List.of(text, numpy)) {
      assertThat(build("--ids", file, "--metric", "l2")).as(err).isZero();
      try (VectorIndex index = Panvec.open(snapshot)) {
        assertThat(index.ids()).containsExactly(Long.MIN_VALUE, -1, 0, 7, Long.MAX_VALUE);
        for (int row = 0; row < ROWS.length; row++) {
          assertThat(index.get(ids[row])).hasValue(ROWS[row]);
        }
      }
    }
    assertThat(build("--ids", text, "--rows", "2")).isZero();
    try (VectorIndex index = Panvec.open(snapshot)) {
      assertThat(index.ids()).containsExactly(-1, 7);
    }
  }

  @Test
  void aSetByNameIsBuiltOfItsBaseAndAskedWithItsQueries() {
    input = Path.of("embedded");
    assertThat(build("--rows", "100")).as(err).isZero();
    assertThat(out).contains("100 vectors x 100, COSINE");
    assertThat(run("query", snapshot, "--queries", "embedded", "-k", "1")).as(err).isZero();
    assertThat(out.lines()).hasSize(1000);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--backend toi|No backend \"toi\". Did you mean \"toy\"?",
        "--set mm=3|Did you mean \"m\"?",
        "--set m=1|m must be from 2 to 512, not 1",
        "--set path=x|the index is built in memory",
        "--backend toy-kinds --set type=flat --set m=3|takes m only with type=graph",
        "--metric cosin|Did you mean \"cosine\"?",
        "--rows 0|--rows must be at least 1",
        "--ids NOWHERE|NOWHERE: no such file",
        "--ids SHORT|SHORT: holds 2 ids, the input has 5 rows",
        "--ids TWICE|TWICE: id 4 is that of rows 1 and 3",
        "--ids WORDS|WORDS: line 2: \"two\" is no whole number of 64 bits",
        "--ids INPUT|INPUT: holds no ids",
        "--out FILE|FILE is a file",
        "--out NOWHERE/below|NOWHERE is no directory",
        "--out HOLIDAY|HOLIDAY is no snapshot: it holds photo"
      })
  void whatCannotBeBuiltIsRefusedInOneLineAndWritesNothing(String options, String message)
      throws IOException {
    Files.writeString(folder.resolve("SHORT"), "1\n2\n");
    Files.writeString(folder.resolve("TWICE"), "3\n4\n5\n4\n6\n");
    Files.writeString(folder.resolve("WORDS"), "1\ntwo\n");
    Files.writeString(folder.resolve("FILE"), "text");
    Files.createDirectory(folder.resolve("HOLIDAY"));
    Files.writeString(folder.resolve("HOLIDAY/photo"), "sun");
    Map<String, String> before = tree();
    List<Object> args = new ArrayList<>();
    for (String word : options.split(" ")) {
      args.add(
          word.matches("[A-Z]+(/below)?")
              ? folder.resolve(word.replace("INPUT", "rows.fvecs"))
              : word);
    }
    if (options.startsWith("--out")) {
      args.addAll(0, List.of("build", "--backend", "toy", "--input", input));
      assertThat(run(args.toArray())).isEqualTo(2);
    } else {
      assertThat(build(args.toArray())).isEqualTo(2);
    }
    assertThat(complaint()).contains(message.replace("INPUT", "rows.fvecs"));
    assertThat(out).isEmpty();
    assertThat(tree()).isEqualTo(before);
  }

  @Test
  void aRowThatNoIndexTakesIsNamedByItsPlaceInTheFile() throws IOException {
    fvecs("rows.fvecs", ROWS[0], ROWS[1], new float[] {1, Float.NaN, 1});
    assertThat(build()).isEqualTo(2);
    assertThat(complaint()).isEqualTo("panvec: " + input + ": row 2, component 1 (byte 40) is NaN");
    fvecs("rows.fvecs", ROWS[0], new float[3]);
    assertThat(build()).isEqualTo(2);
    assertThat(complaint()).contains("row 1, component 0 (byte 20): the whole row is zero");
    assertThat(build("--metric", "l2")).isZero();
  }

  @Test
  void aBuildThatFailsLeavesTheSnapshotThatWasThere() throws IOException {
    assertThat(build()).isZero();
    Map<String, String> before = tree();
    System.setProperty(ToyBackend.MISCHIEF, "broken-build");
    assertThat(build()).isEqualTo(1);
    assertThat(complaint()).startsWith("panvec: failed: no room on purpose");
    assertThat(tree()).isEqualTo(before);
  }

  @Test
  void aBackendWithoutSnapshotsIsRefusedBeforeAnythingIsBuilt() throws IOException {
    assertThat(build("--backend", "toy-exact")).isEqualTo(2);
    assertThat(complaint()).isEqualTo("panvec: toy-exact has no snapshots");
    assertThat(Files.exists(snapshot)).isFalse();
  }

  // ---------------------------------------------------------------------------------------- query

  @Test
  void queryPrintsTheHitsOfEachQueryNearestFirst() throws IOException {
    assertThat(build("--metric", "l2")).isZero();
    Path queries = fvecs("queries.fvecs", new float[] {1, 0, 0}, new float[] {0, 0, 3});
    for (List<Object> how : List.<List<Object>>of(List.of(), List.of("--view"))) {
      List<Object> args =
          new ArrayList<>(List.of("query", snapshot, "--queries", queries, "-k", "2", "--exact"));
      args.addAll(how);
      assertThat(run(args.toArray())).as(err).isZero();
      assertThat(out)
          .isEqualTo("query 0: 0 at 0.0, 1 at 1.4142135\nquery 1: 3 at 1.0, 4 at 2.4494898\n");
      assertThat(err).containsPattern("searched for 2 vectors in [0-9.]+ s, opened in [0-9.]+ s");
    }
  }

  @Test
  void queryKeepsToTheFilter() throws IOException {
    assertThat(build("--metric", "l2")).isZero();
    Path queries = fvecs("queries.fvecs", new float[] {1, 0, 0});
    assertThat(run("query", snapshot, "--queries", queries, "--exact", "--filter", "2..3"))
        .isZero();
    assertThat(out).isEqualTo("query 0: 3 at 2.236068, 2 at 4.2426405\n");
    assertThat(run("query", snapshot, "--queries", queries, "--exact", "--filter", "-9..-3"))
        .isZero();
    assertThat(out).isEqualTo("query 0: nothing\n");
  }

  @Test
  void queryPrintsJsonThatHasTheSameHits() throws IOException {
    float[][] many = new float[700][];
    Random random = new Random(7);
    for (int i = 0; i < many.length; i++) {
      many[i] = new float[] {random.nextFloat(), random.nextFloat(), random.nextFloat()};
    }
    fvecs("rows.fvecs", many);
    assertThat(build()).isZero();
    assertThat(run("query", snapshot, "--queries", input, "-k", "3", "--json")).as(err).isZero();
    JsonNode json = new ObjectMapper().readTree(out);
    assertThat(json.path("backend").asText()).isEqualTo("toy");
    assertThat(json.path("generation").asInt()).isEqualTo(1);
    assertThat(json.path("k").asInt()).isEqualTo(3);
    assertThat(json.path("exact").asBoolean(true)).isFalse();
    assertThat(json.path("filter").isNull()).isTrue();
    assertThat(json.path("openMillis").isNumber()).isTrue();
    assertThat(json.path("results")).hasSize(many.length);
    try (VectorIndex index = Panvec.open(snapshot)) {
      for (int query = 0; query < many.length; query++) {
        JsonNode result = json.path("results").get(query);
        assertThat(result.path("query").asInt()).isEqualTo(query);
        SearchResult expected = index.search(SearchRequest.of(many[query], 3));
        for (int rank = 0; rank < 3; rank++) {
          JsonNode hit = result.path("hits").get(rank);
          assertThat(hit.path("id").asLong()).isEqualTo(expected.id(rank));
          assertThat((float) hit.path("distance").asDouble()).isEqualTo(expected.distance(rank));
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "-k 0|-k must be from 1 to 1048576, not 0",
        "-k many|'many' is not an int",
        "--filter 3|--filter must be LO..HI, as 0..999, not 3",
        "--filter 5..3|--filter 5..3: ",
        "--filter 1..99999999999999999999|--filter 1..99999999999999999999: ",
        "--queries NOWHERE.fvecs|NOWHERE.fvecs: no such file",
        "--queries WIDE|its rows have dimension 4, those of",
        "--queries NAN|NAN.fvecs: row 0, component 2 (byte 12) is NaN"
      })
  void whatCannotBeAskedIsRefusedInOneLine(String options, String message) throws IOException {
    assertThat(build()).isZero();
    Path nan = fvecs("NAN.fvecs", new float[] {1, 1, Float.NaN});
    Path wide = fvecs("WIDE.fvecs", new float[4]);
    List<Object> args = new ArrayList<>(List.of("query", snapshot));
    for (String word : options.split(" ")) {
      args.add(word.equals("NAN") ? nan : word.equals("WIDE") ? wide : word);
    }
    if (!args.contains("--queries")) {
      args.addAll(List.of("--queries", input));
    }
    assertThat(run(args.toArray())).isEqualTo(2);
    assertThat(complaint()).contains(message);
    assertThat(out).isEmpty();
  }

  @Test
  void onlyViewAsksForAView() throws IOException {
    assertThat(build()).isZero();
    System.setProperty(ToyBackend.MISCHIEF, "no-views");
    assertThat(run("query", snapshot, "--queries", input)).isZero();
    assertThat(run("inspect", snapshot)).isZero();
    for (List<Object> command :
        List.<List<Object>>of(
            List.of("query", snapshot, "--queries", input, "--view"),
            List.of("inspect", snapshot, "--view"))) {
      assertThat(run(command.toArray())).isEqualTo(2);
      assertThat(complaint()).isEqualTo("panvec: no views on purpose");
      assertThat(out).isEmpty();
    }
  }

  // -------------------------------------------------------------------------------------- inspect

  @Test
  void inspectSaysWhatTheManifestSays() {
    assertThat(build("--set", "m=32")).isZero();
    assertThat(run("inspect", snapshot)).isZero();
    SnapshotManifest manifest = Panvec.describe(snapshot);
    assertThat(out)
        .containsPattern("(?m)^snapshot +" + snapshot + "$")
        .containsPattern("(?m)^generation +1, format 1$")
        .containsPattern("(?m)^backend +toy 1.0$")
        .containsPattern("(?m)^parameters +efSearch=64 m=32 threads=1$")
        .containsPattern("(?m)^dimension +3, COSINE$")
        .containsPattern("(?m)^vectors +5$")
        .containsPattern("(?m)^details +none$")
        .containsPattern("(?m)^files +2 files, 100 bytes$")
        .containsPattern("(?m)^ +1/ids +40 bytes  CRC-32C [0-9a-f]{8}$")
        .containsPattern(
            "(?m)^ +1/rows +60 bytes  CRC-32C %08x$".formatted(manifest.files().get(1).crc32c()))
        .doesNotContain("opened");
    assertThat(err).isEmpty();
  }

  @Test
  void inspectPrintsJson() throws IOException {
    assertThat(build()).isZero();
    assertThat(run("inspect", snapshot, "--json", "--view")).isZero();
    JsonNode json = new ObjectMapper().readTree(out);
    assertThat(json.path("backend").asText()).isEqualTo("toy");
    assertThat(json.path("metric").asText()).isEqualTo("COSINE");
    assertThat(json.path("size").asInt()).isEqualTo(5);
    assertThat(json.path("parameters").path("m").asInt()).isEqualTo(16);
    assertThat(json.path("bytes").asInt()).isEqualTo(100);
    assertThat(json.path("files").get(1).path("path").asText()).isEqualTo("1/rows");
    assertThat(json.path("files").get(1).path("bytes").asInt()).isEqualTo(60);
    assertThat(json.path("view").path("openMillis").asDouble()).isPositive();
    assertThat(json.path("view").path("nativeBytes").asInt()).isEqualTo(60);
    assertThat(run("inspect", snapshot, "--json")).isZero();
    assertThat(new ObjectMapper().readTree(out).has("view")).isFalse();
  }

  @Test
  void inspectTellsWhatAViewTakes() {
    assertThat(build()).isZero();
    assertThat(run("inspect", snapshot, "--view")).isZero();
    assertThat(out)
        .containsPattern("(?m)^view +opened in [0-9.]+ ms, sizes verified; [0-9.]+ ms the first")
        .containsPattern("(?m)^native +60 bytes held by it \\(12.0 bytes a vector\\)$")
        .containsPattern("(?m)^resident +(\\S+ (bytes|MiB) more memory |not known)");
  }

  @Test
  void inspectVerifiesSizesAlone() throws IOException {
    assertThat(build()).isZero();
    Path file = snapshot.resolve("1/rows");
    byte[] bytes = Files.readAllBytes(file);
    bytes[7] ^= 1;
    Files.write(file, bytes);
    assertThat(run("inspect", snapshot, "--view")).isZero();
    Files.write(file, Arrays.copyOf(bytes, 59));
    assertThat(run("inspect", snapshot, "--view")).isEqualTo(1);
    assertThat(complaint())
        .startsWith("panvec: failed: " + file + ": has 59 bytes; the manifest says 60");
  }

  @Test
  void inspectNeedsNeitherTheLibraryNorTheBackend() throws IOException {
    assertThat(build()).isZero();
    System.setProperty(ToyBackend.MISCHIEF, "crash");
    assertThat(run("inspect", snapshot)).isZero();
    assertThat(run("verify", snapshot)).isZero();
  }

  // --------------------------------------------------------------------------------------- verify

  @Test
  void verifyFindsWhatWasSavedWell() {
    assertThat(build()).isZero();
    assertThat(run("verify", snapshot)).isZero();
    assertThat(out)
        .startsWith(snapshot + ": generation 1, toy 1.0, 5 vectors x 3, COSINE\n")
        .containsPattern("(?m)^1/ids +ok +40 bytes$")
        .containsPattern("(?m)^1/rows +ok +60 bytes$")
        .endsWith("2 of 2 files are well\n");
  }

  @Test
  void verifyNamesTheFileWithOneFlippedBitAndExitsWithOne() throws IOException {
    assertThat(build()).isZero();
    Random random = new Random(3);
    for (String name : List.of("1/ids", "1/rows")) {
      Path file = snapshot.resolve(name);
      byte[] good = Files.readAllBytes(file);
      for (int i = 0; i < 20; i++) {
        byte[] bytes = good.clone();
        bytes[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
        Files.write(file, bytes);
        assertThat(run("verify", snapshot)).isEqualTo(1);
        assertThat(out)
            .containsPattern(
                "(?m)^" + name + " +FAILED +" + file + ": its CRC-32C is [0-9a-f]{8}; the manifest")
            .endsWith("1 of 2 files are well\n");
        assertThat(Files.readAllBytes(file)).isEqualTo(bytes);
      }
      Files.write(file, good);
    }
    assertThat(run("verify", snapshot)).isZero();
  }

  @Test
  void verifyNamesEveryFileThatIsWrong() throws IOException {
    assertThat(build()).isZero();
    Files.write(snapshot.resolve("1/ids"), new byte[39]);
    Files.delete(snapshot.resolve("1/rows"));
    assertThat(run("verify", snapshot)).isEqualTo(1);
    assertThat(out)
        .contains(
            snapshot.resolve("1/ids") + ": has 39 bytes; the manifest says 40\n",
            snapshot.resolve("1/rows") + ": missing; the manifest lists it with 60 bytes\n")
        .endsWith("0 of 2 files are well\n");
  }

  @Test
  void aDamagedManifestIsNamedByAllOfThem() throws IOException {
    assertThat(build()).isZero();
    Path manifest = snapshot.resolve("manifest.json");
    Files.writeString(manifest, Files.readString(manifest).replace("toy", "tay"));
    for (List<Object> command :
        List.<List<Object>>of(
            List.of("verify", snapshot),
            List.of("inspect", snapshot),
            List.of("query", snapshot, "--queries", input))) {
      assertThat(run(command.toArray())).isEqualTo(1);
      assertThat(complaint()).startsWith("panvec: failed: " + manifest + ": its CRC-32C is ");
      assertThat(out).isEmpty();
    }
    assertThat(build()).isEqualTo(2);
    assertThat(complaint()).startsWith("panvec: --out: " + manifest + ": its CRC-32C is ");
  }

  @Test
  void aDamagedFileIsNotSearched() throws IOException {
    assertThat(build()).isZero();
    byte[] bytes = Files.readAllBytes(snapshot.resolve("1/rows"));
    bytes[17] ^= 1;
    Files.write(snapshot.resolve("1/rows"), bytes);
    for (List<Object> how : List.<List<Object>>of(List.of(), List.of("--view"))) {
      List<Object> args = new ArrayList<>(List.of("query", snapshot, "--queries", input));
      args.addAll(how);
      assertThat(run(args.toArray())).isEqualTo(1);
      assertThat(complaint())
          .startsWith("panvec: failed: " + snapshot.resolve("1/rows") + ": its CRC-32C is ");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"verify", "inspect", "query"})
  void whatIsNoSnapshotIsWrongInput(String command) throws IOException {
    Path empty = Files.createDirectory(folder.resolve("empty"));
    Path missing = folder.resolve("missing");
    Map<Path, String> complaints =
        Map.of(
            empty, empty + " is no snapshot: it has no manifest.json",
            missing, missing + " does not exist",
            input, input + " is a file; a snapshot is a directory");
    for (Map.Entry<Path, String> each : complaints.entrySet()) {
      List<Object> args = new ArrayList<>(List.of(command, each.getKey()));
      if (command.equals("query")) {
        args.addAll(List.of("--queries", input));
      }
      assertThat(run(args.toArray())).isEqualTo(2);
      assertThat(complaint()).isEqualTo("panvec: " + each.getValue());
    }
    assertThat(run(command)).isEqualTo(2);
    assertThat(err).contains("Missing required", "DIR");
  }
}
