package io.github.panvec.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.IndexIoException;
import io.github.panvec.ReadOnlyIndexException;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.VectorIndexException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SnapshotVerificationTest {
  @TempDir private Path temporary;
  private Path snapshot;
  private SnapshotManifest saved;

  @BeforeEach
  void save() {
    snapshot = temporary.resolve("chunks.panvec");
    saved = Rows.save(snapshot, 5);
  }

  private SnapshotVerification verify() {
    return verify(FileOperations.disk());
  }

  private SnapshotVerification verify(FileOperations operations) {
    return SnapshotReader.verify(SnapshotSource.of(snapshot), operations, (done, total) -> {});
  }

  private void flip(String name) throws IOException {
    byte[] bytes = Files.readAllBytes(snapshot.resolve(name));
    bytes[bytes.length / 2] ^= 4;
    Files.write(snapshot.resolve(name), bytes);
  }

  // --------------------------------------------------------------------------------------- verify

  @Test
  void aSnapshotAsItWasSavedIsWell() {
    SnapshotVerification verification = verify();
    assertThat(verification.isWell()).isTrue();
    assertThat(verification.failures()).isEmpty();
    assertThat(verification.manifest()).isEqualTo(saved);
  }

  @Test
  void everyFileThatIsWrongIsNamedAndNothingIsTouched() throws IOException {
    flip("1/graph");
    byte[] ids = Files.readAllBytes(snapshot.resolve("1/ids"));
    Files.write(snapshot.resolve("1/ids"), Arrays.copyOf(ids, 100));
    Files.delete(snapshot.resolve("1/live"));
    Map<String, String> before = Rows.tree(snapshot);

    SnapshotVerification verification = verify();

    assertThat(verification.isWell()).isFalse();
    assertThat(verification.failures())
        .containsOnlyKeys("1/graph", "1/ids", "1/live")
        .allSatisfy(
            (path, failure) ->
                assertThat(failure)
                    .isInstanceOf(CorruptIndexException.class)
                    .hasMessageStartingWith(snapshot.resolve(path) + ": "));
    assertThat(verification.failures().values())
        .extracting(VectorIndexException::getMessage)
        .satisfiesExactly(
            graph -> assertThat(graph).contains("its CRC-32C is ", "; the manifest says "),
            cut -> assertThat(cut).endsWith("has 100 bytes; the manifest says 1234"),
            missing -> assertThat(missing).endsWith("missing; the manifest lists it with 0 bytes"));
    assertThat(Rows.tree(snapshot)).isEqualTo(before);
  }

  @Test
  void filesBehindADamagedOneAreReadToo() throws IOException {
    flip("1/ids");
    assertThat(verify().failures()).containsOnlyKeys("1/ids");
    Files.delete(snapshot.resolve("1/graph"));
    assertThat(verify().failures()).containsOnlyKeys("1/graph", "1/ids");
  }

  /** Answers in place of the disk, or leaves it to the disk. */
  @FunctionalInterface
  private interface Fault {
    @Nullable Object answer(String method, Object path) throws IOException;
  }

  private FileOperations disk(Fault fault) {
    return (FileOperations)
        Proxy.newProxyInstance(
            getClass().getClassLoader(),
            new Class<?>[] {FileOperations.class},
            (self, method, arguments) -> {
              Object answer = fault.answer(method.getName(), arguments[0]);
              if (answer != null) {
                return answer;
              }
              try {
                return method.invoke(FileOperations.disk(), arguments);
              } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
              }
            });
  }

  @Test
  void aFileThatCannotBeReadIsNamedAndTheOthersAreRead() throws IOException {
    flip("1/ids");
    FileOperations badSector =
        disk(
            (method, path) -> {
              if (method.equals("open") && path.equals(snapshot.resolve("1/graph"))) {
                throw new IOException("Input/output error");
              }
              return null;
            });

    Map<String, VectorIndexException> failures = verify(badSector).failures();

    assertThat(failures).containsOnlyKeys("1/graph", "1/ids");
    assertThat(failures.get("1/graph"))
        .isInstanceOf(IndexIoException.class)
        .hasMessage("reading " + snapshot.resolve("1/graph") + ": Input/output error");
    assertThat(failures.get("1/ids")).isInstanceOf(CorruptIndexException.class);
  }

  @Test
  void itTellsHowFarItHasComeWhateverIsDamaged() throws IOException {
    for (boolean damaged : new boolean[] {false, true}) {
      if (damaged) {
        Files.delete(snapshot.resolve("1/graph"));
      }
      List<Long> heard = new ArrayList<>();
      SnapshotReader.verify(
          SnapshotSource.of(snapshot),
          FileOperations.disk(),
          (done, total) -> {
            heard.add(done);
            assertThat(total).isEqualTo(11_234);
          });
      assertThat(heard).isSorted().endsWith(11_234L);
    }
  }

  @Test
  void aDamagedManifestIsAnExceptionAsForAllReaders() throws IOException {
    flip("manifest.json");
    assertThatThrownBy(this::verify)
        .isInstanceOf(CorruptIndexException.class)
        .hasMessageStartingWith(snapshot.resolve("manifest.json") + ": ");
    Files.delete(snapshot.resolve("manifest.json"));
    assertThatThrownBy(this::verify).isInstanceOf(ForeignFileException.class);
  }

  @Test
  void filesInMemoryAreVerifiedAlike() throws IOException {
    Map<String, MemorySegment> files = new HashMap<>();
    files.put("manifest.json", bytes("manifest.json"));
    saved.files().forEach(entry -> files.put(entry.path(), bytes(entry.path())));
    SnapshotSource memory = SnapshotSource.of(files);
    assertThat(SnapshotReader.verify(memory, FileOperations.disk(), (done, total) -> {}).failures())
        .isEmpty();
    flip("1/graph");
    files.put("1/graph", bytes("1/graph"));
    files.remove("1/ids");
    assertThat(
            SnapshotReader.verify(
                    SnapshotSource.of(files), FileOperations.disk(), (done, total) -> {})
                .failures())
        .containsOnlyKeys("1/graph", "1/ids");
  }

  private MemorySegment bytes(String name) {
    try {
      return MemorySegment.ofArray(Files.readAllBytes(snapshot.resolve(name)));
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  @Test
  void aGenerationIsHeldWhileItIsVerifiedAndGivenBack() {
    List<List<String>> seen = new ArrayList<>();
    SnapshotReader.verify(
        SnapshotSource.of(snapshot),
        FileOperations.disk(),
        (done, total) -> {
          if (seen.isEmpty()) {
            Rows.save(snapshot, 6);
            seen.add(Rows.names(snapshot));
          }
        });
    assertThat(seen.get(0)).contains("1", "2");
    Rows.save(snapshot, 7);
    assertThat(Rows.names(snapshot)).containsExactly("3", "lock", "manifest.json");
  }

  /** Where locks do not reach, a synchronised copy for example. */
  @Test
  void aSnapshotThatIsReplacedMeanwhileIsVerifiedAnew() throws IOException {
    Path other = temporary.resolve("other");
    for (int save = 1; save <= 3; save++) {
      Rows.save(other, save);
    }
    AtomicInteger heard = new AtomicInteger();
    SnapshotVerification verification =
        SnapshotReader.verify(
            SnapshotSource.of(snapshot),
            FileOperations.disk(),
            (done, total) -> {
              if (heard.incrementAndGet() == 1) {
                replaceBy(other);
              }
            });
    assertThat(verification.isWell()).isTrue();
    assertThat(verification.manifest().generation()).isEqualTo(3);
  }

  private void replaceBy(Path other) {
    try {
      Rows.delete(snapshot);
      Files.move(other, snapshot);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  // ---------------------------------------------------------------------- what a save would meet

  private static void check(Path directory) {
    new SnapshotWriter(directory, FileOperations.disk()).check();
  }

  @Test
  void aPlaceThatCanBeSavedToIsLeftAsItIs() throws IOException {
    Path empty = Files.createDirectory(temporary.resolve("empty"));
    Map<String, String> before = Rows.tree(temporary);
    for (Path directory : List.of(snapshot, empty, temporary.resolve("new"))) {
      assertThatCode(() -> check(directory)).doesNotThrowAnyException();
    }
    assertThat(Rows.tree(temporary)).isEqualTo(before);
  }

  @Test
  void whatASaveWouldRefuseIsRefusedBeforehand() throws IOException {
    Path file = Files.writeString(temporary.resolve("letter.txt"), "dear");
    Path other = Files.createDirectory(temporary.resolve("other"));
    Files.writeString(other.resolve("holiday.jpg"), "sun");
    assertThatThrownBy(() -> check(file))
        .isInstanceOf(ForeignFileException.class)
        .hasMessage(file + " is a file; a snapshot is a directory");
    assertThatThrownBy(() -> check(other))
        .isInstanceOf(ForeignFileException.class)
        .hasMessageContaining("it holds holiday.jpg");
    for (Path parent : List.of(file, temporary.resolve("none"))) {
      assertThatThrownBy(() -> check(parent.resolve("new")))
          .isInstanceOf(IndexIoException.class)
          .hasMessage("creating " + parent.resolve("new") + ": " + parent + " is no directory");
    }
    FileOperations readOnly =
        disk((method, path) -> method.equals("isWritable") ? Boolean.FALSE : null);
    for (Path directory : List.of(snapshot, temporary.resolve("new"))) {
      assertThatThrownBy(() -> new SnapshotWriter(directory, readOnly).check())
          .isInstanceOf(ReadOnlyIndexException.class)
          .hasMessageStartingWith("creating files in " + temporary);
    }
    flip("manifest.json");
    assertThatThrownBy(() -> check(snapshot)).isInstanceOf(CorruptIndexException.class);
  }
}
