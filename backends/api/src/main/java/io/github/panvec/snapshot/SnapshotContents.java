package io.github.panvec.snapshot;

import io.github.panvec.Metric;
import io.github.panvec.SnapshotManifest;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/**
 * What a backend gives to be saved: one version of an index.
 *
 * @param backend name of the backend, by which the snapshot is opened
 * @param backendVersion its upstream version
 * @param metric metric of the index
 * @param dimension components per vector
 * @param parameters parameters by name: whole numbers and strings. Not the path of a live database
 * @param size live vectors
 * @param dead rows in the files that are not live
 * @param details what else is needed to open it, by name: whole numbers, booleans and strings
 * @param files in the order in which they are to be written
 */
public record SnapshotContents(
    String backend,
    String backendVersion,
    Metric metric,
    int dimension,
    Map<String, Object> parameters,
    long size,
    long dead,
    Map<String, Object> details,
    List<SnapshotContent> files) {

  public SnapshotContents {
    Objects.requireNonNull(backend, "backend");
    Objects.requireNonNull(backendVersion, "backendVersion");
    Objects.requireNonNull(metric, "metric");
    if (dimension < 1 || size < 0 || dead < 0) {
      throw new IllegalArgumentException(
          "dimension " + dimension + ", size " + size + ", dead " + dead);
    }
    parameters = Map.copyOf(parameters);
    details = Map.copyOf(details);
    files = List.copyOf(files);
    Set<String> names = new HashSet<>();
    for (SnapshotContent file : files) {
      if (!GenerationFiles.isName(file.name()) || !names.add(file.name())) {
        throw new IllegalArgumentException(
            "\"" + file.name() + "\" is no name for a file, or stands there twice");
      }
    }
  }

  /** As the manifest of that generation, with the files as they were written. */
  SnapshotManifest manifest(long generation, List<SnapshotManifest.Entry> entries) {
    return new SnapshotManifest(
        SnapshotManifest.FORMAT,
        backend,
        backendVersion,
        metric,
        dimension,
        parameters,
        size,
        dead,
        details,
        generation,
        entries);
  }
}
