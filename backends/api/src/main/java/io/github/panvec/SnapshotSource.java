package io.github.panvec;

import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;

/** Where a snapshot is read from: a directory, or memory. Immutable. */
public sealed interface SnapshotSource {

  /**
   * A directory that {@code save} wrote.
   *
   * @param path the directory; a symbolic link to it will do
   */
  record Directory(Path path) implements SnapshotSource {
    public Directory {
      Objects.requireNonNull(path, "path");
    }

    @Override
    public String toString() {
      return path.toString();
    }
  }

  /**
   * The files of such a directory, wherever they came from, by their path within it, with slashes:
   * {@code manifest.json}, and what {@link SnapshotManifest#files()} lists. Further ones are
   * ignored.
   *
   * @param files by path: native memory, or arrays of bytes. The segments must be accessible from
   *     every thread that uses the index, and neither change nor be freed as long as it is open
   */
  record Memory(Map<String, MemorySegment> files) implements SnapshotSource {
    public Memory {
      files = Map.copyOf(files);
    }

    @Override
    public String toString() {
      return "snapshot in memory";
    }
  }

  /** The snapshot in that directory. */
  static SnapshotSource of(Path directory) {
    return new Directory(directory);
  }

  /** The snapshot in these files, by path, as {@link Memory} has it. */
  static SnapshotSource of(Map<String, MemorySegment> files) {
    return new Memory(files);
  }
}
