package io.github.panvec.snapshot;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Metric;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.Verify;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;

/** Contents for snapshots: random bytes that follow from a number. */
final class Rows {
  static final Map<String, Integer> SIZES = Map.of("graph", 10_000, "ids", 1_234, "live", 0);

  private Rows() {}

  static byte[] bytes(int number, String name) {
    byte[] bytes = new byte[SIZES.get(name)];
    new Random(31L * number + name.hashCode()).nextBytes(bytes);
    return bytes;
  }

  /** The version of that number. */
  static SnapshotContents version(int number) {
    List<SnapshotContent> files = new ArrayList<>();
    for (String name : List.of("graph", "ids", "live")) {
      byte[] bytes = bytes(number, name);
      files.add(
          SnapshotContent.of(
              name,
              sink -> {
                MemorySegment all = MemorySegment.ofArray(bytes);
                sink.write(all.asSlice(0, bytes.length / 3));
                sink.write(all.asSlice(bytes.length / 3));
              }));
    }
    return contents(number, files);
  }

  static SnapshotContents contents(int number, List<SnapshotContent> files) {
    return new SnapshotContents(
        "toy",
        "1.2",
        Metric.DOT,
        16,
        Map.of("m", 32, "kind", "näive \"x\"\n"),
        number,
        number % 3,
        Map.of("trained", true, "levels", 4L),
        files);
  }

  static SnapshotManifest save(Path directory, int number) {
    return new SnapshotWriter(directory, FileOperations.disk()).write(version(number));
  }

  static SnapshotReader open(Path directory) {
    return SnapshotReader.open(SnapshotSource.of(directory), Verify.FULL);
  }

  /** The number of the version that is there, all of whose bytes are as they were written. */
  static int number(Path directory) {
    try (SnapshotReader reader = open(directory)) {
      int number = (int) reader.manifest().size();
      assertIs(number, reader);
      return number;
    }
  }

  static void assertIs(int number, SnapshotReader reader) {
    for (String name : SIZES.keySet()) {
      assertThat(reader.file(name).toArray(ValueLayout.JAVA_BYTE))
          .as(name)
          .isEqualTo(bytes(number, name));
    }
  }

  /** Everything in a directory, by path; texts as they are, else length and hash. */
  static Map<String, String> tree(Path directory) throws IOException {
    Map<String, String> tree = new TreeMap<>();
    try (Stream<Path> paths = Files.walk(directory)) {
      for (Path path : paths.toList()) {
        String name = directory.relativize(path).toString();
        tree.put(name, Files.isDirectory(path) ? "directory" : text(Files.readAllBytes(path)));
      }
    }
    return tree;
  }

  private static String text(byte[] bytes) {
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    return text.matches("[ -~\\n]*") ? text : bytes.length + " bytes, " + Arrays.hashCode(bytes);
  }

  static List<String> names(Path directory) {
    try {
      return FileOperations.disk().list(directory);
    } catch (IOException failed) {
      throw new AssertionError(failed);
    }
  }

  static void delete(Path directory) throws IOException {
    try (Stream<Path> paths = Files.walk(directory)) {
      for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
    }
  }
}
