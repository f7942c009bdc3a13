package io.github.panvec.snapshot;

import io.github.panvec.ProgressListener;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.Verify;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Snapshots whose files are fetched: they are opened from memory then. */
final class FetchedFiles {
  private FetchedFiles() {}

  /** The manifest alone. */
  static SnapshotManifest manifest(SnapshotSource.Fetched source) {
    try (Arena arena = Arena.ofShared()) {
      MemorySegment bytes = fetch(source, ManifestFormat.NAME, arena);
      return SnapshotReader.memoryManifest(
          new SnapshotSource.Memory(source.name(), Map.of(ManifestFormat.NAME, bytes)));
    }
  }

  /** All files that this manifest lists, verified. */
  static SnapshotReader open(
      SnapshotManifest manifest,
      SnapshotSource.Fetched source,
      Verify verify,
      ProgressListener listener) {
    Arena arena = Arena.ofShared();
    SnapshotReader reader = null;
    try {
      SnapshotSource.Memory files = fetch(source, manifest.files(), arena);
      reader = SnapshotReader.openMemory(manifest, files, verify, listener, arena);
      return reader;
    } finally {
      if (reader == null) {
        arena.close();
      }
    }
  }

  /** These files, in memory. */
  static SnapshotSource.Memory fetch(
      SnapshotSource.Fetched source, List<SnapshotManifest.Entry> entries, Arena arena) {
    Map<String, MemorySegment> files = new HashMap<>();
    for (SnapshotManifest.Entry entry : entries) {
      files.put(entry.path(), fetch(source, entry.path(), arena));
    }
    return new SnapshotSource.Memory(source.name(), files);
  }

  private static MemorySegment fetch(SnapshotSource.Fetched source, String path, Arena arena) {
    try {
      return source.fetcher().fetch(path, arena);
    } catch (IOException failed) {
      throw Failures.reading(source.name() + ", " + path, failed);
    }
  }
}
