package io.github.panvec.bench;

import io.github.panvec.ForeignFileException;
import io.github.panvec.Panvec;
import io.github.panvec.ProgressListener;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.UnknownBackendException;
import io.github.panvec.VectorIndex;
import io.github.panvec.Verify;
import io.github.panvec.snapshot.FileOperations;
import io.github.panvec.snapshot.SnapshotReader;
import io.github.panvec.snapshot.SnapshotVerification;
import java.nio.file.Path;
import java.util.function.Supplier;

/**
 * A snapshot that a person names. That it is none, or not one for this program, is wrong input;
 * that it is damaged is not.
 */
record GivenSnapshot(Path directory) {

  /** What its manifest says. */
  SnapshotManifest manifest() {
    return attempt(() -> Panvec.describe(directory));
  }

  /** The index in memory. */
  VectorIndex open() {
    return attempt(() -> Panvec.open(directory));
  }

  /** The index over its mapped files. */
  VectorIndex view(Verify verify) {
    return attempt(() -> Panvec.view(directory, verify));
  }

  /** Reads every file. */
  SnapshotVerification verify(ProgressListener listener) {
    return attempt(
        () -> SnapshotReader.verify(SnapshotSource.of(directory), FileOperations.disk(), listener));
  }

  private static <T> T attempt(Supplier<T> call) {
    try {
      return call.get();
    } catch (ForeignFileException | UnknownBackendException | UnsupportedOperationException wrong) {
      throw new InputException(wrong.getMessage(), wrong);
    }
  }

  /** In one line what is in a snapshot. */
  static String inWords(SnapshotManifest manifest) {
    return "generation "
        + manifest.generation()
        + ", "
        + manifest.backend()
        + " "
        + manifest.backendVersion()
        + ", "
        + Amounts.of(manifest.size(), "vector")
        + " x "
        + manifest.dimension()
        + ", "
        + manifest.metric();
  }
}
