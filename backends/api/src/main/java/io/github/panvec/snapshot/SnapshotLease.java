package io.github.panvec.snapshot;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.IndexIoException;
import io.github.panvec.ProgressListener;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.Verify;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * One generation of a snapshot, to be opened when it is needed, any number of times, whatever is
 * saved meanwhile: as long as this is open no save deletes its files. Only the manifest has been
 * read. Thread-safe.
 */
public final class SnapshotLease implements AutoCloseable {
  private final SnapshotManifest manifest;
  private final SnapshotSource source;
  private final FileOperations operations;
  private final SnapshotLocks.@Nullable Lease lease;

  private SnapshotLease(
      SnapshotManifest manifest,
      SnapshotSource source,
      FileOperations operations,
      SnapshotLocks.@Nullable Lease lease) {
    this.manifest = manifest;
    this.source = source;
    this.operations = operations;
    this.lease = lease;
  }

  /**
   * The generation that the manifest names now.
   *
   * @throws ForeignFileException when there is no snapshot, or one of a later format
   * @throws CorruptIndexException when the manifest is damaged
   * @throws IndexIoException when it cannot be read
   */
  public static SnapshotLease of(SnapshotSource source) {
    return of(source, FileOperations.disk());
  }

  /** As {@link #of(SnapshotSource)}, with other operations for a test. */
  static SnapshotLease of(SnapshotSource source, FileOperations operations) {
    if (!(source instanceof SnapshotSource.Directory named)) {
      SnapshotManifest manifest = SnapshotReader.describe(source, operations);
      return new SnapshotLease(manifest, source, operations, null);
    }
    Path directory = named.path().toAbsolutePath();
    SnapshotSource absolute = SnapshotSource.of(directory);
    try {
      SnapshotReader.Leased leased = SnapshotReader.lease(directory, operations);
      return new SnapshotLease(leased.manifest(), absolute, operations, leased.lease());
    } catch (IOException failed) {
      throw Failures.reading(directory, failed);
    }
  }

  /** What the manifest says. */
  public SnapshotManifest manifest() {
    return manifest;
  }

  /**
   * The files of this generation, verified; independent of this and to be closed by itself.
   *
   * @param listener hears how many bytes of all have been verified; what it throws ends it
   * @throws CorruptIndexException when a file is missing or differs from what the manifest says,
   *     naming it
   * @throws IndexIoException when a file cannot be read
   */
  public SnapshotReader open(Verify verify, ProgressListener listener) {
    if (source instanceof SnapshotSource.Memory memory) {
      return SnapshotReader.openMemory(manifest, memory, verify, listener, null);
    }
    if (source instanceof SnapshotSource.Fetched fetched) {
      return FetchedFiles.open(manifest, fetched, verify, listener);
    }
    Path directory = ((SnapshotSource.Directory) source).path();
    try {
      return SnapshotReader.open(manifest, directory, verify, operations, listener);
    } catch (IOException failed) {
      throw Failures.reading(directory, failed);
    }
  }

  /** Gives the generation free. Idempotent; readers that are open are not affected. */
  @Override
  public void close() {
    if (lease != null) {
      lease.close();
    }
  }
}
