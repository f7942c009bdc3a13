package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.UnknownBackendException;
import io.github.panvec.VectorIndex;
import io.github.panvec.VectorIndexException;
import io.github.panvec.Verify;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Whatever is wrong with the files of a snapshot, of every kind of index: one exception that names
 * the file and what is wrong, and nothing is touched.
 */
class SnapshotDamageTest extends ConformanceTest {
  private static final int DIMENSION = 8;
  private static final int ROWS = 80;

  /** Every bit and every cut is for the night. */
  private static final int SAMPLE = 25;

  @TempDir Path folder;
  private final Random random = new Random(TestVectors.seed());
  private SnapshotFolder saved;

  static Stream<Subject> subjects() {
    return Subjects.all().stream().filter(subject -> subject.capabilities().snapshots());
  }

  @BeforeEach
  void save() {
    saved = save("saved");
  }

  /** Another one of as many rows. */
  private SnapshotFolder save(String name) {
    SnapshotFolder snapshot = new SnapshotFolder(folder.resolve(name));
    Metric metric = any(Metric.L2);
    try (VectorIndex index = create(DIMENSION, metric)) {
      index.addAll(
          LongStream.range(0, ROWS).toArray(), TestVectors.gaussian(random, ROWS * DIMENSION));
      index.removeAll(3, 4, 5);
      index.save(snapshot.path());
    }
    return snapshot;
  }

  /** Opening and viewing say so, as is expected of them; nothing is changed by it. */
  private void assertRefused(Class<? extends RuntimeException> exception, String... words)
      throws IOException {
    Map<String, ByteBuffer> before = saved.tree();
    for (Runnable use : List.<Runnable>of(this::open, this::view)) {
      assertThatThrownBy(use::run)
          .isInstanceOf(exception)
          .satisfies(
              refused ->
                  assertThat(List.of(words))
                      .allSatisfy(word -> assertThat(refused).hasMessageContaining(word)));
    }
    assertThat(saved.tree()).isEqualTo(before);
  }

  private void assertDamaged(Path file, String... words) throws IOException {
    List<String> all = new ArrayList<>(List.of(words));
    all.add(file.toString());
    assertRefused(CorruptIndexException.class, all.toArray(String[]::new));
  }

  private void open() {
    Panvec.open(saved.path()).close();
  }

  private void view() {
    Panvec.view(saved.path()).close();
  }

  private void assertWhole() {
    try (VectorIndex opened = Panvec.open(saved.path())) {
      assertThat(opened.size()).isEqualTo(ROWS - 3);
    }
  }

  // ---------------------------------------------------------------------------------- cut off

  @Test
  @Contract("snapshot.damage")
  void aFileThatWasCutOffIsRefused() throws IOException {
    cut(SAMPLE);
  }

  @Test
  @Tag("nightly")
  @Contract("snapshot.damage")
  void aFileThatWasCutOffAnywhereIsRefused() throws IOException {
    cut(Integer.MAX_VALUE);
  }

  private void cut(int most) throws IOException {
    for (Path file : saved.checkedFiles()) {
      byte[] whole = Files.readAllBytes(file);
      LongStream lengths =
          LongStream.concat(
              LongStream.range(0, Math.min(512, whole.length)),
              LongStream.iterate(4096, at -> at < whole.length, at -> at + 4096));
      for (long length : sample(lengths.toArray(), most)) {
        try (RandomAccessFile cut = new RandomAccessFile(file.toFile(), "rw")) {
          cut.setLength(length);
        }
        assertDamaged(file);
        if (!file.equals(saved.manifest())) {
          assertThatThrownBy(() -> Panvec.view(saved.path(), Verify.SIZES))
              .isInstanceOf(CorruptIndexException.class)
              .hasMessageContaining(file + ": has " + length + " bytes");
        }
        Files.write(file, whole);
      }
      Files.write(file, Arrays.copyOf(whole, whole.length + 1));
      assertDamaged(file);
      Files.write(file, whole);
    }
    assertWhole();
  }

  /** Some of them, the first and the last among them. */
  private long[] sample(long[] all, int most) {
    if (all.length <= most) {
      return all;
    }
    long[] some = new long[most];
    for (int i = 0; i < most; i++) {
      some[i] = all[random.nextInt(all.length)];
    }
    some[0] = all[0];
    some[1] = all[all.length - 1];
    return some;
  }

  // ---------------------------------------------------------------------------------- flipped

  @Test
  @Contract("snapshot.damage")
  void aFlippedBitIsNoticed() throws IOException {
    flip(20 * SAMPLE, 4 * SAMPLE);
  }

  @Test
  @Tag("nightly")
  @Contract("snapshot.damage")
  void everyFlippedBitOfTheManifestAndTenThousandOfTheRestAreNoticed() throws IOException {
    flip(Integer.MAX_VALUE, 10_000);
  }

  private void flip(int manifest, int data) throws IOException {
    long bits = 8 * Files.size(saved.manifest());
    for (long bit : sample(LongStream.range(0, bits).toArray(), manifest)) {
      flip(saved.manifest(), bit);
      assertThatThrownBy(() -> Panvec.describe(saved.path()))
          .as("bit %d, seed %d", bit, TestVectors.seed())
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageContaining(saved.manifest().toString());
      assertThatThrownBy(this::open)
          .as("bit %d, seed %d", bit, TestVectors.seed())
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageContaining(saved.manifest().toString());
      flip(saved.manifest(), bit);
    }
    List<Path> files = saved.dataFiles();
    for (int i = 0; i < data; i++) {
      Path file = files.get(i % files.size());
      long bit = random.nextLong(8 * Files.size(file));
      flip(file, bit);
      assertThatThrownBy(i % 2 == 0 ? this::open : this::view)
          .as("bit %d of %s, seed %d", bit, file, TestVectors.seed())
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageContaining(file.toString())
          .hasMessageContaining("CRC-32C");
      flip(file, bit);
    }
    assertWhole();
  }

  private static void flip(Path path, long bit) throws IOException {
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.seek(bit / 8);
      int value = file.read();
      file.seek(bit / 8);
      file.write(value ^ 1 << bit % 8);
    }
  }

  @Test
  @Contract("snapshot.damage")
  void aFlippedBitIsNoticedInMemoryToo() {
    Map<String, MemorySegment> files = saved.inMemory();
    for (SnapshotManifest.Entry entry : Panvec.describe(saved.path()).files()) {
      MemorySegment file = files.get(entry.path());
      for (int i = 0; i < SAMPLE; i++) {
        long at = random.nextLong(file.byteSize());
        byte value = file.get(ValueLayout.JAVA_BYTE, at);
        file.set(ValueLayout.JAVA_BYTE, at, (byte) (value ^ 1 << random.nextInt(8)));
        assertThatThrownBy(() -> Panvec.open(SnapshotSource.of(files)))
            .isInstanceOf(CorruptIndexException.class)
            .hasMessageContaining(entry.path())
            .hasMessageContaining("CRC-32C");
        file.set(ValueLayout.JAVA_BYTE, at, value);
      }
    }
    Panvec.open(SnapshotSource.of(files)).close();
  }

  // ------------------------------------------------------------------------- missing and exchanged

  @Test
  @Contract("snapshot.damage")
  void aFileThatIsMissingOrOfAnotherSnapshotIsRefused() throws IOException {
    SnapshotFolder other = save("other");
    int exchanged = 0;
    for (Path file : saved.dataFiles()) {
      byte[] own = Files.readAllBytes(file);
      Files.delete(file);
      assertDamaged(file, "missing");
      Path others = other.path().resolve(saved.path().relativize(file));
      byte[] foreign = Files.readAllBytes(others);
      if (!Arrays.equals(own, foreign)) {
        exchanged++;
        Files.write(file, foreign);
        assertDamaged(file);
      }
      Files.write(file, own);
    }
    assertThat(exchanged).isPositive();
    byte[] own = Files.readAllBytes(saved.manifest());
    Files.write(saved.manifest(), Files.readAllBytes(other.manifest()));
    assertRefused(CorruptIndexException.class, saved.path().toString());
    Files.delete(saved.manifest());
    assertRefused(ForeignFileException.class, saved.path().toString(), "manifest.json");
    Files.write(saved.manifest(), own);
    assertWhole();
  }

  @Test
  @Contract("snapshot.damage")
  void whatIsNoSnapshotIsRefused() throws IOException {
    byte[] manifest = Files.readAllBytes(saved.manifest());
    saved = new SnapshotFolder(folder.resolve("nothing"));
    assertThatThrownBy(this::open)
        .isInstanceOf(ForeignFileException.class)
        .hasMessageContaining(saved.path() + " does not exist");
    Files.createDirectory(saved.path());
    assertRefused(ForeignFileException.class, saved.path().toString(), "manifest.json");
    Path notes = Files.writeString(saved.path().resolve("notes.txt"), "mine");
    assertRefused(ForeignFileException.class, saved.path().toString(), "manifest.json");
    try (VectorIndex index = create(DIMENSION, any(Metric.L2))) {
      Map<String, ByteBuffer> before = saved.tree();
      assertThatThrownBy(() -> index.save(saved.path()))
          .isInstanceOf(ForeignFileException.class)
          .hasMessageContaining("notes.txt");
      assertThat(saved.tree()).isEqualTo(before);
      assertThatThrownBy(() -> index.save(notes))
          .isInstanceOf(ForeignFileException.class)
          .hasMessageContaining(notes.toString());
    }
    assertThat(Files.readString(notes)).isEqualTo("mine");
    // A manifest of something else.
    for (byte[] other :
        List.of(
            "{}".getBytes(StandardCharsets.US_ASCII),
            "{\"name\": \"a package\"}\n".getBytes(StandardCharsets.US_ASCII),
            Arrays.copyOf(manifest, manifest.length / 2))) {
      Files.write(saved.manifest(), other);
      assertDamaged(saved.manifest());
    }
  }

  // ------------------------------------------------------------------------- what the manifest
  // says

  /** Whoever changes the manifest and its checksum has changed it on purpose: seen all the same. */
  @Test
  @Contract("snapshot.damage")
  void aManifestThatSaysSomethingElseThanTheFilesIsRefused() throws IOException {
    SnapshotManifest manifest = Panvec.describe(saved.path());
    byte[] good = Files.readAllBytes(saved.manifest());
    for (boolean sealed : new boolean[] {false, true}) {
      if (sealed) {
        rewrite("\"dimension\": 8", "\"dimension\": 9");
      } else {
        replace("\"dimension\": 8", "\"dimension\": 9");
      }
      assertRefused(VectorIndexException.class, saved.path().toString());
      Files.write(saved.manifest(), good);
    }
    rewrite("\"size\": " + manifest.size(), "\"size\": " + (manifest.size() + 1));
    assertRefused(CorruptIndexException.class, saved.path().toString());
    Files.write(saved.manifest(), good);
    rewrite("\"vector.backend\": \"" + manifest.backend(), "\"vector.backend\": \"nosuch");
    assertRefused(UnknownBackendException.class, saved.path().toString(), "nosuch");
    Files.write(saved.manifest(), good);
    rewrite("\"format\": 1", "\"format\": 2");
    assertRefused(ForeignFileException.class, saved.manifest().toString(), "format 2");
    Files.write(saved.manifest(), good);
    rewrite("\"generation\": 1", "\"generation\": 2");
    assertDamaged(saved.manifest(), "no file of generation 2");
    Files.write(saved.manifest(), good);
    assertWhole();
  }

  private void rewrite(String part, String replacement) throws IOException {
    saved.rewriteManifest(part, replacement);
  }

  @Test
  @Contract("snapshot.damage")
  void aManifestThatNamesAnotherBackendOrMetricIsRefused() throws IOException {
    SnapshotManifest manifest = Panvec.describe(saved.path());
    byte[] good = Files.readAllBytes(saved.manifest());
    for (String other : Panvec.backends().stream().map(each -> each.name()).toList()) {
      if (!other.equals(manifest.backend())) {
        rewrite("\"vector.backend\": \"" + manifest.backend() + "\"", backend(other));
        assertRefused(VectorIndexException.class, saved.path().toString());
        Files.write(saved.manifest(), good);
      }
    }
    for (Metric other : subject.metrics()) {
      if (other != manifest.metric()) {
        replace("\"metric\": \"" + manifest.metric(), "\"metric\": \"" + other);
        assertDamaged(saved.manifest());
        Files.write(saved.manifest(), good);
        // Not every engine's file says by which metric it was made. Then it is as if it were this.
        rewrite("\"metric\": \"" + manifest.metric(), "\"metric\": \"" + other);
        try (VectorIndex opened = Panvec.open(saved.path())) {
          assertThat(opened.search(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, 5).count()).isEqualTo(5);
        } catch (CorruptIndexException seen) {
          assertThat(seen).hasMessageContaining(saved.path().toString());
        }
        Files.write(saved.manifest(), good);
      }
    }
  }

  /** As an editor would do it. */
  private void replace(String part, String replacement) throws IOException {
    String text = Files.readString(saved.manifest(), StandardCharsets.US_ASCII);
    assertThat(text).contains(part);
    Files.writeString(saved.manifest(), text.replace(part, replacement));
  }

  private static String backend(String name) {
    return "\"vector.backend\": \"" + name + "\"";
  }

  /**
   * The list beside the data says what may be deleted; it is not read when a snapshot is opened.
   */
  @Test
  @Contract("snapshot.damage")
  void whatASnapshotDoesNotNeedMayBeDamaged() throws IOException {
    Path list = saved.path().resolve("1/files");
    byte[] bytes = Files.readAllBytes(list);
    for (int i = 0; i < SAMPLE; i++) {
      byte[] damaged = bytes.clone();
      damaged[random.nextInt(bytes.length)] ^= (byte) (1 << random.nextInt(8));
      Files.write(list, damaged);
      assertWhole();
    }
    Files.delete(saved.path().resolve("lock"));
    Files.delete(list);
    assertWhole();
    try (VectorIndex index = Panvec.open(saved.path())) {
      index.save(saved.path());
    }
    assertWhole();
    // A file that no list names is nobody's to delete.
    assertThat(saved.names()).contains("1", "2");
  }
}
