package io.github.panvec.sqlitevec;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.IndexIoException;
import io.github.panvec.Metric;
import io.github.panvec.ReadOnlyIndexException;
import io.github.panvec.VectorIndex;
import io.github.panvec.VectorIndexException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** An index that lives in a file. */
class SqliteVecFileTest {
  @TempDir Path directory;
  private Path file;
  private final Random random = Rows.random("SqliteVecFileTest");

  @BeforeEach
  void setUp() {
    file = directory.resolve("vectors.db");
  }

  private VectorIndex open() {
    return Rows.open(Metric.L2, 2, file);
  }

  /** Leaves a closed index of two rows in the file. */
  private void createIndex() {
    try (VectorIndex index = open()) {
      index.addAll(new long[] {1, 2}, new float[] {1, 1, 2, 2});
    }
  }

  /** Every file of the directory with its bytes. */
  private Map<String, List<Byte>> contents() throws IOException {
    Map<String, List<Byte>> contents = new TreeMap<>();
    try (Stream<Path> files = Files.list(directory)) {
      for (Path each : files.toList()) {
        byte[] bytes = Files.readAllBytes(each);
        Byte[] boxed = new Byte[bytes.length];
        Arrays.setAll(boxed, i -> bytes[i]);
        contents.put(each.getFileName().toString(), List.of(boxed));
      }
    }
    return contents;
  }

  /** Opens, expects that exception, and that not one byte in the directory has changed. */
  private void assertRefusedUntouched(
      Class<? extends VectorIndexException> expected, String... words) throws IOException {
    Map<String, List<Byte>> before = contents();
    assertThatThrownBy(this::open)
        .isInstanceOf(expected)
        .hasMessageContaining(file.toString())
        .satisfies(refused -> assertThat(List.of(words)).allMatch(refused.getMessage()::contains));
    assertThat(contents()).isEqualTo(before);
  }

  @ParameterizedTest
  @EnumSource
  void everythingIsThereAfterReopening(Metric metric) {
    Rows rows = Rows.random(random, metric, 33, 2000, Long.MIN_VALUE);
    float[] query = rows.row(17);
    try (VectorIndex index = Rows.open(metric, 33, file)) {
      index.addAll(rows.ids, rows.vectors);
      index.add(Long.MAX_VALUE, rows.row(0));
      index.upsert(Long.MAX_VALUE, rows.row(1));
      assertThat(index.remove(Long.MAX_VALUE)).isTrue();
      index.add(-1, rows.row(2));
      index.upsert(-1, rows.row(3));
    }
    try (VectorIndex index = Rows.open(metric, 33, file)) {
      assertThat(index.size()).isEqualTo(2001);
      assertThat(index.contains(Long.MAX_VALUE)).isFalse();
      assertThat(index.get(-1).orElseThrow()).isEqualTo(index.get(rows.ids[3]).orElseThrow());
      assertThat(index.remove(-1)).isTrue();
      assertThat(Rows.of(index.search(query, 100))).isEqualTo(rows.nearest(query, 100, null));
    }
  }

  @Test
  void aClosedIndexIsOneFile() throws IOException {
    createIndex();
    assertThat(contents()).containsOnlyKeys("vectors.db");
  }

  @Test
  void twoIndexesOverOneFileSeeEachOthersWrites() {
    try (VectorIndex first = open();
        VectorIndex second = open()) {
      first.add(1, new float[] {1, 0});
      assertThat(second.contains(1)).isTrue();
      second.upsert(1, new float[] {5, 0});
      assertThat(first.get(1).orElseThrow()).containsExactly(5, 0);
      assertThat(first.remove(1)).isTrue();
      assertThat(second.search(new float[] {0, 0}, 1).count()).isZero();
    }
  }

  @Test
  void statsTellTheSizeOnDisk() {
    try (VectorIndex index = open()) {
      index.add(1, new float[] {1, 0});
      assertThat(index.stats().diskBytes()).isPositive();
      assertThat(index.stats().nativeBytes()).isPositive();
      assertThat(index.stats().details())
          .containsEntry("journalMode", "wal")
          .containsEntry("path", file.toString());
    }
  }

  @Test
  void aTextFileIsForeign() throws IOException {
    Files.writeString(
        file, "These are notes of mine, and worth more to me than any index.\n".repeat(100), UTF_8);
    assertRefusedUntouched(ForeignFileException.class);
  }

  @Test
  void aShortTextFileIsForeign() throws IOException {
    Files.writeString(file, "short", UTF_8);
    assertRefusedUntouched(ForeignFileException.class);
  }

  @Test
  void anEmptyFileIsForeign() throws IOException {
    Files.createFile(file);
    assertRefusedUntouched(ForeignFileException.class);
  }

  @Test
  void aDatabaseOfAnotherProgramIsForeign() throws IOException {
    createIndex();
    byte[] bytes = Files.readAllBytes(file);
    // The header's application id, by which SQLite's users tell their files apart.
    Arrays.fill(bytes, 68, 72, (byte) 0);
    Files.write(file, bytes);
    assertRefusedUntouched(ForeignFileException.class);
  }

  @Test
  void anotherDimensionIsRefusedByName() throws IOException {
    try (VectorIndex index = Rows.open(Metric.L2, 3, file)) {
      index.add(1, new float[3]);
    }
    assertRefusedUntouched(ForeignFileException.class, "3", "2");
  }

  @Test
  void anotherMetricIsRefusedByName() throws IOException {
    try (VectorIndex index = Rows.open(Metric.DOT, 2, file)) {
      index.add(1, new float[2]);
    }
    assertRefusedUntouched(ForeignFileException.class, "DOT", "L2");
  }

  @Test
  void aTruncatedDatabaseIsCorrupt() throws IOException {
    createIndex();
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(bytes, bytes.length / 2));
    assertRefusedUntouched(CorruptIndexException.class);
  }

  @Test
  void aDirectoryIsNoIndex() throws IOException {
    Files.createDirectory(file);
    assertThatThrownBy(this::open)
        .isInstanceOf(VectorIndexException.class)
        .hasMessageContaining(file.toString());
    assertThat(file).isEmptyDirectory();
  }

  @Test
  void aMissingDirectoryIsNamed() {
    file = directory.resolve("missing").resolve("vectors.db");
    assertThatThrownBy(this::open)
        .isInstanceOf(IndexIoException.class)
        .hasMessageContaining(file.toString());
    assertThat(file.getParent()).doesNotExist();
  }

  @Test
  void aFileThatCannotBeWrittenIsReadOnly() throws Exception {
    createIndex();
    assumeTrue(
        makeReadOnly(file), "this user may write to any file here, and chattr cannot forbid it");
    try {
      assertRefusedUntouched(ReadOnlyIndexException.class);
    } finally {
      chattr("-i", file);
    }
  }

  @Test
  void aDirectoryThatCannotBeWrittenIsReadOnly() throws Exception {
    createIndex();
    assumeTrue(
        makeReadOnly(directory),
        "this user may write to any directory here, and chattr cannot forbid it");
    try {
      assertRefusedUntouched(ReadOnlyIndexException.class);
    } finally {
      chattr("-i", directory);
      directory.toFile().setWritable(true);
    }
  }

  /**
   * By permission, or for root, whom permissions do not bind, by the attribute that binds root too.
   */
  private static boolean makeReadOnly(Path path) throws Exception {
    assertThat(path.toFile().setWritable(false)).isTrue();
    return !Files.isWritable(path) || chattr("+i", path);
  }

  private static boolean chattr(String flag, Path path) throws Exception {
    try {
      return new ProcessBuilder("chattr", flag, path.toString())
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start()
              .waitFor()
          == 0;
    } catch (IOException missing) {
      return false;
    }
  }
}
