package io.github.panvec.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.IndexBusyException;
import io.github.panvec.IndexIoException;
import io.github.panvec.Panvec;
import io.github.panvec.ReadOnlyIndexException;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.Verify;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SnapshotTest {
  private final long seed = Long.getLong("panvec.seed", System.nanoTime());
  private final Random random = new Random(seed);

  @TempDir private Path temporary;
  private Path snapshot;

  @BeforeEach
  void name() {
    snapshot = temporary.resolve("chunks.panvec");
  }

  // ------------------------------------------------------------------------- saving and opening

  @Test
  void isOpenedAsItWasSaved() {
    SnapshotManifest written = Rows.save(snapshot, 5);
    assertThat(Rows.names(snapshot)).containsExactly("1", "lock", "manifest.json");
    assertThat(Rows.names(snapshot.resolve("1"))).containsExactly("files", "graph", "ids", "live");
    try (SnapshotReader reader = Rows.open(snapshot)) {
      assertThat(reader.manifest()).isEqualTo(written);
      Rows.assertIs(5, reader);
      assertThat(reader.path("ids")).contains(snapshot.resolve("1/ids"));
      assertThat(reader.has("ids")).isTrue();
      assertThat(reader.has("files")).isFalse();
      assertThat(reader.file("graph").isReadOnly()).isTrue();
      assertThatThrownBy(() -> reader.file("order"))
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageContaining("has no file \"order\"; toy needs it");
    }
    assertThat(Panvec.describe(snapshot)).isEqualTo(written);
    assertThat(written.generation()).isEqualTo(1);
    assertThat(written.details()).containsEntry("levels", 4L).containsEntry("trained", true);
  }

  @Test
  void sameContentsAreTheSameBytes() throws IOException {
    Rows.save(snapshot, 5);
    Path other = temporary.resolve("other");
    Rows.save(other, 5);
    Map<String, String> tree = Rows.tree(snapshot);
    Map<String, String> otherTree = Rows.tree(other);
    tree.remove("lock");
    otherTree.remove("lock");
    assertThat(otherTree).isEqualTo(tree);
  }

  @Test
  void isOpenedFromMemory() throws IOException {
    SnapshotManifest written = Rows.save(snapshot, 5);
    SnapshotSource memory = SnapshotSource.of(inMemory());
    assertThat(Panvec.describe(memory)).isEqualTo(written);
    try (SnapshotReader reader = SnapshotReader.open(memory, Verify.FULL)) {
      Rows.assertIs(5, reader);
      assertThat(reader.path("ids")).isEmpty();
    }
  }

  private Map<String, MemorySegment> inMemory() throws IOException {
    Map<String, MemorySegment> files = new HashMap<>();
    files.put("manifest.json", bytes("manifest.json"));
    for (SnapshotManifest.Entry entry : Panvec.describe(snapshot).files()) {
      files.put(entry.path(), bytes(entry.path()));
    }
    return files;
  }

  private MemorySegment bytes(String path) throws IOException {
    return MemorySegment.ofArray(Files.readAllBytes(snapshot.resolve(path)));
  }

  @Test
  void laterSavesReplaceEarlierOnes() {
    for (int save = 1; save <= 12; save++) {
      assertThat(Rows.save(snapshot, save).generation()).isEqualTo(save);
      assertThat(Rows.number(snapshot)).isEqualTo(save);
      assertThat(Rows.names(snapshot)).containsExactly("" + save, "lock", "manifest.json");
    }
  }

  @Test
  void takesPiecesOfEverySizeAndKind() {
    List<byte[]> pieces = new ArrayList<>();
    long total = 0;
    for (int size : new int[] {1, 7, 1 << 20, 0, (1 << 20) - 3, 9_000_001, 5, (4 << 20) + 1}) {
      byte[] piece = new byte[size];
      random.nextBytes(piece);
      pieces.add(piece);
      total += size;
    }
    SnapshotContent content =
        SnapshotContent.of(
            "mixed",
            sink -> {
              try (Arena arena = Arena.ofConfined()) {
                for (byte[] piece : pieces) {
                  MemorySegment copy = arena.allocate(piece.length);
                  sink.write(copy.copyFrom(MemorySegment.ofArray(piece)));
                }
              }
              sink.write(MemorySegment.ofArray(new long[] {1, 2}));
            });
    new SnapshotWriter(snapshot, FileOperations.disk()).write(Rows.contents(1, List.of(content)));
    try (SnapshotReader reader = Rows.open(snapshot)) {
      MemorySegment read = reader.file("mixed");
      assertThat(read.byteSize()).isEqualTo(total + 16);
      long at = 0;
      for (byte[] piece : pieces) {
        assertThat(read.asSlice(at, piece.length).mismatch(MemorySegment.ofArray(piece)))
            .as("panvec.seed=%d, at %d", seed, at)
            .isEqualTo(-1);
        at += piece.length;
      }
      assertThat(read.get(ValueLayout.JAVA_LONG_UNALIGNED, at + 8)).isEqualTo(2);
    }
  }

  @Test
  void nativeCodeMayWriteAFileByItself() {
    SnapshotContent content =
        SnapshotContent.of(
            "database",
            sink ->
                sink.writeBy(
                    path -> {
                      try {
                        Files.write(path, new byte[] {1, 2, 3});
                      } catch (IOException failed) {
                        throw new AssertionError(failed);
                      }
                    }));
    new SnapshotWriter(snapshot, FileOperations.disk()).write(Rows.contents(1, List.of(content)));
    try (SnapshotReader reader = Rows.open(snapshot)) {
      assertThat(reader.file("database").toArray(ValueLayout.JAVA_BYTE)).containsExactly(1, 2, 3);
    }
  }

  @Test
  void aFileThatNativeCodeDidNotWriteEndsTheSave() throws IOException {
    Rows.save(snapshot, 1);
    assertThatThrownBy(
            () ->
                new SnapshotWriter(snapshot, FileOperations.disk())
                    .write(
                        Rows.contents(
                            2,
                            List.of(
                                SnapshotContent.of("graph", sink -> sink.writeBy(path -> {}))))))
        .isInstanceOf(IndexIoException.class)
        .hasMessageContaining(snapshot.resolve("2/graph").toString());
    assertThat(Rows.number(snapshot)).isEqualTo(1);
  }

  @Test
  void aContentThatThrowsEndsTheSaveAndLeavesNothingOfIt() throws IOException {
    Rows.save(snapshot, 1);
    Map<String, String> before = Rows.tree(snapshot);
    RuntimeException thrown = new IllegalStateException("enough");
    List<SnapshotContent> files =
        List.of(
            SnapshotContent.of("graph", sink -> sink.write(MemorySegment.ofArray(new byte[99]))),
            SnapshotContent.of(
                "ids",
                sink -> {
                  sink.write(MemorySegment.ofArray(new byte[1 << 21]));
                  throw thrown;
                }));
    assertThatThrownBy(
            () ->
                new SnapshotWriter(snapshot, FileOperations.disk()).write(Rows.contents(2, files)))
        .isSameAs(thrown);
    assertUnchanged(before);
  }

  private void assertUnchanged(Map<String, String> before) throws IOException {
    Map<String, String> after = Rows.tree(snapshot);
    before.remove("lock");
    after.remove("lock");
    assertThat(after).isEqualTo(before);
  }

  @Test
  void namesThatNotEveryFileSystemKeepsApartAreRefused() {
    for (String name :
        List.of("", "Graph", "files", "../x", "a/b", "a.", "x".repeat(65), "con\n")) {
      SnapshotContent content = SnapshotContent.of(name, sink -> {});
      assertThatThrownBy(() -> Rows.contents(1, List.of(content)))
          .as(name)
          .isInstanceOf(IllegalArgumentException.class);
    }
    SnapshotContent content = SnapshotContent.of("a", sink -> {});
    assertThatThrownBy(() -> Rows.contents(1, List.of(content, content)))
        .isInstanceOf(IllegalArgumentException.class);
  }

  // ------------------------------------------------------------------------------------- damage

  @Test
  void everyFlippedBitOfTheManifestIsNoticed() throws IOException {
    Rows.save(snapshot, 5);
    Path manifest = snapshot.resolve("manifest.json");
    byte[] bytes = Files.readAllBytes(manifest);
    for (int bit = 0; bit < bytes.length * 8; bit++) {
      byte[] damaged = bytes.clone();
      damaged[bit / 8] ^= (byte) (1 << bit % 8);
      Files.write(manifest, damaged);
      assertCorrupt(manifest, "bit " + bit);
    }
  }

  private void assertCorrupt(Path named, String what) {
    assertThatThrownBy(() -> Rows.open(snapshot))
        .as("%s, panvec.seed=%d", what, seed)
        .isInstanceOf(CorruptIndexException.class)
        .hasMessageStartingWith(named + ": ");
  }

  @Test
  void everyTruncationIsNoticedWithSizesAloneToo() throws IOException {
    Rows.save(snapshot, 5);
    for (String name : List.of("manifest.json", "1/graph", "1/ids")) {
      Path file = snapshot.resolve(name);
      byte[] bytes = Files.readAllBytes(file);
      for (int length = 0; length < bytes.length; length += length < 512 ? 1 : 4096) {
        try (RandomAccessFile cut = new RandomAccessFile(file.toFile(), "rw")) {
          cut.setLength(length);
        }
        assertCorrupt(file, name + " cut to " + length);
        assertThatThrownBy(() -> SnapshotReader.open(SnapshotSource.of(snapshot), Verify.SIZES))
            .isInstanceOf(CorruptIndexException.class)
            .hasMessageContaining(length + " bytes");
        Files.write(file, bytes);
      }
      Files.write(file, Arrays.copyOf(bytes, bytes.length + 1));
      assertCorrupt(file, name + " longer");
      Files.write(file, bytes);
    }
    assertThat(Rows.number(snapshot)).isEqualTo(5);
  }

  @Test
  void randomFlippedBitsOfDataAreNoticed() throws IOException {
    Rows.save(snapshot, 5);
    for (int flip = 0; flip < 1_000; flip++) {
      Path file = snapshot.resolve(random.nextInt(4) == 0 ? "1/ids" : "1/graph");
      byte[] bytes = Files.readAllBytes(file);
      int bit = random.nextInt(bytes.length * 8);
      bytes[bit / 8] ^= (byte) (1 << bit % 8);
      Files.write(file, bytes);
      assertCorrupt(file, "bit " + bit);
      bytes[bit / 8] ^= (byte) (1 << bit % 8);
      Files.write(file, bytes);
    }
    assertThat(Rows.number(snapshot)).isEqualTo(5);
  }

  @Test
  void flippedBitsInMemoryAreNoticed() throws IOException {
    Rows.save(snapshot, 5);
    Map<String, MemorySegment> files = inMemory();
    for (String name : List.of("manifest.json", "1/graph", "1/ids")) {
      MemorySegment file = files.get(name);
      long at = random.nextLong(file.byteSize());
      byte good = file.get(ValueLayout.JAVA_BYTE, at);
      file.set(ValueLayout.JAVA_BYTE, at, (byte) (good ^ 16));
      assertThatThrownBy(() -> SnapshotReader.open(SnapshotSource.of(files), Verify.FULL))
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageContaining(name);
      file.set(ValueLayout.JAVA_BYTE, at, good);
    }
    files.put("1/ids", files.get("1/ids").asSlice(1));
    assertThatThrownBy(() -> SnapshotReader.open(SnapshotSource.of(files), Verify.SIZES))
        .isInstanceOf(CorruptIndexException.class)
        .hasMessageContaining("1/ids: has 1233 bytes; the manifest says 1234");
    files.remove("1/ids");
    assertThatThrownBy(() -> SnapshotReader.open(SnapshotSource.of(files), Verify.SIZES))
        .isInstanceOf(CorruptIndexException.class)
        .hasMessageContaining("1/ids: missing");
  }

  @Test
  void filesOfAnotherSnapshotAreNoticed() throws IOException {
    Rows.save(snapshot, 5);
    Path other = temporary.resolve("other");
    Rows.save(other, 6);
    for (String name : List.of("1/graph", "1/ids")) {
      byte[] bytes = Files.readAllBytes(snapshot.resolve(name));
      Files.copy(other.resolve(name), snapshot.resolve(name), StandardCopyOption.REPLACE_EXISTING);
      assertCorrupt(snapshot.resolve(name), name);
      Files.write(snapshot.resolve(name), bytes);
    }
    Files.copy(
        other.resolve("manifest.json"),
        snapshot.resolve("manifest.json"),
        StandardCopyOption.REPLACE_EXISTING);
    assertCorrupt(snapshot.resolve("1/graph"), "manifest");
  }

  @Test
  void aMissingFileIsNamed() throws IOException {
    Rows.save(snapshot, 5);
    Files.delete(snapshot.resolve("1/ids"));
    assertThatThrownBy(() -> Rows.open(snapshot))
        .isInstanceOf(CorruptIndexException.class)
        .hasMessage(snapshot.resolve("1/ids") + ": missing; the manifest lists it with 1234 bytes");
  }

  @Test
  void verificationTellsHowFarItHasCome() {
    Rows.save(snapshot, 5);
    List<Long> heard = new ArrayList<>();
    SnapshotReader.open(
            SnapshotSource.of(snapshot),
            Verify.FULL,
            FileOperations.disk(),
            (done, total) -> {
              heard.add(done);
              assertThat(total).isEqualTo(11_234);
            })
        .close();
    assertThat(heard).isSorted().endsWith(11_234L);
  }

  @Test
  void aDamagedManifestIsNeitherReplacedNorRepaired() throws IOException {
    Rows.save(snapshot, 5);
    Files.writeString(snapshot.resolve("manifest.json"), "{}");
    Map<String, String> before = Rows.tree(snapshot);
    assertThatThrownBy(() -> Rows.save(snapshot, 6)).isInstanceOf(CorruptIndexException.class);
    assertThat(Rows.tree(snapshot)).isEqualTo(before);
  }

  // ------------------------------------------------------------------------- what is no snapshot

  @Test
  void aDirectoryThatIsSomethingElseIsLeftAlone() throws IOException {
    Files.createDirectories(snapshot.resolve("2024"));
    Files.writeString(snapshot.resolve("2024/holiday.jpg"), "sun");
    assertForeign("it holds 2024");
    Files.writeString(snapshot.resolve("Letter.txt"), "dear");
    assertForeign("it holds");
  }

  @Test
  void whatIsOnlyCalledLikeOursIsLeftAlone() throws IOException {
    Files.createDirectories(snapshot.resolve("2024"));
    Files.writeString(snapshot.resolve("2024/files"), "holiday.jpg");
    assertForeign("it holds 2024");
    Files.delete(snapshot.resolve("2024/files"));
    Files.createDirectories(snapshot.resolve("2024/files"));
    assertForeign("it holds 2024");
    Files.delete(snapshot.resolve("2024/files"));
    Files.delete(snapshot.resolve("2024"));
    for (String name : List.of("lock", "manifest.json.tmp")) {
      Files.writeString(snapshot.resolve(name), "mine");
      assertForeign("it holds " + name);
      Files.delete(snapshot.resolve(name));
      Files.createDirectory(snapshot.resolve(name));
      assertForeign("it holds " + name);
      Files.delete(snapshot.resolve(name));
    }
  }

  @Test
  void listsOfOthersWithinASnapshotStay() throws IOException {
    Rows.save(snapshot, 1);
    Files.createDirectories(snapshot.resolve("9"));
    Files.writeString(snapshot.resolve("9/files"), "holiday.jpg");
    Rows.save(snapshot, 2);
    Rows.save(snapshot, 3);
    assertThat(snapshot.resolve("9/files")).hasContent("holiday.jpg");
    assertThat(Rows.number(snapshot)).isEqualTo(3);
  }

  /** What a loss of power leaves of the first save. */
  @Test
  void listsThatWereCutOffAreOurs() throws IOException {
    for (String left :
        List.of("", "Panv", "Panvec generation 7\nrows\n", "Panvec g\0\0\0", "\0\0")) {
      Files.createDirectories(snapshot.resolve("7"));
      Files.writeString(snapshot.resolve("7/files"), left);
      Files.writeString(snapshot.resolve("manifest.json.tmp"), left.isEmpty() ? "" : "{\n  \"fo\0");
      Files.writeString(snapshot.resolve("lock"), left.isEmpty() ? "" : "number 12, thread");
      Rows.save(snapshot, 5);
      assertThat(Rows.number(snapshot)).isEqualTo(5);
      assertThat(snapshot.resolve("7")).doesNotExist();
      Files.delete(snapshot.resolve("manifest.json"));
      try (Stream<Path> all = Files.walk(snapshot)) {
        all.sorted(Comparator.reverseOrder()).forEach(path -> path.toFile().delete());
      }
    }
  }

  @Test
  void noGenerationIsWrittenThatCouldNotBeRead() throws IOException {
    Rows.save(snapshot, 1);
    long largest = 1L << 40;
    Files.createDirectories(snapshot.resolve(largest + "/photos"));
    assertThatThrownBy(() -> Rows.save(snapshot, 2))
        .isInstanceOf(ForeignFileException.class)
        .hasMessageContaining(snapshot + " holds " + largest);
    assertThat(Rows.number(snapshot)).isEqualTo(1);
    Files.delete(snapshot.resolve(largest + "/photos"));
    Files.delete(snapshot.resolve(Long.toString(largest)));
    Rows.save(snapshot, 2);
    assertThat(Rows.number(snapshot)).isEqualTo(2);
  }

  @Test
  void aFileIsLeftAlone() throws IOException {
    Files.writeString(snapshot, "text");
    assertForeign("is a file");
  }

  private void assertForeign(String reason) throws IOException {
    Map<String, String> before = Rows.tree(temporary);
    assertThatThrownBy(() -> Rows.save(snapshot, 1))
        .isInstanceOf(ForeignFileException.class)
        .hasMessageContaining(snapshot.toString())
        .hasMessageContaining(reason);
    assertThatThrownBy(() -> Rows.open(snapshot))
        .isInstanceOf(ForeignFileException.class)
        .hasMessageContaining(snapshot.toString());
    assertThat(Rows.tree(temporary)).isEqualTo(before);
  }

  @Test
  void aPathWhereNothingIsSaysSo() {
    assertThatThrownBy(() -> Panvec.describe(snapshot))
        .isInstanceOf(ForeignFileException.class)
        .hasMessage(snapshot + " does not exist");
    assertThatThrownBy(() -> Rows.save(snapshot.resolve("deeper"), 1))
        .isInstanceOf(IndexIoException.class)
        .hasMessage("creating " + snapshot.resolve("deeper") + ": no such file or directory");
  }

  @Test
  void filesOfOthersWithinASnapshotStay() throws IOException {
    Rows.save(snapshot, 1);
    Files.writeString(snapshot.resolve("notes.txt"), "mine");
    Files.writeString(snapshot.resolve("1/notes.txt"), "mine, too");
    Files.createDirectories(snapshot.resolve("77"));
    Files.writeString(snapshot.resolve("77/photo"), "sun");
    Rows.save(snapshot, 2);
    Rows.save(snapshot, 3);
    assertThat(Rows.number(snapshot)).isEqualTo(3);
    assertThat(Rows.tree(snapshot))
        .containsEntry("notes.txt", "mine")
        .containsEntry("1/notes.txt", "mine, too")
        .containsEntry("77/photo", "sun")
        .doesNotContainKey("1/graph");
  }

  // -------------------------------------------------------------------- disks that are full or
  // closed

  @Test
  void aFullDiskIsOneExceptionAndLeavesTheOldGeneration() throws IOException {
    Rows.save(snapshot, 1);
    Map<String, String> before = Rows.tree(snapshot);
    boolean full = true;
    for (long room = 0; full; room += 1_000) {
      AtomicLong left = new AtomicLong(room);
      SteppedFiles files =
          new SteppedFiles(
              step -> {
                if (step.data().length > 0 && left.addAndGet(-step.data().length) < 0) {
                  throw new IOException("No space left on device");
                }
              });
      try {
        new SnapshotWriter(snapshot, files).write(Rows.version(2));
        full = false;
      } catch (IndexIoException failed) {
        assertThat(failed).hasMessageContaining("No space left on device");
        assertThat(failed.getMessage())
            .containsPattern("/2/(files|graph|ids)|manifest.json.tmp|/2:");
        assertUnchanged(before);
      }
    }
    assertThat(Rows.number(snapshot)).isEqualTo(2);
  }

  @Test
  void aContentThatHidesAFailedWriteDoesNotHideItFromTheSave() {
    Rows.save(snapshot, 1);
    SteppedFiles files =
        new SteppedFiles(
            step -> {
              if (step.kind() == Step.Kind.WRITE && step.path().endsWith("2/graph")) {
                throw new IOException("No space left on device");
              }
            });
    SnapshotContent content =
        SnapshotContent.of(
            "graph",
            sink -> {
              try {
                sink.write(MemorySegment.ofArray(new byte[3 << 20]));
              } catch (IndexIoException hidden) {
                assertThat(hidden).hasMessageContaining("2/graph");
              }
            });
    assertThatThrownBy(
            () -> new SnapshotWriter(snapshot, files).write(Rows.contents(2, List.of(content))))
        .isInstanceOf(IndexIoException.class)
        .hasMessageContaining("2/graph: No space left on device");
    assertThat(Rows.number(snapshot)).isEqualTo(1);
  }

  @Test
  void whereverAStepFailsTheSnapshotStaysWhole() throws IOException {
    List<Step> steps = new ArrayList<>();
    Rows.save(snapshot, 1);
    new SnapshotWriter(snapshot, new SteppedFiles(steps::add)).write(Rows.version(2));
    for (int failing = 0; failing < steps.size(); failing++) {
      Rows.delete(snapshot);
      Rows.save(snapshot, 1);
      AtomicLong left = new AtomicLong(failing);
      SteppedFiles files =
          new SteppedFiles(
              step -> {
                if (left.getAndDecrement() == 0) {
                  throw new IOException("Input/output error");
                }
              });
      String what = "failed: " + steps.get(failing);
      boolean saved = true;
      try {
        new SnapshotWriter(snapshot, files).write(Rows.version(2));
      } catch (IndexIoException failed) {
        saved = false;
        assertThat(failed)
            .as(what)
            .hasMessageContaining(snapshot.toString())
            .hasMessageContaining("Input/output error");
      }
      int number = Rows.number(snapshot);
      if (saved) {
        assertThat(number).as(what).isEqualTo(2);
      }
      Rows.save(snapshot, 3);
      assertThat(Rows.number(snapshot)).as(what).isEqualTo(3);
      assertThat(Rows.names(snapshot)).as(what).hasSize(3);
    }
  }

  @Test
  void aDirectoryThatCannotBeWrittenToIsSaidToBeReadOnly() throws IOException {
    Rows.save(snapshot, 1);
    Map<String, String> before = Rows.tree(snapshot);
    SteppedFiles files =
        new SteppedFiles(
            step -> {
              throw new AccessDeniedException(step.path().toString());
            });
    assertThatThrownBy(() -> new SnapshotWriter(snapshot, files).write(Rows.version(2)))
        .isInstanceOf(ReadOnlyIndexException.class)
        .hasMessage("locking " + snapshot.resolve("lock") + ": permission denied");
    assertThat(Rows.tree(snapshot)).isEqualTo(before);
  }

  @Test
  void aReadOnlyDirectoryIsOpenedAndNotSavedTo() throws IOException {
    Rows.save(snapshot, 1);
    Files.setPosixFilePermissions(
        snapshot.resolve("lock"), PosixFilePermissions.fromString("r--r--r--"));
    Files.setPosixFilePermissions(snapshot, PosixFilePermissions.fromString("r-xr-xr-x"));
    try {
      Assumptions.assumeFalse(
          Files.isWritable(snapshot), "this user may write to read-only directories");
      Map<String, String> before = Rows.tree(snapshot);
      assertThatThrownBy(() -> Rows.save(snapshot, 2))
          .isInstanceOf(ReadOnlyIndexException.class)
          .hasMessageContaining(snapshot.toString());
      assertThat(Rows.number(snapshot)).isEqualTo(1);
      assertThat(Rows.tree(snapshot)).isEqualTo(before);
    } finally {
      Files.setPosixFilePermissions(snapshot, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
  }

  @Test
  void aThreadThatIsInterruptedSavesNothingAndKeepsTheLeasesOfOthers() {
    Rows.save(snapshot, 1);
    try (SnapshotReader leased = Rows.open(snapshot)) {
      Thread.currentThread().interrupt();
      assertThatThrownBy(() -> Rows.save(snapshot, 2))
          .isInstanceOf(IndexIoException.class)
          .hasMessageContaining("the thread was interrupted");
      assertThat(Thread.interrupted()).isTrue();
      Rows.save(snapshot, 3);
      Rows.assertIs(1, leased);
      assertThat(Rows.names(snapshot)).contains("1");
    }
  }

  // ------------------------------------------------------------------------------ writers and
  // readers

  @Test
  void asLongAsItIsLeasedAGenerationStays() {
    Rows.save(snapshot, 1);
    SnapshotReader first = Rows.open(snapshot);
    SnapshotReader same = Rows.open(snapshot);
    Rows.save(snapshot, 2);
    SnapshotReader second = Rows.open(snapshot);
    Rows.save(snapshot, 3);
    assertThat(Rows.names(snapshot)).contains("1", "2", "3");
    Rows.assertIs(1, first);
    Rows.assertIs(2, second);
    first.close();
    first.close();
    Rows.save(snapshot, 4);
    assertThat(Rows.names(snapshot)).contains("1", "2", "4").doesNotContain("3");
    Rows.assertIs(1, same);
    same.close();
    second.close();
    Rows.save(snapshot, 5);
    assertThat(Rows.names(snapshot)).containsExactly("5", "lock", "manifest.json");
  }

  @Test
  void whatWasReadIsUnmappedOnClose() {
    Rows.save(snapshot, 1);
    SnapshotReader reader = Rows.open(snapshot);
    MemorySegment graph = reader.file("graph");
    assertThat(graph.isMapped()).isTrue();
    reader.close();
    assertThat(graph.scope().isAlive()).isFalse();
  }

  @Test
  void aGenerationThatVanishesBeforeItIsLeasedIsNotMissed() {
    Rows.save(snapshot, 1);
    AtomicLong saves = new AtomicLong();
    SteppedFiles files =
        new SteppedFiles(
            step -> {
              if (saves.incrementAndGet() <= 3) {
                Rows.save(snapshot, 1 + saves.intValue());
              }
            });
    try (SnapshotReader reader =
        SnapshotReader.open(SnapshotSource.of(snapshot), Verify.FULL, files, (done, total) -> {})) {
      Rows.assertIs(4, reader);
    }
    assertThat(saves.get()).isEqualTo(4);
  }

  @Test
  void aLeaseHoldsUnderAnotherNameOfTheDirectory() throws IOException {
    Rows.save(snapshot, 1);
    Path link = Files.createSymbolicLink(temporary.resolve("link"), snapshot);
    try (SnapshotReader leased = Rows.open(link)) {
      Rows.save(snapshot, 2);
      assertThat(Rows.names(snapshot)).contains("1");
      Rows.assertIs(1, leased);
    }
  }

  @Test
  void aLeaseOfACopyWithoutALockFileHoldsWithinTheJvm() throws IOException {
    Rows.save(snapshot, 1);
    Files.delete(snapshot.resolve("lock"));
    try (SnapshotReader leased = Rows.open(snapshot)) {
      assertThat(Rows.names(snapshot)).doesNotContain("lock");
      Rows.save(snapshot, 2);
      assertThat(Rows.names(snapshot)).contains("1", "2");
      Rows.assertIs(1, leased);
    }
  }

  @Test
  void aSecondWriterInThisJvmIsToldWhoTheFirstIs() throws Exception {
    Rows.save(snapshot, 1);
    AtomicReference<Throwable> second = new AtomicReference<>();
    SteppedFiles files =
        new SteppedFiles(
            step -> {
              if (step.kind() == Step.Kind.RENAME) {
                Thread thread =
                    new Thread(
                        () -> {
                          try {
                            Rows.save(snapshot, 3);
                          } catch (RuntimeException refused) {
                            second.set(refused);
                          }
                        });
                thread.start();
                try {
                  thread.join();
                } catch (InterruptedException unexpected) {
                  throw new AssertionError(unexpected);
                }
              }
            });
    Thread.currentThread().setName("the first");
    new SnapshotWriter(snapshot, files).write(Rows.version(2));
    assertThat(second.get())
        .isInstanceOf(IndexBusyException.class)
        .hasMessageContaining(snapshot.toString())
        .hasMessageContaining("this process, thread \"the first\"");
    assertThat(Rows.number(snapshot)).isEqualTo(2);
    Rows.save(snapshot, 4);
  }

  @Test
  void readersBesideWritersSeeWholeVersions() throws Exception {
    Rows.save(snapshot, 1);
    int readers = 3;
    CountDownLatch started = new CountDownLatch(readers);
    AtomicReference<Throwable> failure = new AtomicReference<>();
    AtomicLong opened = new AtomicLong();
    AtomicReference<Boolean> stop = new AtomicReference<>(false);
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < readers; i++) {
      Thread thread =
          new Thread(
              () -> {
                int last = 0;
                try {
                  while (!stop.get()) {
                    int number = Rows.number(snapshot);
                    started.countDown();
                    assertThat(number).isGreaterThanOrEqualTo(last);
                    last = number;
                    opened.incrementAndGet();
                  }
                } catch (Throwable failed) {
                  failure.set(failed);
                  started.countDown();
                }
              });
      thread.start();
      threads.add(thread);
    }
    started.await();
    for (int save = 2; save <= 200; save++) {
      Rows.save(snapshot, save);
    }
    stop.set(true);
    for (Thread thread : threads) {
      thread.join();
    }
    assertThat(failure.get()).isNull();
    assertThat(opened.get()).isPositive();
    Rows.save(snapshot, 201);
    assertThat(Rows.names(snapshot)).containsExactly("201", "lock", "manifest.json");
  }
}
