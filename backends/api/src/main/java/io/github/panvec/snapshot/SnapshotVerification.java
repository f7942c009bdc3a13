package io.github.panvec.snapshot;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.IndexIoException;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.VectorIndexException;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What {@link SnapshotReader#verify} found.
 *
 * @param manifest what the manifest says
 * @param failures what is wrong, by {@linkplain SnapshotManifest.Entry#path path} in the manifest's
 *     order: a {@link CorruptIndexException} for a file that is missing or not what was saved, an
 *     {@link IndexIoException} for one that cannot be read
 */
public record SnapshotVerification(
    SnapshotManifest manifest, Map<String, VectorIndexException> failures) {

  public SnapshotVerification {
    failures = Collections.unmodifiableMap(new LinkedHashMap<>(failures));
  }

  /** Whether every file is what was saved. */
  public boolean isWell() {
    return failures.isEmpty();
  }
}
