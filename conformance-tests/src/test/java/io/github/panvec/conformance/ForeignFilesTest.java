package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.Hit;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.ProgressListener;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import io.github.panvec.VectorIndexException;
import io.github.panvec.WriteOptions;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Files of the engines' own: written and read again, and what is refused. */
class ForeignFilesTest {
  private static final int DIMENSION = 24;
  private static final int ROWS = 900;
  private static final long LARGE_ID = Long.MAX_VALUE - 7;

  /** Files that end within a number or a list, and much else. */
  private static final int MUTATIONS = 2;

  private static final int MANY_MUTATIONS = 60;

  private static final Subject HNSWLIB = new Subject("hnswlib", "default", Map.of());

  @TempDir Path folder;

  /** What has files of its own. */
  static Stream<Subject> kinds() {
    Map<String, Object> codesOnly = Map.of("keepVectors", "false");
    List<Subject> kinds = new ArrayList<>(List.of(HNSWLIB));
    for (String quantization : List.of("f32", "f16", "bf16", "i8")) {
      kinds.add(new Subject("usearch", quantization, Map.of("quantization", quantization)));
    }
    kinds.add(new Subject("sqlite-vec", "default", Map.of()));
    for (String type : List.of("hnsw", "flat", "ivf_flat")) {
      kinds.add(faiss(type, Map.of()));
    }
    for (String type : List.of("hnsw_sq8", "sq8", "pq", "ivf_sq8", "ivf_pq")) {
      kinds.add(faiss(type, codesOnly));
    }
    kinds.stream()
        .filter(kind -> kind.takes("keepVectors") && kind.backend().equals("usearch"))
        .map(kind -> kind.with("codes only", codesOnly))
        .toList()
        .forEach(kinds::add);
    return kinds.stream();
  }

  private static Subject faiss(String type, Map<String, Object> further) {
    Map<String, Object> parameters = new LinkedHashMap<>(further);
    parameters.put("type", type);
    Subject kind = new Subject("faiss", type, parameters);
    if (kind.learns()) {
      parameters.put("trainingRows", 400);
    }
    if (kind.takes("nlist")) {
      parameters.put("nlist", 8);
    }
    if (kind.takes("pqBits")) {
      parameters.put("pqBits", 4);
    }
    return new Subject("faiss", type, parameters);
  }

  /** Whether the file has the vectors themselves. */
  private static boolean exportsVectors(Subject kind) {
    return kind.keepsVectors() && !kind.takes("keepVectors");
  }

  /** One of each backend. */
  static Stream<Subject> backends() {
    Map<String, Subject> first = new LinkedHashMap<>();
    kinds().forEach(kind -> first.putIfAbsent(kind.backend(), kind));
    return first.values().stream();
  }

  /** One of each backend, and lists of codes. */
  static Stream<Subject> damaged() {
    return Stream.concat(backends(), kinds().filter(kind -> kind.type().equals("ivf_pq")));
  }

  /** All kinds, with the metrics in turn. */
  static Stream<Arguments> shapes() {
    List<Subject> kinds = kinds().toList();
    return IntStream.range(0, kinds.size())
        .mapToObj(
            i -> {
              List<Metric> metrics = kinds.get(i).metrics();
              return Arguments.of(kinds.get(i), metrics.get(i % metrics.size()));
            });
  }

  static Stream<Arguments> allShapes() {
    return kinds()
        .flatMap(kind -> kind.metrics().stream().map(metric -> Arguments.of(kind, metric)));
  }

  private Path file() {
    return folder.resolve("exported");
  }

  private Path snapshot() {
    return folder.resolve("imported");
  }

  /** Rows with ids that each format takes. */
  static Rows rows(Metric metric) {
    Rows rows = new Rows(metric, DIMENSION);
    for (int i = 0; i < ROWS; i++) {
      rows.put(3L * i, rows.query());
    }
    rows.put(LARGE_ID, rows.query());
    return rows;
  }

  static IndexSpec spec(Subject kind, Metric metric) {
    return kind.spec(DIMENSION, metric);
  }

  private VectorIndex importAndOpen(Subject kind, Metric metric) {
    Panvec.importFile(file(), spec(kind, metric), snapshot());
    return Panvec.open(snapshot());
  }

  private static List<SearchRequest> requests(Rows rows, boolean exact) {
    List<SearchRequest> requests = new ArrayList<>();
    for (int i = 0; i < 20; i++) {
      SearchRequest request = SearchRequest.of(rows.query(), 10);
      requests.add(exact ? request.exact() : request);
    }
    return requests;
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void whatWasExportedComesBackAsItWas(Subject kind, Metric metric) throws IOException {
    Rows rows = rows(metric);
    try (VectorIndex index = Panvec.create(spec(kind, metric))) {
      rows.addTo(index);
      index.export(file());
      assertThat(namesIn(folder)).containsExactly("exported");
      byte[] exported = Files.readAllBytes(file());
      try (VectorIndex found = importAndOpen(kind, metric)) {
        assertThat(found.ids()).isEqualTo(rows.ids());
        if (exportsVectors(kind)) {
          rows.assertUnchanged(found);
          assertAnswers(found, index, requests(rows, true));
        }
        if (exportsVectors(kind) || !kind.keepsVectors()) {
          assertAnswers(found, index, requests(rows, false));
        } else {
          assertSimilar(found, index, requests(rows, true));
        }
        found.remove(LARGE_ID);
        found.add(-5, rows.query());
        assertThat(found.size()).isEqualTo(rows.byId.size());
      }
      assertThat(Files.readAllBytes(file())).isEqualTo(exported);
      assertThat(namesIn(folder)).containsExactlyInAnyOrder("exported", "imported");
    }
  }

  private static void assertAnswers(
      VectorIndex found, VectorIndex index, List<SearchRequest> requests) {
    for (SearchRequest request : requests) {
      assertThat(found.search(request).hits()).isEqualTo(index.search(request).hits());
    }
  }

  @ParameterizedTest
  @MethodSource("allShapes")
  @Tag("nightly")
  void allOfThemComeBackAsTheyWere(Subject kind, Metric metric) throws IOException {
    whatWasExportedComesBackAsItWas(kind, metric);
  }

  @ParameterizedTest
  @MethodSource("allShapes")
  @Tag("nightly")
  void ofAllOfThemWhatWasRemovedIsNotExported(Subject kind, Metric metric) {
    whatWasRemovedIsNotExported(kind, metric);
  }

  /** Of vectors that were rounded to codes. */
  private static void assertSimilar(
      VectorIndex found, VectorIndex index, List<SearchRequest> requests) {
    long common = 0;
    for (SearchRequest request : requests) {
      List<Long> ids = index.search(request).hits().stream().map(Hit::id).toList();
      common += found.search(request).hits().stream().filter(hit -> ids.contains(hit.id())).count();
    }
    assertThat(common).isGreaterThanOrEqualTo(8 * requests.size());
  }

  @ParameterizedTest
  @MethodSource("shapes")
  void whatWasRemovedIsNotExported(Subject kind, Metric metric) {
    Rows rows = rows(metric);
    try (VectorIndex index = Panvec.create(spec(kind, metric))) {
      rows.addTo(index);
      index.removeAll(rows.every(4));
      for (long id : rows.every(4)) {
        rows.remove(id);
      }
      for (long id : rows.every(7)) {
        rows.put(id, rows.query());
        index.upsert(id, rows.byId.get(id));
      }
      index.save(folder.resolve("saved"));
      try (VectorIndex view = Panvec.view(folder.resolve("saved"))) {
        view.export(file());
      }
      index.export(file(), StandardCopyOption.REPLACE_EXISTING);
    }
    try (VectorIndex found = importAndOpen(kind, metric)) {
      assertThat(found.ids()).isEqualTo(rows.ids());
      if (!kind.backend().equals("sqlite-vec")) {
        assertThat(found.stats().dead()).isZero();
      }
      if (exportsVectors(kind)) {
        rows.assertUnchanged(found);
        for (SearchRequest request : requests(rows, true)) {
          assertThat(found.search(request).hits())
              .isEqualTo(rows.nearest(request.query().toArray(ValueLayout.JAVA_FLOAT), 10));
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void anEmptyIndexComesBack(Subject kind) {
    Metric metric = kind.any(Metric.L2);
    if (kind.learns()) {
      return;
    }
    try (VectorIndex index = Panvec.create(spec(kind, metric))) {
      index.export(file());
    }
    try (VectorIndex found = importAndOpen(kind, metric)) {
      assertThat(found.size()).isZero();
    }
  }

  @ParameterizedTest
  @MethodSource("backends")
  void anIdWithoutAPlaceInTheFormatIsNamed(Subject kind) throws IOException {
    Metric metric = kind.any(Metric.L2);
    Rows rows = rows(metric);
    rows.put(-12, rows.query());
    try (VectorIndex index = Panvec.create(spec(kind, metric))) {
      rows.addTo(index);
      if (kind.backend().equals("sqlite-vec")) {
        index.export(file());
        try (VectorIndex found = importAndOpen(kind, metric)) {
          assertThat(found.contains(-12)).isTrue();
        }
        return;
      }
      assertThatThrownBy(() -> index.export(file()))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("-12");
    }
    assertThat(namesIn(folder)).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("backends")
  void anotherFileIsReplacedOnlyWhenAsked(Subject kind) throws IOException {
    Metric metric = kind.any(Metric.L2);
    Files.writeString(file(), "mine");
    try (VectorIndex index = Panvec.create(spec(kind, metric))) {
      rows(metric).addTo(index);
      assertThatThrownBy(() -> index.export(file()))
          .isInstanceOf(ForeignFileException.class)
          .hasMessageContaining(file() + " exists already");
      assertThat(file()).hasContent("mine");
      index.export(file(), StandardCopyOption.REPLACE_EXISTING);
      assertThatThrownBy(() -> index.export(folder, StandardCopyOption.REPLACE_EXISTING))
          .isInstanceOf(ForeignFileException.class);
    }
    try (VectorIndex found = importAndOpen(kind, metric)) {
      assertThat(found.size()).isEqualTo(ROWS + 1);
    }
  }

  @ParameterizedTest
  @MethodSource("kinds")
  @Tag("nightly")
  void ofAllOfThemAnotherDimensionOrKindIsRefused(Subject kind) throws IOException {
    anotherDimensionOrKindIsRefused(kind);
  }

  @ParameterizedTest
  @MethodSource("backends")
  void anotherDimensionOrKindIsRefused(Subject kind) throws IOException {
    Metric metric = kind.any(Metric.L2);
    export(kind, metric);
    List<IndexSpec> wrong = new ArrayList<>(List.of(kind.spec(DIMENSION + 1, metric)));
    if (kind.takes("m")) {
      wrong.add(spec(kind, metric).with("m", 31));
    }
    kinds()
        .filter(other -> !other.backend().equals(kind.backend()) && other.takes(metric))
        .forEach(other -> wrong.add(spec(other, metric)));
    if (saysMetric(kind)) {
      kind.metrics().stream()
          .filter(other -> other != metric && !(isFaiss(kind) && metric == Metric.DOT))
          .forEach(other -> wrong.add(spec(kind, other)));
    }
    for (IndexSpec spec : wrong) {
      assertThatThrownBy(() -> Panvec.importFile(file(), spec, snapshot()))
          .as("%s as %s", kind, spec)
          .isInstanceOf(ForeignFileException.class)
          .hasMessageContaining(file().toString());
    }
    assertThat(namesIn(folder)).containsExactly("exported");
  }

  /** Its files know COSINE as the inner product. */
  private static boolean isFaiss(Subject kind) {
    return kind.backend().equals("faiss");
  }

  private static boolean saysMetric(Subject kind) {
    return !kind.backend().equals("hnswlib");
  }

  @Test
  void theTargetMustBeFree() throws IOException {
    Subject kind = HNSWLIB;
    export(kind, Metric.L2);
    Files.createDirectory(snapshot());
    Panvec.importFile(file(), kind.backend(), Metric.L2, snapshot());
    assertThatThrownBy(() -> Panvec.importFile(file(), kind.backend(), Metric.L2, snapshot()))
        .isInstanceOf(ForeignFileException.class)
        .hasMessageContaining("exists already");
    assertThatThrownBy(
            () -> Panvec.importFile(folder.resolve("none"), kind.backend(), Metric.L2, folder))
        .isInstanceOf(ForeignFileException.class)
        .hasMessageContaining("does not exist");
    assertThat(Panvec.describe(snapshot()).size()).isEqualTo(ROWS + 1);
  }

  @Test
  void vectorsThatAreNotOfLengthOneAreNoneOfCosine() throws IOException {
    Subject kind = HNSWLIB;
    export(kind, Metric.L2);
    assertThatThrownBy(() -> Panvec.importFile(file(), spec(kind, Metric.COSINE), snapshot()))
        .isInstanceOf(ForeignFileException.class)
        .hasMessageContaining("has length");
  }

  @ParameterizedTest
  @MethodSource("backends")
  void damagedFilesAreRefusedOrHarmless(Subject kind) throws IOException {
    mutate(kind, MUTATIONS);
  }

  @ParameterizedTest
  @MethodSource("damaged")
  @Tag("nightly")
  void moreDamagedFilesAreRefusedOrHarmless(Subject kind) throws IOException {
    mutate(kind, MANY_MUTATIONS);
  }

  @ParameterizedTest
  @MethodSource("backendNames")
  void damagedFilesCrashNotEvenTheProcessThatReadsThem(String backend) throws Exception {
    readDamaged(backend, 150);
  }

  @ParameterizedTest
  @MethodSource("backendNames")
  @Tag("nightly")
  void aThousandDamagedFilesCrashNotEvenTheProcessThatReadsThem(String backend) throws Exception {
    readDamaged(backend, 1000);
  }

  /** In one process that is there to crash, and where an import takes milliseconds. */
  private void readDamaged(String backend, int count) throws Exception {
    String said =
        ChildJvm.run(
            folder,
            List.of(),
            List.of("-Xmx512m", "-XX:+UseSerialGC"),
            DamagedImportProgram.class,
            backend,
            folder.toString(),
            Integer.toString(count));
    System.out.println("damaged files of the engines' own, " + said);
    assertThat(said).endsWith("survived");
  }

  static Stream<String> backendNames() {
    return backends().map(Subject::backend);
  }

  private void mutate(Subject kind, int count) throws IOException {
    Metric metric = kind.any(Metric.L2);
    byte[] whole = export(kind, metric);
    RandomGenerator random = TestVectors.random();
    Rows rows = rows(metric);
    int taken = 0;
    for (int i = 0; i < count; i++) {
      Mutation mutation = Mutation.of(whole, random, i);
      Files.write(file(), mutation.bytes());
      String what = mutation.what();
      Path made = folder.resolve("imported-" + i);
      try {
        Panvec.importFile(file(), spec(kind, metric), made);
        try (VectorIndex found = Panvec.open(made)) {
          for (SearchRequest request : requests(rows, false)) {
            found.search(request);
          }
        }
        taken++;
      } catch (VectorIndexException refused) {
        assertThat(refused).as(what).hasMessageContaining(file().toString());
        assertThat(refused.getMessage()).as(what).doesNotContain("ended with status");
        assertThat(made).as(what).doesNotExist();
      }
    }
    System.out.println(kind + ": " + count + " damaged files, " + taken + " taken");
  }

  private byte[] export(Subject kind, Metric metric) throws IOException {
    try (VectorIndex index = Panvec.create(spec(kind, metric))) {
      rows(metric).addTo(index);
      index.export(file());
    }
    return Files.readAllBytes(file());
  }

  /** Rows that are dead are left out of a copy, which takes its time. */
  @Test
  @Timeout(120)
  void anExportWaitsForNobodyWhoWaitsForIt() throws Exception {
    Rows rows = new Rows(Metric.L2, DIMENSION);
    for (int i = 0; i < 6_000; i++) {
      rows.put(i, rows.query());
    }
    try (VectorIndex index = Panvec.create(spec(HNSWLIB, Metric.L2))) {
      rows.addTo(index);
      index.remove(5);
      List<Long> heard = new ArrayList<>();
      ProgressListener exports =
          (done, total) -> {
            index.export(folder.resolve("heard-" + heard.size()));
            heard.add(done);
          };
      index.addAll(
          MemorySegment.ofArray(new long[] {7_000}),
          MemorySegment.ofArray(rows.query()),
          WriteOptions.defaults().progress(exports));
      assertThat(heard).isNotEmpty();
      index.remove(7_000);
      index.save(folder.resolve("saved"));
    }
    int exported = 0;
    for (int round = 0; round < 8; round++) {
      VectorIndex index = Panvec.open(folder.resolve("saved"));
      Path target = folder.resolve("beside-" + round);
      CompletableFuture<Boolean> export =
          CompletableFuture.supplyAsync(
              () -> {
                try {
                  index.export(target);
                  return true;
                } catch (IllegalStateException closed) {
                  return false;
                }
              });
      Thread.sleep(round % 4);
      index.close();
      exported += export.get() ? 1 : 0;
      assertThat(Files.exists(target)).isEqualTo(export.get());
    }
    assertThat(exported).isPositive();
  }

  @Test
  void aDatabaseIsNotReplacedUnderItself() throws IOException {
    Subject kind = new Subject("sqlite-vec", "default", Map.of());
    Path database = folder.resolve("live.db");
    Path link = Files.createSymbolicLink(folder.resolve("link.db"), database);
    IndexSpec spec = spec(kind, Metric.L2);
    try (VectorIndex index = Panvec.create(spec.with("path", database.toString()));
        VectorIndex other = Panvec.create(spec)) {
      rows(Metric.L2).addTo(index);
      for (VectorIndex each : List.of(index, other)) {
        assertThatThrownBy(() -> each.export(database, StandardCopyOption.REPLACE_EXISTING))
            .isInstanceOf(ForeignFileException.class)
            .hasMessageContaining(database.toString());
      }
      assertThatThrownBy(() -> index.export(link, StandardCopyOption.REPLACE_EXISTING))
          .isInstanceOf(ForeignFileException.class)
          .hasMessageContaining(link.toString());
      index.remove(0);
      assertThat(index.size()).isEqualTo(ROWS);
    }
    try (VectorIndex index = Panvec.create(spec.with("path", database.toString()))) {
      assertThat(index.size()).isEqualTo(ROWS);
    }
  }

  @Test
  void whatIsNoFileIsNotReadForEver() throws Exception {
    Path pipe = folder.resolve("pipe");
    assumeTrue(new ProcessBuilder("mkfifo", pipe.toString()).start().waitFor() == 0);
    assertThatThrownBy(() -> Panvec.importFile(pipe, "hnswlib", Metric.L2, snapshot()))
        .isInstanceOf(ForeignFileException.class)
        .hasMessageContaining(pipe + " is a device or a pipe");
  }

  @Test
  void hnswlibsDeletedRowsAreLeftOut() throws IOException {
    Subject kind = HNSWLIB;
    byte[] bytes = export(kind, Metric.L2);
    int stride = (2 * 16 + 1) * 4 + DIMENSION * 4 + 8;
    for (int slot : new int[] {0, 5, 77}) {
      bytes[96 + slot * stride + 2] = 1;
    }
    // A label that two rows have, of which one is deleted.
    bytes[96 + 6 * stride - 8] = bytes[96 + 7 * stride - 8];
    Files.write(file(), bytes);
    try (VectorIndex found = importAndOpen(kind, Metric.L2)) {
      assertThat(found.size()).isEqualTo(ROWS + 1 - 3);
      assertThat(found.contains(0)).isFalse();
      assertThat(found.contains(15)).isFalse();
      assertThat(found.contains(18)).isTrue();
      assertThat(found.stats().dead()).isEqualTo(3);
    }
    bytes[96 + 5 * stride + 2] = 0;
    Files.write(file(), bytes);
    assertThatThrownBy(
            () -> Panvec.importFile(file(), spec(kind, Metric.L2), folder.resolve("twice")))
        .isInstanceOf(ForeignFileException.class)
        .hasMessageContaining("several vectors of id 18");
  }

  @Test
  void linksThatLeadNowhereAreFound() throws IOException {
    Subject kind = HNSWLIB;
    byte[] bytes = export(kind, Metric.L2);
    bytes[96 + 4 + 3] = 0x40;
    Files.write(file(), bytes);
    assertThatThrownBy(() -> Panvec.importFile(file(), spec(kind, Metric.L2), snapshot()))
        .isInstanceOf(CorruptIndexException.class)
        .hasMessageContaining(file() + ": has a link to ");
  }

  private static List<String> namesIn(Path directory) throws IOException {
    try (Stream<Path> files = Files.list(directory)) {
      return files.map(path -> path.getFileName().toString()).toList();
    }
  }
}
