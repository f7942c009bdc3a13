package io.github.panvec.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.IndexIoException;
import io.github.panvec.Panvec;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.Verify;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Snapshots that are opened later, and such that are fetched. */
class SnapshotLeaseTest {
  @TempDir private Path temporary;
  private Path snapshot;

  @BeforeEach
  void name() {
    snapshot = temporary.resolve("chunks.panvec");
  }

  @Test
  void aLeasedGenerationIsOpenedWhateverIsSavedMeanwhile() {
    Rows.save(snapshot, 1);
    try (SnapshotLease lease = SnapshotLease.of(SnapshotSource.of(snapshot))) {
      for (int save = 2; save < 5; save++) {
        Rows.save(snapshot, save);
        assertThat(lease.manifest().generation()).isEqualTo(1);
        try (SnapshotReader one = lease.open(Verify.FULL, (done, total) -> {});
            SnapshotReader other = lease.open(Verify.SIZES, (done, total) -> {})) {
          Rows.assertIs(1, one);
          Rows.assertIs(1, other);
          assertThat(one).hasToString(snapshot.toString());
        }
        assertThat(Rows.number(snapshot)).isEqualTo(save);
      }
      assertThat(Rows.names(snapshot)).contains("1", "4");
    }
    Rows.save(snapshot, 5);
    assertThat(Rows.names(snapshot)).containsExactly("5", "lock", "manifest.json");
  }

  @Test
  void whatALeaseOpenedOutlivesIt() {
    Rows.save(snapshot, 1);
    SnapshotLease lease = SnapshotLease.of(SnapshotSource.of(snapshot));
    try (SnapshotReader reader = lease.open(Verify.FULL, (done, total) -> {})) {
      lease.close();
      lease.close();
      Rows.save(snapshot, 2);
      Rows.assertIs(1, reader);
      assertThat(Rows.names(snapshot)).contains("1");
    }
    Rows.save(snapshot, 3);
    assertThat(Rows.names(snapshot)).doesNotContain("1");
  }

  @Test
  void whatTheListenerThrowsEndsOpeningAndLeavesNoLease() {
    Rows.save(snapshot, 1);
    RuntimeException enough = new RuntimeException("enough");
    SnapshotLease lease = SnapshotLease.of(SnapshotSource.of(snapshot));
    assertThatThrownBy(
            () ->
                lease.open(
                    Verify.FULL,
                    (done, total) -> {
                      throw enough;
                    }))
        .isSameAs(enough);
    lease.close();
    Rows.save(snapshot, 2);
    assertThat(Rows.names(snapshot)).doesNotContain("1");
  }

  @Test
  void noSnapshotIsNotLeased() throws IOException {
    assertThatThrownBy(() -> SnapshotLease.of(SnapshotSource.of(snapshot)))
        .isInstanceOf(ForeignFileException.class);
    Rows.save(snapshot, 1);
    Files.write(snapshot.resolve("manifest.json"), new byte[7]);
    assertThatThrownBy(() -> SnapshotLease.of(SnapshotSource.of(snapshot)))
        .isInstanceOf(CorruptIndexException.class);
  }

  /** Files of the directory, and the memory that they were fetched to. */
  private SnapshotSource fetched(List<MemorySegment> segments) {
    return SnapshotSource.of(
        "the store",
        (path, arena) -> {
          byte[] bytes = Files.readAllBytes(snapshot.resolve(path));
          MemorySegment segment = arena.allocate(bytes.length + 1L).asSlice(0, bytes.length);
          segments.add(segment.copyFrom(MemorySegment.ofArray(bytes)));
          return segment.asReadOnly();
        });
  }

  @Test
  void fetchedFilesAreThereUntilTheReaderIsClosed() throws IOException {
    SnapshotManifest written = Rows.save(snapshot, 3);
    List<MemorySegment> segments = new ArrayList<>();
    SnapshotSource source = fetched(segments);
    assertThat(Panvec.describe(source)).isEqualTo(written);
    assertThat(segments).noneMatch(segment -> segment.scope().isAlive());
    try (SnapshotReader reader = SnapshotReader.open(source, Verify.FULL)) {
      Rows.assertIs(3, reader);
      assertThat(reader.path("ids")).isEmpty();
      assertThat(reader).hasToString("the store");
      assertThat(reader.corrupt("ids", "is odd")).hasMessage("the store, 1/ids: is odd");
      assertThat(segments).filteredOn(segment -> segment.scope().isAlive()).hasSize(3);
    }
    assertThat(segments).noneMatch(segment -> segment.scope().isAlive());
    assertThat(SnapshotReader.verify(source, FileOperations.disk(), (done, total) -> {}).isWell())
        .isTrue();
    byte[] bytes = Files.readAllBytes(snapshot.resolve("1/graph"));
    bytes[3000] ^= 2;
    Files.write(snapshot.resolve("1/graph"), bytes);
    Files.delete(snapshot.resolve("1/ids"));
    assertThatThrownBy(() -> SnapshotReader.open(source, Verify.FULL))
        .isInstanceOf(IndexIoException.class)
        .hasMessageStartingWith("reading the store, 1/ids: ");
    assertThat(SnapshotReader.verify(source, FileOperations.disk(), (done, total) -> {}).failures())
        .containsOnlyKeys("1/graph", "1/ids");
    assertThat(segments).noneMatch(segment -> segment.scope().isAlive());
  }

  @Test
  void arraysMayBeFetchedToo() {
    Rows.save(snapshot, 3);
    SnapshotSource source =
        SnapshotSource.of(
            "arrays",
            (String path, Arena arena) ->
                MemorySegment.ofArray(Files.readAllBytes(snapshot.resolve(path))));
    try (SnapshotReader reader = SnapshotReader.open(source, Verify.FULL)) {
      Rows.assertIs(3, reader);
    }
  }
}
