package io.github.panvec.spi;

import io.github.panvec.SnapshotManifest;
import io.github.panvec.VectorIndex;
import io.github.panvec.snapshot.FileOperations;
import io.github.panvec.snapshot.SnapshotWriter;
import java.nio.file.Path;

/**
 * An index that has snapshots, as its backend makes it: it says what is saved, and the writer where
 * and by which operations on files. So tests can cut a save off after any of them.
 */
public interface SavableIndex extends VectorIndex {

  /**
   * Saves one state of the index to the writer's directory.
   *
   * @return what was written
   * @throws io.github.panvec.VectorIndexException as {@link #save(Path)} does
   */
  SnapshotManifest save(SnapshotWriter writer);

  @Override
  default SnapshotManifest save(Path directory) {
    return save(new SnapshotWriter(directory, FileOperations.disk()));
  }
}
