package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.IndexSpec;
import io.github.panvec.Panvec;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.VectorIndex;
import io.github.panvec.spi.SavableIndex;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import java.util.zip.CRC32C;

/** The directory of a snapshot, for tests that look into it, damage it or make it again. */
record SnapshotFolder(Path path) {
  static final String MANIFEST = "manifest.json";
  private static final String LAST_MEMBER = ",\n  \"crc32c\": \"";

  /**
   * The index as its backend makes it, with nothing around it: what can be saved by other
   * operations on files.
   */
  static SavableIndex savable(IndexSpec spec) {
    IndexSpec complete;
    try (VectorIndex index = Panvec.create(spec)) {
      complete = index.spec();
    }
    VectorIndex made = Panvec.backend(spec.backend()).create(complete);
    assertThat(made).isInstanceOf(SavableIndex.class);
    return (SavableIndex) made;
  }

  Path manifest() {
    return path.resolve(MANIFEST);
  }

  /** What the manifest lists. */
  List<Path> dataFiles() {
    return Panvec.describe(path).files().stream()
        .map(SnapshotManifest.Entry::path)
        .map(path::resolve)
        .toList();
  }

  /** The manifest, and what it lists. */
  List<Path> checkedFiles() {
    List<Path> files = new ArrayList<>(List.of(manifest()));
    files.addAll(dataFiles());
    return files;
  }

  List<String> names() {
    try (Stream<Path> paths = Files.list(path)) {
      return paths.map(each -> each.getFileName().toString()).sorted().toList();
    } catch (IOException failed) {
      throw new AssertionError(failed);
    }
  }

  /** Every file in it by its path, but the lock, which says who saved last. */
  Map<String, ByteBuffer> tree() {
    Map<String, ByteBuffer> tree = new TreeMap<>();
    bytes().forEach((name, bytes) -> tree.put(name, ByteBuffer.wrap(bytes)));
    tree.remove("lock");
    return tree;
  }

  private Map<String, byte[]> bytes() {
    Map<String, byte[]> files = new HashMap<>();
    try (Stream<Path> paths = Files.walk(path)) {
      for (Path each : paths.toList()) {
        String name = path.relativize(each).toString().replace('\\', '/');
        files.put(name, Files.isDirectory(each) ? new byte[0] : Files.readAllBytes(each));
      }
    } catch (IOException failed) {
      throw new AssertionError(failed);
    }
    return files;
  }

  /** Its files in memory. */
  Map<String, MemorySegment> inMemory() {
    Map<String, MemorySegment> files = new HashMap<>();
    bytes().forEach((name, bytes) -> files.put(name, MemorySegment.ofArray(bytes)));
    return files;
  }

  /** Puts something else in the manifest's text, and the checksum that makes it whole again. */
  void rewriteManifest(String part, String replacement) throws IOException {
    String text = Files.readString(manifest(), StandardCharsets.US_ASCII);
    assertThat(text).contains(part).contains(LAST_MEMBER);
    String covered = text.substring(0, text.lastIndexOf(LAST_MEMBER)) + LAST_MEMBER;
    covered = covered.replace(part, replacement);
    CRC32C crc = new CRC32C();
    crc.update(covered.getBytes(StandardCharsets.US_ASCII));
    Files.writeString(manifest(), covered + String.format("%08x\"\n}\n", crc.getValue()));
  }

  void delete() throws IOException {
    try (Stream<Path> paths = Files.walk(path)) {
      for (Path each : paths.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(each);
      }
    }
  }

  SnapshotFolder copyTo(Path target) throws IOException {
    try (Stream<Path> paths = Files.walk(path)) {
      for (Path each : paths.toList()) {
        Files.copy(each, target.resolve(path.relativize(each).toString()));
      }
    }
    return new SnapshotFolder(target);
  }
}
