package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.Hit;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Files go both ways between Panvec and the engines' own Python packages, after deletes too. Into a
 * virtual environment of its own, or one that {@code -Dpanvec.test.python=FOLDER} names and that is
 * kept.
 */
@Tag("nightly")
class PythonFilesTest {
  private static final List<String> PACKAGES =
      List.of("faiss-cpu==1.12.0", "usearch==2.26.2", "hnswlib==0.8.0", "sqlite-vec==0.1.9");

  private static final int DIMENSION = 24;
  private static final int ROWS = 1200;
  private static final int QUERIES = 25;
  private static final int K = 10;

  @TempDir static Path environment;
  private static Path python;

  @TempDir Path folder;

  /**
   * A kind of index and what Python calls it.
   *
   * @param python name and, where it has several, kind
   * @param lossy whether it ranks by codes
   * @param removes whether Python can remove rows from it
   */
  private record Kind(
      String python,
      String backend,
      Map<String, Object> parameters,
      boolean lossy,
      boolean removes) {
    IndexSpec spec(Metric metric) {
      IndexSpec spec = IndexSpec.of(backend, DIMENSION, metric);
      for (Map.Entry<String, Object> parameter : parameters.entrySet()) {
        spec = spec.with(parameter.getKey(), parameter.getValue());
      }
      return spec;
    }

    @Override
    public String toString() {
      return python;
    }
  }

  private static Kind usearch(String type, boolean lossy) {
    return new Kind("usearch " + type, "usearch", Map.of("quantization", type), lossy, true);
  }

  private static Kind faiss(
      String factory, Map<String, Object> parameters, boolean lossy, boolean removes) {
    return new Kind("faiss " + factory, "faiss", parameters, lossy, removes);
  }

  static Stream<Arguments> kinds() {
    List<Kind> kinds =
        List.of(
            new Kind("hnswlib", "hnswlib", Map.of(), false, true),
            usearch("f32", false),
            usearch("f16", true),
            usearch("bf16", true),
            usearch("i8", true),
            new Kind("sqlite-vec", "sqlite-vec", Map.of(), false, true),
            faiss("IDMap,Flat", Map.of("type", "flat"), false, true),
            faiss("IDMap,HNSW16", Map.of("type", "hnsw"), false, false),
            faiss(
                "IVF8,Flat",
                Map.of("type", "ivf_flat", "nlist", 8, "trainingRows", 400),
                false,
                true),
            faiss("IDMap,HNSW16_SQ8", codes("hnsw_sq8", Map.of()), true, false),
            faiss("IDMap,SQ8", codes("sq8", Map.of()), true, true),
            faiss("IDMap,PQ12x8", codes("pq", Map.of("pqM", 12)), true, true),
            faiss("IVF8,SQ8", codes("ivf_sq8", Map.of("nlist", 8)), true, true),
            faiss("IVF8,PQ12x8", codes("ivf_pq", Map.of("nlist", 8, "pqM", 12)), true, true));
    List<Arguments> all = new ArrayList<>();
    for (Kind kind : kinds) {
      for (Metric metric : Metric.values()) {
        boolean onlyCosine = kind.python().equals("usearch i8");
        boolean knowsNoDot = kind.backend().equals("sqlite-vec") && metric == Metric.DOT;
        if (!(onlyCosine && metric != Metric.COSINE) && !knowsNoDot) {
          all.add(Arguments.of(kind, metric));
        }
      }
    }
    return all.stream();
  }

  private static Map<String, Object> codes(String type, Map<String, Object> further) {
    Map<String, Object> all = new HashMap<>(further);
    all.put("type", type);
    all.put("keepVectors", "false");
    all.put("trainingRows", 600);
    return all;
  }

  @BeforeAll
  static void install() throws Exception {
    String given = System.getProperty("panvec.test.python", "");
    Path home = given.isEmpty() ? environment.resolve("python") : Path.of(given);
    python = home.resolve("bin").resolve("python");
    if (!Files.exists(python)) {
      Path log = environment.resolve("log");
      assumeTrue(
          run(log, "python3", "-m", "venv", home.toString()) == 0,
          () -> "python3 cannot make a virtual environment: " + read(log));
    }
    install(PACKAGES);
    String takesExtensions = "import sqlite3; sqlite3.Connection.enable_load_extension";
    if (run(environment.resolve("log"), python.toString(), "-c", takesExtensions) != 0) {
      install(List.of("pysqlite3-binary==0.5.4.post2"));
    }
  }

  private static void install(List<String> packages) throws Exception {
    Path log = environment.resolve("pip");
    List<String> pip =
        new ArrayList<>(List.of(python.toString(), "-m", "pip", "install", "--quiet"));
    pip.addAll(packages);
    assumeTrue(
        run(log, pip.toArray(String[]::new)) == 0,
        () -> "pip cannot install " + packages + ": " + read(log));
  }

  private static int run(Path log, String... command) throws IOException, InterruptedException {
    Process process;
    try {
      process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
    } catch (IOException missing) {
      Files.writeString(log, missing.getMessage());
      return -1;
    }
    if (!process.waitFor(10, TimeUnit.MINUTES)) {
      process.destroyForcibly();
      return -1;
    }
    return process.exitValue();
  }

  private static String read(Path log) {
    try {
      return Files.readString(log).strip();
    } catch (IOException unreadable) {
      return unreadable.toString();
    }
  }

  // --------------------------------------------------------------------------------------- there

  @ParameterizedTest
  @MethodSource("kinds")
  void pythonReadsWhatIsExported(Kind kind, Metric metric) throws Exception {
    Rows rows = rows(metric);
    List<float[]> queries = queries(rows);
    try (VectorIndex index = Panvec.create(kind.spec(metric))) {
      rows.addTo(index);
      long[] gone = rows.every(5);
      index.removeAll(gone);
      for (long id : gone) {
        rows.remove(id);
      }
      write(rows, new long[0], queries);
      index.export(file());
      if (kind.backend().equals("sqlite-vec") && metric == Metric.DOT) {
        return;
      }
      assertAgree(kind, expected(rows, queries), exchange("read", kind, metric));
    }
  }

  // ---------------------------------------------------------------------------------------- back

  @ParameterizedTest
  @MethodSource("kinds")
  void whatPythonWroteIsImported(Kind kind, Metric metric) throws Exception {
    Rows rows = rows(metric);
    List<float[]> queries = queries(rows);
    long[] gone = kind.removes() ? rows.every(5) : new long[0];
    write(rows, gone, queries);
    List<Set<Long>> theirs = exchange("write", kind, metric);
    for (long id : gone) {
      rows.remove(id);
    }
    byte[] before = Files.readAllBytes(file());
    Panvec.importFile(file(), kind.backend(), metric, folder.resolve("imported"));
    assertThat(Files.readAllBytes(file())).isEqualTo(before);
    try (VectorIndex found = Panvec.open(folder.resolve("imported"));
        VectorIndex view = Panvec.view(folder.resolve("imported"))) {
      assertThat(found.ids()).isEqualTo(rows.ids());
      boolean exact = !found.capabilities().codesOnly();
      for (VectorIndex each : List.of(found, view)) {
        List<Set<Long>> ours = new ArrayList<>();
        List<Set<Long>> walked = new ArrayList<>();
        for (float[] query : queries) {
          SearchRequest request = SearchRequest.of(query, K);
          walked.add(ids(each.search(request)));
          ours.add(exact ? ids(each.search(request.exact())) : walked.get(walked.size() - 1));
        }
        assertAgree(kind, theirs, ours);
        assertThat(common(theirs, walked))
            .isGreaterThanOrEqualTo(QUERIES * K * (kind.lossy() ? 6 : 9) / 10);
      }
    }
  }

  private static Rows rows(Metric metric) {
    Rows rows = new Rows(metric, DIMENSION);
    for (int i = 0; i < ROWS; i++) {
      rows.put(7L * i + (i % 2 == 0 ? 0 : 1L << 40), rows.query());
    }
    return rows;
  }

  private static List<float[]> queries(Rows rows) {
    return Stream.generate(rows::query).limit(QUERIES).toList();
  }

  private Path file() {
    return folder.resolve("file");
  }

  private static List<Set<Long>> expected(Rows rows, List<float[]> queries) {
    return queries.stream()
        .map(
            query ->
                (Set<Long>) new HashSet<>(rows.nearest(query, K).stream().map(Hit::id).toList()))
        .toList();
  }

  private static Set<Long> ids(SearchResult result) {
    return new HashSet<>(result.hits().stream().map(Hit::id).toList());
  }

  private static int common(List<Set<Long>> some, List<Set<Long>> others) {
    int common = 0;
    for (int i = 0; i < some.size(); i++) {
      Set<Long> both = new HashSet<>(some.get(i));
      both.retainAll(others.get(i));
      common += both.size();
    }
    return common;
  }

  private static void assertAgree(Kind kind, List<Set<Long>> some, List<Set<Long>> others) {
    if (kind.lossy()) {
      // Codes are not vectors: eight bits of a part of two components tell least.
      assertThat(common(some, others)).isGreaterThanOrEqualTo(QUERIES * K * 6 / 10);
    } else {
      assertThat(others).isEqualTo(some);
    }
  }

  private void write(Rows rows, long[] removed, List<float[]> queries) throws IOException {
    Files.writeString(folder.resolve("dimension.txt"), String.valueOf(DIMENSION));
    Files.write(folder.resolve("rows.f32"), bytes(rows.flat()));
    Files.write(
        folder.resolve("queries.f32"), bytes(TestVectors.flat(queries.toArray(float[][]::new))));
    Files.write(folder.resolve("ids.i64"), bytes(rows.ids()));
    Files.write(folder.resolve("removed.i64"), bytes(removed));
  }

  private static byte[] bytes(float[] numbers) {
    ByteBuffer buffer = ByteBuffer.allocate(numbers.length * 4).order(ByteOrder.LITTLE_ENDIAN);
    buffer.asFloatBuffer().put(numbers);
    return buffer.array();
  }

  private static byte[] bytes(long[] numbers) {
    ByteBuffer buffer = ByteBuffer.allocate(numbers.length * 8).order(ByteOrder.LITTLE_ENDIAN);
    buffer.asLongBuffer().put(numbers);
    return buffer.array();
  }

  private List<Set<Long>> exchange(String what, Kind kind, Metric metric) throws Exception {
    Path script = folder.resolve("exchange.py");
    try (InputStream source = PythonFilesTest.class.getResourceAsStream("exchange.py")) {
      Files.write(script, source.readAllBytes());
    }
    Path log = folder.resolve("log");
    int status =
        run(
            log,
            python.toString(),
            script.toString(),
            what,
            kind.python(),
            metric.name(),
            file().toString(),
            folder.toString());
    assertThat(status).as(read(log)).isZero();
    long[] hits = new long[QUERIES * K];
    ByteBuffer.wrap(Files.readAllBytes(folder.resolve("hits.i64")))
        .order(ByteOrder.LITTLE_ENDIAN)
        .asLongBuffer()
        .get(hits);
    List<Set<Long>> found = new ArrayList<>();
    for (int i = 0; i < QUERIES; i++) {
      Set<Long> ids = new HashSet<>();
      Arrays.stream(hits, i * K, (i + 1) * K).forEach(ids::add);
      found.add(ids);
    }
    return found;
  }
}
