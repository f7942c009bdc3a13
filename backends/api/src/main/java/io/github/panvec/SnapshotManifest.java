package io.github.panvec;

import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * What {@code manifest.json} of a snapshot says.
 *
 * @param format version of the snapshot's layout
 * @param backend the backend that wrote it and reads it, see {@link Panvec#backend}
 * @param backendVersion the backend's {@code upstreamVersion()} when it was written
 * @param metric metric of the index
 * @param dimension components per vector
 * @param parameters the parameters of the index by name, sorted; {@link Long} or {@link String}
 * @param size live vectors
 * @param dead rows that were removed or replaced and are still in the files
 * @param details what else the backend noted, by name, sorted; {@link Long}, {@link Boolean} or
 *     {@link String}
 * @param generation counts the saves to this directory, from 1; also the name of the folder that
 *     the files lie in
 * @param files every file of the snapshot except the manifest, in the order of writing
 */
public record SnapshotManifest(
    int format,
    String backend,
    String backendVersion,
    Metric metric,
    int dimension,
    Map<String, Object> parameters,
    long size,
    long dead,
    Map<String, Object> details,
    long generation,
    List<Entry> files) {

  /** The version of the layout that this Panvec writes, and the only one that it reads. */
  public static final int FORMAT = 1;

  /**
   * One file.
   *
   * @param path where it lies within the snapshot, with a slash, for example {@code 7/graph}
   * @param bytes its length
   * @param crc32c CRC-32C of its content
   */
  public record Entry(String path, long bytes, int crc32c) {
    public Entry {
      Objects.requireNonNull(path, "path");
    }

    /** The name that the backend knows it by: the path without the generation. */
    public String name() {
      return path.substring(path.indexOf('/') + 1);
    }

    /** For example {@code 7/graph (1024 bytes, CRC-32C 0a1b2c3d)}. */
    @Override
    public String toString() {
      return path + String.format(Locale.ROOT, " (%d bytes, CRC-32C %08x)", bytes, crc32c);
    }
  }

  public SnapshotManifest {
    Objects.requireNonNull(backend, "backend");
    Objects.requireNonNull(backendVersion, "backendVersion");
    Objects.requireNonNull(metric, "metric");
    parameters = scalars(parameters);
    details = scalars(details);
    files = List.copyOf(files);
  }

  /** Backend, dimension, metric and parameters. */
  public IndexSpec spec() {
    IndexSpec spec = IndexSpec.of(backend, dimension, metric);
    for (Map.Entry<String, Object> parameter : parameters.entrySet()) {
      spec = spec.with(parameter.getKey(), parameter.getValue());
    }
    return spec;
  }

  /** Bytes of all files. */
  public long bytes() {
    return files.stream().mapToLong(Entry::bytes).sum();
  }

  private static Map<String, Object> scalars(Map<String, Object> given) {
    Map<String, Object> sorted = new TreeMap<>();
    given.forEach(
        (name, value) -> {
          if (value instanceof Integer number) {
            sorted.put(name, number.longValue());
          } else if (value instanceof Long || value instanceof Boolean || value instanceof String) {
            sorted.put(name, value);
          } else {
            throw new IllegalArgumentException(
                name + " must be a whole number, a boolean or a string, not " + value);
          }
        });
    return Collections.unmodifiableMap(sorted);
  }
}
