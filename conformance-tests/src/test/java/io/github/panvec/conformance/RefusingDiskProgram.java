package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.IndexIoException;
import io.github.panvec.Panvec;
import io.github.panvec.ReadOnlyIndexException;
import io.github.panvec.VectorIndex;
import io.github.panvec.VectorIndexException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;

/** Saves to a small file system of its own, which is made full first, and then read-only. */
final class RefusingDiskProgram {
  private RefusingDiskProgram() {}

  /**
   * @param arguments a folder; on it is a file system of a few megabytes
   */
  public static void main(String[] arguments) throws Exception {
    Path disk = Path.of(arguments[0]);
    Path filler = disk.resolve("filler");
    int each = 0;
    for (String name : NumberedIndex.kinds()) {
      NumberedIndex kind = NumberedIndex.named(name, null);
      SnapshotFolder saved = new SnapshotFolder(disk.resolve("saved" + each++));
      try (VectorIndex index = Panvec.create(kind.spec())) {
        NumberedIndex.write(index, 0);
        long bytes = index.save(saved.path()).bytes();
        NumberedIndex.write(index, 1);
        int refused = 0;
        // Room for ever more of the next generation, until there is enough.
        for (long room = 0; ; room += Math.max(4096, bytes / 12)) {
          fill(filler, room);
          if (!isRefused(
              index,
              saved,
              IndexIoException.class,
              "(?s).*(No space left on device|disk is full).*")) {
            break;
          }
          refused++;
        }
        assertThat(refused).as(name).isGreaterThan(2);
        Files.delete(filler);
        index.save(saved.path());
        assertThat(saved.names()).hasSize(3);
        assertThat(number(saved)).isEqualTo(1);
        System.out.println(name + ": " + refused + " saves refused by a full disk");
      }
    }
    remountReadOnly(disk);
    for (int i = 0; i < each; i++) {
      NumberedIndex kind = NumberedIndex.named(NumberedIndex.kinds().get(i), null);
      SnapshotFolder saved = new SnapshotFolder(disk.resolve("saved" + i));
      try (VectorIndex index = Panvec.create(kind.spec());
          VectorIndex view = Panvec.view(saved.path())) {
        NumberedIndex.write(index, 2);
        assertThat(isRefused(index, saved, ReadOnlyIndexException.class, "(?s).*")).isTrue();
        assertThat(NumberedIndex.number(view)).isEqualTo(1);
        Path other = disk.resolve("other");
        assertThatThrownBy(() -> index.save(other))
            .isInstanceOf(VectorIndexException.class)
            .hasMessageContaining(other.toString());
      }
    }
    System.out.println("whole");
  }

  private static int number(SnapshotFolder saved) {
    try (VectorIndex index = Panvec.open(saved.path())) {
      return NumberedIndex.number(index);
    }
  }

  /** Whether a save is, with that exception and those words; then everything is as it was. */
  private static boolean isRefused(
      VectorIndex index,
      SnapshotFolder saved,
      Class<? extends VectorIndexException> exception,
      String words) {
    Map<String, ByteBuffer> before = saved.tree();
    int number = number(saved);
    try {
      index.save(saved.path());
      return false;
    } catch (VectorIndexException refused) {
      assertThat(refused)
          .isExactlyInstanceOf(exception)
          .hasMessageContaining(saved.path().toString())
          .hasMessageMatching(words);
    }
    assertThat(saved.tree()).isEqualTo(before);
    assertThat(number(saved)).isEqualTo(number);
    return true;
  }

  /** Leaves so many bytes free, about. */
  private static void fill(Path filler, long room) throws IOException {
    Files.deleteIfExists(filler);
    long free = Files.getFileStore(filler.getParent()).getUsableSpace();
    ByteBuffer page = ByteBuffer.allocate(4096);
    try (FileChannel file =
        FileChannel.open(filler, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      for (long left = free - room; left >= page.capacity(); left -= page.capacity()) {
        file.write(page.clear());
      }
    }
  }

  private static void remountReadOnly(Path disk) throws Exception {
    Process mount =
        new ProcessBuilder("mount", "-o", "remount,ro", disk.toString()).inheritIO().start();
    assertThat(mount.waitFor()).isZero();
  }
}
