package io.github.panvec.sqlitevec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexStats;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.ReadOnlyIndexException;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.VectorIndex;
import io.github.panvec.VectorIndexException;
import io.github.panvec.Verify;
import io.github.panvec.WriteOptions;
import io.github.panvec.snapshot.FileOperations;
import io.github.panvec.snapshot.SnapshotContent;
import io.github.panvec.snapshot.SnapshotContents;
import io.github.panvec.snapshot.SnapshotWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** An index that is saved, opened and viewed. */
@Timeout(120)
class SqliteVecSnapshotTest {
  private static final int DIMENSION = 12;

  @TempDir Path folder;
  private final Random random = Rows.random("SqliteVecSnapshotTest");

  private Path snapshot() {
    return folder.resolve("saved 100%?mode=rw#x&y.panvec");
  }

  private VectorIndex create(Metric metric, boolean inFile) {
    return inFile
        ? Rows.open(metric, DIMENSION, folder.resolve("live.db"))
        : Panvec.create(Rows.spec(metric, DIMENSION));
  }

  private float[] vector() {
    float[] vector = new float[DIMENSION];
    for (int i = 0; i < DIMENSION; i++) {
      vector[i] = (float) random.nextGaussian();
    }
    return vector;
  }

  /** Rows that were added, replaced and removed. */
  private void fill(VectorIndex index, int count) {
    Rows rows = Rows.random(random, index.spec().metric(), DIMENSION, count, -100);
    index.addAll(rows.ids, rows.vectors);
    index.removeAll(LongStream.range(-50, count / 3).toArray());
    for (int i = 0; i < 20; i++) {
      index.upsert(random.nextInt(count), vector());
      index.remove(random.nextInt(count));
    }
    index.upsert(Long.MIN_VALUE, vector());
    index.upsert(Long.MAX_VALUE, vector());
  }

  /** What is live, and the answers to some searches. */
  private record Content(
      Map<Long, List<Float>> rows,
      long dead,
      List<List<Rows.Expected>> nearest,
      List<List<Rows.Expected>> filtered) {

    static Content of(VectorIndex index, float[] queries) {
      Map<Long, List<Float>> rows = new TreeMap<>();
      for (long id : index.ids()) {
        rows.put(id, boxed(index.get(id).orElseThrow()));
      }
      assertThat(index.size()).isEqualTo(rows.size());
      IdFilter even = IdFilter.matching(id -> id % 2 == 0);
      return new Content(
          rows,
          index.stats().dead(),
          index.searchAll(queries, 30).stream().map(Rows::of).toList(),
          index.searchAll(SearchRequest.of(queries, 10).filter(even)).stream()
              .map(Rows::of)
              .toList());
    }

    private static List<Float> boxed(float[] row) {
      List<Float> boxed = new ArrayList<>();
      for (float component : row) {
        boxed.add(component);
      }
      return boxed;
    }
  }

  private float[] queries() {
    return Rows.random(random, Metric.L2, DIMENSION, 5, 0).vectors;
  }

  /** Every file beneath {@code directory}, by its path. */
  private static Map<String, byte[]> files(Path directory) {
    try (Stream<Path> all = Files.walk(directory)) {
      Map<String, byte[]> files = new TreeMap<>();
      for (Path file : all.filter(Files::isRegularFile).toList()) {
        files.put(
            directory.relativize(file).toString().replace('\\', '/'), Files.readAllBytes(file));
      }
      return files;
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  private static SnapshotSource inMemory(Path directory, UnaryOperator<MemorySegment> each) {
    Map<String, MemorySegment> files = new HashMap<>();
    files(directory)
        .forEach((name, bytes) -> files.put(name, each.apply(MemorySegment.ofArray(bytes))));
    return SnapshotSource.of(files);
  }

  @ParameterizedTest
  @CsvSource({"L2,true", "L2,false", "COSINE,true", "COSINE,false", "DOT,true", "DOT,false"})
  void whatIsSavedIsOpenedAndViewedBitForBit(Metric metric, boolean inFile) {
    float[] queries = queries();
    Content content;
    SnapshotManifest saved;
    try (VectorIndex index = create(metric, inFile)) {
      fill(index, 3000);
      content = Content.of(index, queries);
      saved = index.save(snapshot());
    }
    assertThat(saved.size()).isEqualTo(content.rows().size());
    assertThat(saved.dead()).isEqualTo(content.dead());
    // Neither where it lives nor what depends on the machine.
    assertThat(saved.parameters()).isEmpty();
    assertThat(Panvec.describe(snapshot())).isEqualTo(saved);
    assertThat(files(snapshot()).keySet())
        .containsExactly("1/database.sqlite", "1/files", "lock", "manifest.json");

    try (VectorIndex opened = Panvec.open(snapshot())) {
      assertThat(Content.of(opened, queries)).isEqualTo(content);
      assertThat(opened.stats().details()).containsEntry("journalMode", "memory");
    }
    try (VectorIndex view = Panvec.view(snapshot())) {
      assertThat(Content.of(view, queries)).isEqualTo(content);
      assertThat(view.stats().diskBytes()).isEqualTo(saved.bytes());
    }
    try (VectorIndex view = Panvec.view(snapshot(), Verify.SIZES);
        Arena arena = Arena.ofShared()) {
      assertThat(Content.of(view, queries)).isEqualTo(content);
      UnaryOperator<MemorySegment> copied =
          heap -> arena.allocate(heap.byteSize() + 1, 1).asSlice(1).copyFrom(heap);
      for (SnapshotSource source :
          List.of(inMemory(snapshot(), heap -> heap), inMemory(snapshot(), copied))) {
        try (VectorIndex opened = Panvec.open(source);
            VectorIndex viewed = Panvec.view(source, Verify.FULL)) {
          assertThat(Content.of(opened, queries)).isEqualTo(content);
          assertThat(Content.of(viewed, queries)).isEqualTo(content);
          assertThat(viewed.stats().diskBytes()).isZero();
        }
      }
    }
    assertThat(files(snapshot()).keySet())
        .containsExactly("1/database.sqlite", "1/files", "lock", "manifest.json");
  }

  @ParameterizedTest
  @EnumSource
  void whatWasOpenedIsWrittenToAndSavedAgain(Metric metric) {
    float[] queries = queries();
    try (VectorIndex index = create(metric, true)) {
      fill(index, 1000);
      index.save(snapshot());
    }
    for (int generation = 2; generation < 6; generation++) {
      Content content;
      try (VectorIndex opened = Panvec.open(snapshot())) {
        Content before = Content.of(opened, queries);
        fillMore(opened);
        opened.compact();
        content = Content.of(opened, queries);
        assertThat(content.rows()).isNotEqualTo(before.rows());
        assertThat(opened.save(snapshot()).generation()).isEqualTo(generation);
      }
      try (VectorIndex view = Panvec.view(snapshot())) {
        assertThat(Content.of(view, queries)).isEqualTo(content);
      }
      assertThat(files(snapshot())).containsKey(generation + "/database.sqlite").hasSize(4);
    }
  }

  private void fillMore(VectorIndex index) {
    for (int i = 0; i < 30; i++) {
      index.upsert(random.nextInt(2000), vector());
      index.remove(random.nextInt(2000));
    }
  }

  @Test
  void equalIndexesAreEqualFiles() {
    try (VectorIndex index = create(Metric.COSINE, false)) {
      fill(index, 2000);
      SnapshotManifest first = index.save(snapshot());
      SnapshotManifest second = index.save(folder.resolve("second"));
      assertThat(second.files()).isEqualTo(first.files());
      try (VectorIndex opened = Panvec.open(snapshot());
          VectorIndex view = Panvec.view(snapshot())) {
        assertThat(opened.save(folder.resolve("third")).files()).isEqualTo(first.files());
        assertThat(view.save(folder.resolve("fourth")).files()).isEqualTo(first.files());
      }
    }
  }

  @Test
  void aViewKeepsItsGenerationWhileLaterOnesAreSaved() {
    float[] queries = queries();
    try (VectorIndex index = create(Metric.L2, false)) {
      fill(index, 1000);
      Content content = Content.of(index, queries);
      index.save(snapshot());
      try (VectorIndex view = Panvec.view(snapshot(), Verify.SIZES)) {
        for (int i = 0; i < 3; i++) {
          fillMore(index);
          index.save(snapshot());
          assertThat(Content.of(view, queries)).isEqualTo(content);
        }
        assertThat(files(snapshot())).containsKeys("1/database.sqlite", "4/database.sqlite");
      }
      index.save(snapshot());
      assertThat(files(snapshot())).containsKey("5/database.sqlite").hasSize(4);
    }
  }

  @Test
  void aViewMayBeSavedToWhereItLies() {
    float[] queries = queries();
    try (VectorIndex index = create(Metric.DOT, false)) {
      fill(index, 500);
      index.save(snapshot());
    }
    try (VectorIndex view = Panvec.view(snapshot())) {
      Content content = Content.of(view, queries);
      assertThat(view.save(snapshot()).generation()).isEqualTo(2);
      assertThat(Content.of(view, queries)).isEqualTo(content);
      try (VectorIndex second = Panvec.view(snapshot())) {
        assertThat(Content.of(second, queries)).isEqualTo(content);
      }
    }
  }

  /** A writer moves one row after the other from id i to id -i: there is always one of the two. */
  @ParameterizedTest
  @CsvSource({"L2,true", "L2,false", "DOT,true", "DOT,false"})
  void aSaveIsOfOneStateWhileOthersWriteAndSearch(Metric metric, boolean inFile) throws Exception {
    int count = 4000;
    AtomicBoolean done = new AtomicBoolean();
    AtomicReference<Throwable> failure = new AtomicReference<>();
    try (VectorIndex index = create(metric, inFile)) {
      Rows rows = Rows.random(random, metric, DIMENSION, count, 1);
      index.addAll(rows.ids, rows.vectors);
      CountDownLatch begun = new CountDownLatch(2);
      Thread writer =
          start(
              failure,
              () -> {
                for (int i = 0; !done.get(); i = (i + 1) % count) {
                  long id = rows.ids[i];
                  boolean isPositive = index.contains(id);
                  long[] both = {isPositive ? -id : id, 1_000_000 + id};
                  float[] twice = new float[2 * DIMENSION];
                  System.arraycopy(rows.row(i), 0, twice, 0, DIMENSION);
                  System.arraycopy(rows.row(i), 0, twice, DIMENSION, DIMENSION);
                  index.addAll(both, twice);
                  index.removeAll(isPositive ? id : -id, 1_000_000 + id);
                  begun.countDown();
                }
              });
      Thread searcher =
          start(
              failure,
              () -> {
                while (!done.get()) {
                  assertThat(index.search(vector(), 10).count()).isEqualTo(10);
                  begun.countDown();
                }
              });
      begun.await();
      for (int i = 0; i < 5; i++) {
        SnapshotManifest saved = index.save(snapshot());
        try (VectorIndex view = Panvec.view(snapshot())) {
          assertThat(view.size()).isEqualTo(saved.size());
          long[] ids = view.ids();
          assertThat(ids).hasSize((int) saved.size());
          // Between add and remove there are two more rows, together.
          boolean between = LongStream.of(ids).anyMatch(id -> id > 1_000_000);
          assertThat(ids).hasSize(between ? count + 2 : count);
          assertThat(LongStream.of(ids).filter(id -> id < 1_000_000).map(Math::abs).distinct())
              .hasSize(count);
        }
      }
      done.set(true);
      writer.join();
      searcher.join();
    }
    assertThat(failure.get()).isNull();
  }

  private static Thread start(AtomicReference<Throwable> failure, Runnable work) {
    return Thread.ofPlatform()
        .start(
            () -> {
              try {
                work.run();
              } catch (Throwable thrown) {
                failure.compareAndSet(null, thrown);
              }
            });
  }

  @ParameterizedTest
  @CsvSource({"true", "false"})
  void closeWaitsForASave(boolean inFile) throws Exception {
    AtomicReference<Throwable> failure = new AtomicReference<>();
    CountDownLatch writing = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    SqliteVecIndex index = (SqliteVecIndex) bare(inFile);
    fill(index, 500);
    SnapshotWriter writer =
        new SnapshotWriter(
            snapshot(),
            SteppedDisk.before(
                () -> {
                  writing.countDown();
                  await(goOn);
                }));
    Thread save = start(failure, () -> index.save(writer));
    await(writing);
    Thread close = start(failure, index::close);
    while (close.getState() == Thread.State.NEW || close.getState() == Thread.State.RUNNABLE) {
      Thread.onSpinWait();
    }
    assertThatThrownBy(index::size).isInstanceOf(IllegalStateException.class);
    goOn.countDown();
    save.join();
    close.join();
    assertThat(failure.get()).isNull();
    try (VectorIndex opened = Panvec.open(snapshot())) {
      assertThat(opened.size()).isPositive();
    }
    assertThatThrownBy(() -> index.save(snapshot())).isInstanceOf(IllegalStateException.class);
  }

  private VectorIndex bare(boolean inFile) {
    SqliteVecBackend backend = new SqliteVecBackend();
    try (VectorIndex resolved = create(Metric.L2, inFile)) {
      return backend.create(resolved.spec());
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      latch.await();
    } catch (InterruptedException interrupted) {
      throw new AssertionError(interrupted);
    }
  }

  @Test
  void aViewIsReadOnly() {
    try (VectorIndex index = create(Metric.L2, false)) {
      fill(index, 300);
      index.save(snapshot());
    }
    Map<String, byte[]> before = files(snapshot());
    try (VectorIndex view = Panvec.view(snapshot())) {
      float[] row = new float[DIMENSION];
      for (Runnable write :
          List.<Runnable>of(
              () -> view.add(7_000, row),
              () -> view.upsert(7_000, row),
              () -> view.addAll(new long[] {7_000}, row),
              () -> view.upsertAll(new long[] {7_000}, row),
              () -> view.remove(1),
              () -> view.removeAll(),
              () -> view.train(row),
              view::compact,
              () -> view.compact(WriteOptions.defaults()))) {
        assertThatThrownBy(write::run)
            .isInstanceOf(UnsupportedOperationException.class)
            .hasMessage(
                "a view of a snapshot is read-only; Panvec.open gives an index that can be written"
                    + " to");
      }
      IdFilter prepared = view.prepare(IdFilter.matching(id -> id % 3 == 0));
      assertThat(view.search(SearchRequest.of(row, 5).filter(prepared)).count()).isEqualTo(5);
      SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 10);
      view.search(SearchRequest.of(row, 10), buffer);
      assertThat(buffer.count()).isEqualTo(10);
    }
    assertThat(files(snapshot()).keySet()).isEqualTo(before.keySet());
    before.forEach((name, bytes) -> assertThat(files(snapshot()).get(name)).isEqualTo(bytes));
  }

  @Test
  void aClosedViewIsClosed() {
    try (VectorIndex index = create(Metric.L2, false)) {
      index.add(1, vector());
      index.save(snapshot());
    }
    VectorIndex view = Panvec.view(snapshot());
    view.close();
    view.close();
    assertThatThrownBy(view::size).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aViewTakesLittleMemoryAndNoDescriptors() throws Exception {
    int count = 100_000;
    try (VectorIndex index = create(Metric.L2, false)) {
      Rows rows = Rows.random(random, Metric.L2, DIMENSION, count, 0);
      index.addAll(rows.ids, rows.vectors);
      index.save(snapshot());
    }
    try (VectorIndex view = Panvec.view(snapshot())) {
      AtomicReference<Throwable> failure = new AtomicReference<>();
      List<Thread> threads =
          Stream.generate(
                  () ->
                      start(
                          failure,
                          () -> {
                            for (int i = 0; i < 10; i++) {
                              view.search(vector(), 20);
                              view.ids();
                            }
                          }))
              .limit(8)
              .collect(Collectors.toList());
      for (Thread thread : threads) {
        thread.join();
      }
      assertThat(failure.get()).isNull();
      IndexStats stats = view.stats();
      assertThat(stats.nativeBytes()).isBetween(1L, 24L * count);
      assertThat(stats.details()).containsEntry("fileDescriptors", 0);
    }
  }

  @Test
  void anEmptyIndexIsSaved() {
    for (Metric metric : Metric.values()) {
      Path each = folder.resolve(metric.name());
      try (VectorIndex index = create(metric, false)) {
        assertThat(index.save(each).size()).isZero();
      }
      try (VectorIndex opened = Panvec.open(each);
          VectorIndex view = Panvec.view(each)) {
        assertThat(view.search(vector(), 3).count()).isZero();
        assertThat(view.ids()).isEmpty();
        opened.add(1, vector());
        assertThat(opened.search(vector(), 3).count()).isEqualTo(1);
      }
    }
  }

  /** What the manifest says is changed, with a checksum that is right. */
  @Test
  void aManifestThatContradictsTheDatabaseIsRefused() throws Exception {
    try (VectorIndex index = create(Metric.L2, false)) {
      fill(index, 100);
      index.save(snapshot());
    }
    byte[] database = Files.readAllBytes(snapshot().resolve("1/database.sqlite"));
    long size = Panvec.describe(snapshot()).size();
    assertRefused(database, Metric.COSINE, DIMENSION, size, 0, "metric L2", "metric COSINE");
    assertRefused(database, Metric.L2, 13, size, 0, "dimension 12", "dimension 13");
    assertRefused(database, Metric.L2, DIMENSION, size + 1, 0, size + " rows", "" + (size + 1));
    assertRefused(new byte[0], Metric.L2, DIMENSION, size, 0, "0 bytes");
    byte[] otherApplication = database.clone();
    otherApplication[70] ^= 1;
    assertRefused(otherApplication, Metric.L2, DIMENSION, size, 0, "application_id");
    byte[] otherFormat = database.clone();
    otherFormat[60] = 9;
    assertRefused(otherFormat, Metric.L2, DIMENSION, size, 0, "format 9");
    Path none = folder.resolve("none");
    write(none, Metric.L2, DIMENSION, 0, 0, "other", database);
    assertThatThrownBy(() -> Panvec.open(none))
        .isInstanceOf(CorruptIndexException.class)
        .hasMessageContaining("database.sqlite");
  }

  private void assertRefused(
      byte[] database, Metric metric, int dimension, long size, long dead, String... words)
      throws IOException {
    Path each = Files.createTempDirectory(folder, "refused");
    write(each, metric, dimension, size, dead, "database.sqlite", database);
    Map<String, byte[]> before = files(each);
    for (Runnable open : List.<Runnable>of(() -> Panvec.open(each), () -> Panvec.view(each))) {
      assertThatThrownBy(open::run)
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageContaining(each.resolve("1/database.sqlite").toString())
          .satisfies(
              refused -> assertThat(List.of(words)).allMatch(refused.getMessage()::contains));
    }
    assertThat(files(each).keySet()).isEqualTo(before.keySet());
    // Nothing is left in use: the next save may delete it.
    write(each, metric, dimension, size, dead, "database.sqlite", database);
    assertThat(files(each)).hasSize(4);
  }

  private static void write(
      Path directory,
      Metric metric,
      int dimension,
      long size,
      long dead,
      String name,
      byte[] database) {
    new SnapshotWriter(directory, FileOperations.disk())
        .write(
            new SnapshotContents(
                "sqlite-vec",
                SqliteVecBackend.UPSTREAM_VERSION,
                metric,
                dimension,
                Map.of(),
                size,
                dead,
                Map.of(),
                List.of(
                    SnapshotContent.of(
                        name, sink -> sink.write(MemorySegment.ofArray(database))))));
  }

  /** Without checksums, a damaged page is an exception or another answer, never more. */
  @ParameterizedTest
  @EnumSource
  void damageInAViewOfTrustedSizesNeverCrashes(Metric metric) throws Exception {
    try (VectorIndex index = create(metric, false)) {
      fill(index, 300);
      index.save(snapshot());
    }
    Path database = snapshot().resolve("1/database.sqlite");
    byte[] good = Files.readAllBytes(database);
    int refused = 0;
    for (int i = 0; i < 200; i++) {
      byte[] bad = good.clone();
      for (int flip = 0; flip <= i % 8; flip++) {
        int page = random.nextInt(bad.length / 16384) * 16384;
        bad[page + random.nextInt(flip % 2 == 0 ? 16384 : 200)] ^= (byte) (1 << random.nextInt(8));
      }
      Files.write(database, bad);
      assertThatThrownBy(() -> Panvec.open(snapshot()))
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageContaining(database.toString());
      try (VectorIndex view = Panvec.view(snapshot(), Verify.SIZES)) {
        view.search(vector(), 10);
        view.search(vector(), 1000);
        view.searchRange(vector(), 0.5f, 100);
        view.search(SearchRequest.of(vector(), 10).filter(IdFilter.matching(id -> id % 2 == 0)));
        view.ids();
        view.get(200);
        view.stats();
      } catch (CorruptIndexException told) {
        assertThat(told).hasMessageContaining(database.toString());
        refused++;
      }
    }
    assertThat(refused).isPositive();
  }

  @Test
  void aTruncatedOrMissingFileIsRefused() throws Exception {
    try (VectorIndex index = create(Metric.L2, false)) {
      fill(index, 300);
      index.save(snapshot());
    }
    Path database = snapshot().resolve("1/database.sqlite");
    byte[] good = Files.readAllBytes(database);
    Files.write(database, Arrays.copyOf(good, good.length - 16384));
    assertThatThrownBy(() -> Panvec.view(snapshot(), Verify.SIZES))
        .isInstanceOf(CorruptIndexException.class)
        .hasMessageContaining(database.toString());
    Files.delete(database);
    assertThatThrownBy(() -> Panvec.open(snapshot()))
        .isInstanceOf(CorruptIndexException.class)
        .hasMessageContaining(database.toString());
  }

  @Test
  void aReadOnlyDirectoryIsReadAndNotSavedTo() throws Exception {
    float[] queries = queries();
    try (VectorIndex index = create(Metric.L2, true)) {
      fill(index, 300);
      index.save(snapshot());
      Content content = Content.of(index, queries);
      Path generation = snapshot().resolve("1");
      assertThat(snapshot().toFile().setWritable(false)).isTrue();
      assertThat(generation.toFile().setWritable(false)).isTrue();
      assertThat(generation.resolve("database.sqlite").toFile().setWritable(false)).isTrue();
      try {
        try (VectorIndex opened = Panvec.open(snapshot());
            VectorIndex view = Panvec.view(snapshot())) {
          assertThat(Content.of(opened, queries)).isEqualTo(content);
          assertThat(Content.of(view, queries)).isEqualTo(content);
        }
        assumeTrue(!Files.isWritable(snapshot()), "root may write everywhere");
        assertThatThrownBy(() -> index.save(snapshot())).isInstanceOf(ReadOnlyIndexException.class);
      } finally {
        assertThat(snapshot().toFile().setWritable(true)).isTrue();
        assertThat(generation.toFile().setWritable(true)).isTrue();
      }
      assertThat(files(snapshot())).hasSize(4);
    }
  }

  @Test
  void aSaveThatFailsLeavesTheSnapshotAsItWas() throws Exception {
    try (VectorIndex index = create(Metric.L2, true)) {
      fill(index, 300);
      Path other = folder.resolve("other");
      Files.writeString(other, "x");
      assertThatThrownBy(() -> index.save(other)).isInstanceOf(ForeignFileException.class);
      index.save(snapshot());
      Map<String, byte[]> before = files(snapshot());
      SnapshotWriter failing =
          new SnapshotWriter(
              snapshot(),
              SteppedDisk.before(
                  () -> {
                    throw new VectorIndexException("no");
                  }));
      try (SqliteVecIndex bare = (SqliteVecIndex) new SqliteVecBackend().create(index.spec())) {
        assertThatThrownBy(() -> bare.save(failing)).hasMessage("no");
      }
      assertThat(files(snapshot()).keySet()).isEqualTo(before.keySet());
      assertThat(files(folder).keySet()).noneMatch(name -> name.contains("database.sqlite-"));
    }
  }

  @Test
  void savesAndViewsLeakNoDescriptors() throws Exception {
    Path descriptors = Path.of("/proc/self/fd");
    assumeTrue(Files.isDirectory(descriptors), "no /proc");
    try (VectorIndex index = create(Metric.L2, true)) {
      fill(index, 50);
      index.save(snapshot());
      long before = count(descriptors);
      for (int i = 0; i < 50; i++) {
        index.save(snapshot());
        try (VectorIndex view = Panvec.view(snapshot())) {
          view.search(vector(), 3);
        }
      }
      // SQLite keeps those that it may not close before the last connection of a file.
      assertThat(count(descriptors)).isLessThan(before + 6);
    }
  }

  private static long count(Path directory) throws IOException {
    try (Stream<Path> entries = Files.list(directory)) {
      return entries.count();
    }
  }
}
