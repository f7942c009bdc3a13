package io.github.panvec;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;

/** Where a snapshot is read from: a directory, memory, or elsewhere. Immutable. */
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
   * @param name what messages call it
   * @param files by path: native memory, or arrays of bytes. The segments must be accessible from
   *     every thread that uses the index, and neither change nor be freed as long as it is open
   */
  record Memory(String name, Map<String, MemorySegment> files) implements SnapshotSource {
    public Memory {
      Objects.requireNonNull(name, "name");
      files = Map.copyOf(files);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  /**
   * Files that are fetched when the snapshot is opened, from an object store for example, and freed
   * with the index.
   *
   * @param name what messages call it
   * @param fetcher gets one file
   */
  record Fetched(String name, Fetcher fetcher) implements SnapshotSource {
    public Fetched {
      Objects.requireNonNull(name, "name");
      Objects.requireNonNull(fetcher, "fetcher");
    }

    @Override
    public String toString() {
      return name;
    }
  }

  /** Gets the files of a snapshot from wherever they are. Used by several threads at a time. */
  @FunctionalInterface
  interface Fetcher {
    /**
     * One whole file.
     *
     * @param path its path within the snapshot, with slashes, as {@link Memory} has it
     * @param arena where native memory for it comes from; closed when it is needed no more
     * @return the content: of that arena, an array of bytes, or what stays as long as the index
     * @throws IOException when there is no such file, or it cannot be fetched; the message goes
     *     into that of an {@link IndexIoException}
     */
    MemorySegment fetch(String path, Arena arena) throws IOException;
  }

  /** The snapshot in that directory. */
  static SnapshotSource of(Path directory) {
    return new Directory(directory);
  }

  /** The snapshot in these files, by path, as {@link Memory} has it. */
  static SnapshotSource of(Map<String, MemorySegment> files) {
    return of("snapshot in memory", files);
  }

  /** As {@link #of(Map)}, with a name for messages. */
  static SnapshotSource of(String name, Map<String, MemorySegment> files) {
    return new Memory(name, files);
  }

  /** The snapshot of that name, file by file from {@code fetcher}. */
  static SnapshotSource of(String name, Fetcher fetcher) {
    return new Fetched(name, fetcher);
  }
}
