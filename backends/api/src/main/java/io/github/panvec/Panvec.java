package io.github.panvec;

import io.github.panvec.internal.ObservedIndex;
import io.github.panvec.snapshot.FileOperations;
import io.github.panvec.snapshot.SnapshotReader;
import io.github.panvec.spi.VectorBackend;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/** Entry point: which backends there are, and new indexes. Thread-safe. */
public final class Panvec {

  private Panvec() {}

  /**
   * The backends on the class path or module path, by name. Loads no native library.
   *
   * <p>Looks through the thread's context class loader, and through Panvec's own where that finds
   * none.
   *
   * @throws ServiceConfigurationError when a provider is broken
   */
  public static List<VectorBackend> backends() {
    List<VectorBackend> found = load(Thread.currentThread().getContextClassLoader());
    if (found.isEmpty()) {
      found = load(Panvec.class.getClassLoader());
    }
    found.sort(Comparator.comparing(VectorBackend::name));
    return List.copyOf(found);
  }

  private static List<VectorBackend> load(ClassLoader loader) {
    List<VectorBackend> found = new ArrayList<>();
    ServiceLoader.load(VectorBackend.class, loader).forEach(found::add);
    return found;
  }

  /**
   * The backend of that name.
   *
   * @throws UnknownBackendException listing the backends and the nearest name
   */
  public static VectorBackend backend(String name) {
    Objects.requireNonNull(name, "name");
    List<VectorBackend> all = backends();
    for (VectorBackend backend : all) {
      if (backend.name().equals(name)) {
        return backend;
      }
    }
    throw new UnknownBackendException(unknownBackend(name, all));
  }

  /**
   * Available ones with their version; those that are on the path but do not load with their
   * reason.
   */
  private static String unknownBackend(String name, List<VectorBackend> all) {
    List<String> names = all.stream().map(VectorBackend::name).toList();
    StringBuilder text = new StringBuilder(Names.noSuch("backend", name, names));
    Map<Boolean, List<VectorBackend>> byState =
        all.stream()
            .collect(Collectors.partitioningBy(backend -> backend.availability().available()));
    List<VectorBackend> working = byState.get(true);
    text.append(" Available: ")
        .append(
            working.isEmpty()
                ? "none"
                    + (all.isEmpty() ? " (no backend is on the class path or module path)" : "")
                : working.stream()
                    .map(backend -> backend.name() + " " + backend.upstreamVersion())
                    .collect(Collectors.joining(", ")));
    for (VectorBackend backend : byState.get(false)) {
      text.append("; ")
          .append(backend.name())
          .append(" is on the path but did not load: ")
          .append(backend.availability().reason());
    }
    return text.toString();
  }

  /**
   * A new, empty index (or, with a backend's {@code path} parameter, the one that lives there).
   *
   * <p>Its calls are events of JDK Flight Recorder ({@code io.github.panvec.Add}, {@code Search},
   * {@code Train}, {@code Compact}). Two system properties, read when the first index is created,
   * watch it more closely: {@code panvec.flight=FILE} notes each call in a file that survives a
   * crash, {@code panvec.leaks=report} reports indexes that were garbage collected without {@link
   * VectorIndex#close()}, and frees them.
   *
   * @throws UnknownBackendException when no backend has that name
   * @throws IllegalArgumentException when dimension, metric or a parameter is not one that the
   *     backend takes, naming what it takes
   * @throws BackendUnavailableException when the backend's native library cannot be used, naming
   *     every attempt
   */
  public static VectorIndex create(IndexSpec spec) {
    VectorBackend backend = backend(spec.backend());
    return ObservedIndex.create(backend, resolve(spec, backend));
  }

  /**
   * What an index of this spec can do, told without loading native libraries.
   *
   * @throws UnknownBackendException as {@link #create}
   * @throws IllegalArgumentException as {@link #create}
   */
  public static Capabilities capabilities(IndexSpec spec) {
    VectorBackend backend = backend(spec.backend());
    return backend.capabilities(resolve(spec, backend));
  }

  /**
   * What the manifest of a snapshot says. Reads that file alone, and loads no native library; its
   * backend need not be on the path.
   *
   * @param snapshot the directory that was saved to
   * @throws ForeignFileException when there is no snapshot, or one of a later format
   * @throws CorruptIndexException when the manifest is damaged
   * @throws IndexIoException when it cannot be read
   */
  public static SnapshotManifest describe(Path snapshot) {
    return describe(SnapshotSource.of(snapshot));
  }

  /** As {@link #describe(Path)}, of a snapshot wherever it is. */
  public static SnapshotManifest describe(SnapshotSource snapshot) {
    return SnapshotReader.describe(snapshot, FileOperations.disk());
  }

  /**
   * The index that was saved to a directory, in memory, independent of the directory from then on.
   * Every byte is verified before it is used.
   *
   * @param snapshot the directory that was saved to
   * @throws ForeignFileException when there is no snapshot, or one of a later format, or one whose
   *     backend this release does not know well enough
   * @throws CorruptIndexException when a file is missing, or is not what was saved, naming it. It
   *     is never touched
   * @throws IndexIoException when a file cannot be read
   * @throws UnknownBackendException when the backend that saved it is not on the path
   * @throws BackendUnavailableException when the backend's native library cannot be used
   * @throws NativeMemoryException when there is no room for it
   */
  public static VectorIndex open(Path snapshot) {
    return open(SnapshotSource.of(snapshot));
  }

  /** As {@link #open(Path)}, of a snapshot wherever it is. */
  public static VectorIndex open(SnapshotSource snapshot) {
    return index(SnapshotReader.open(snapshot, Verify.FULL), false);
  }

  /**
   * As {@link #view(Path, Verify)}, every byte verified first.
   *
   * @param snapshot the directory that was saved to
   */
  public static VectorIndex view(Path snapshot) {
    return view(snapshot, Verify.FULL);
  }

  /**
   * A read-only index over the files of a snapshot, mapped into memory: it opens at once, and takes
   * at most 24 bytes of memory for each vector, beside the pages that the operating system reads
   * and drops as it likes. Methods that change an index throw {@link
   * UnsupportedOperationException}. Later saves to the directory do not touch what a view reads; it
   * is deleted by the first save after the view was closed. Nobody else may cut the files off
   * meanwhile: to read what is no longer there ends the process.
   *
   * @param snapshot the directory that was saved to
   * @param verify {@link Verify#SIZES} opens without reading; see there for what it does not find
   * @throws ForeignFileException as {@link #open(Path)}
   * @throws CorruptIndexException as {@link #open(Path)}
   * @throws IndexIoException as {@link #open(Path)}
   * @throws UnknownBackendException as {@link #open(Path)}
   * @throws BackendUnavailableException as {@link #open(Path)}
   */
  public static VectorIndex view(Path snapshot, Verify verify) {
    return view(SnapshotSource.of(snapshot), verify);
  }

  /** As {@link #view(Path, Verify)}, of a snapshot wherever it is. */
  public static VectorIndex view(SnapshotSource snapshot, Verify verify) {
    return index(SnapshotReader.open(snapshot, verify), true);
  }

  /**
   * The index in what was read.
   *
   * @param reader closed with a view; at once when it is opened in memory, or not at all
   */
  static VectorIndex index(SnapshotReader reader, boolean asView) {
    boolean kept = false;
    try {
      VectorBackend backend = savedBy(reader.manifest(), reader);
      IndexSpec spec = savedSpec(backend, reader.manifest(), reader);
      VectorIndex index = ObservedIndex.open(backend, spec, reader, asView);
      kept = asView;
      return index;
    } finally {
      if (!kept) {
        reader.close();
      }
    }
  }

  /**
   * What the index in a snapshot can do.
   *
   * @param snapshot for messages
   */
  static Capabilities capabilities(SnapshotManifest manifest, Object snapshot) {
    VectorBackend backend = savedBy(manifest, snapshot);
    return backend.capabilities(savedSpec(backend, manifest, snapshot));
  }

  /**
   * Makes a snapshot of a file that an engine wrote by itself, for example from Python: hnswlib's
   * {@code save_index}, usearch's {@code save}, {@code faiss.write_index}, a database with a table
   * of sqlite-vec. Its labels become the ids; what is marked as deleted is left out. A graph is
   * taken over as it is.
   *
   * <p>The file is read in a process of its own, with the class path or module path of this one,
   * and everything in it is checked: whatever is in it does no harm here. The snapshot is there
   * complete or not at all. To stop it, interrupt the thread: the other process is ended then.
   *
   * @param file never changed
   * @param spec backend, dimension and metric of the index, and parameters for it. What the file
   *     says of them must agree. hnswlib's files say nothing of the metric, and those of hnswlib
   *     and FAISS know no COSINE: their vectors must be unit vectors then, which is checked, but
   *     for FAISS's codes, which do not tell
   * @param snapshot a directory that does not exist or is empty; its parent must exist
   * @return what was made; {@link #open(Path)} and {@link #view(Path)} read it
   * @throws ForeignFileException when it is another kind of file, or one of another metric or
   *     dimension, or one of parameters that the backend does not take, naming the difference; and
   *     when {@code snapshot} is not free
   * @throws CorruptIndexException when the file is damaged, saying where
   * @throws IllegalArgumentException as {@link #create}
   * @throws UnknownBackendException as {@link #create}
   * @throws BackendUnavailableException as {@link #create}
   * @throws IndexIoException when a file cannot be read or written
   * @throws UnsupportedOperationException when the backend reads no such files
   * @throws VectorIndexException when the other process cannot be started, or ends before it is
   *     done, or the thread is interrupted
   */
  public static SnapshotManifest importFile(Path file, IndexSpec spec, Path snapshot) {
    resolve(spec, backend(spec.backend()));
    return new FileImport(file, spec, false, snapshot).run();
  }

  /**
   * As {@link #importFile(Path, IndexSpec, Path)}, with the dimension and the parameters that the
   * file has.
   */
  public static SnapshotManifest importFile(
      Path file, String backend, Metric metric, Path snapshot) {
    IndexSpec any = IndexSpec.of(backend(backend).name(), 1, metric);
    return new FileImport(file, any, true, snapshot).run();
  }

  private static VectorBackend savedBy(SnapshotManifest manifest, Object snapshot) {
    try {
      return backend(manifest.backend());
    } catch (UnknownBackendException unknown) {
      throw new UnknownBackendException(snapshot + ": " + unknown.getMessage());
    }
  }

  private static IndexSpec savedSpec(
      VectorBackend backend, SnapshotManifest manifest, Object snapshot) {
    try {
      return resolve(manifest.spec(), backend);
    } catch (IllegalArgumentException unknown) {
      throw new ForeignFileException(
          snapshot
              + " is not for this version of Panvec: "
              + unknown.getMessage()
              + " (it was written with "
              + backend.name()
              + " "
              + manifest.backendVersion()
              + ")");
    }
  }

  /**
   * The nearest hits of several searches for one query, in indexes that share no id: what one
   * search in one index of all their rows returns, if each of them was for {@code k} hits at least
   * and exact. For indexes that are open; {@link ShardedIndex} does the same for snapshots.
   *
   * @param results each nearest first, as every search returns them
   * @return the first {@code k} by (distance, id); its {@link SearchResult#path() path} is {@link
   *     SearchPath#WALK} when that of one of them is
   * @throws IllegalArgumentException when {@code k < 1}, or an id would come twice
   */
  public static SearchResult merge(List<SearchResult> results, int k) {
    if (k < 1) {
      throw new IllegalArgumentException("k must be at least 1, not " + k);
    }
    Merge merge = new Merge(k);
    for (int i = 0; i < results.size(); i++) {
      merge.add(results.get(i), i);
    }
    Merge.Twice twice = merge.twice();
    if (twice != null) {
      throw new IllegalArgumentException(
          "id " + twice.id() + " is in result " + twice.one() + " and in result " + twice.other());
    }
    return merge.result();
  }

  /** The spec with every parameter checked and parsed, and defaults filled in. */
  static IndexSpec resolve(IndexSpec spec, VectorBackend backend) {
    Capabilities capabilities = backend.capabilities();
    if (!capabilities.metrics().contains(spec.metric())) {
      throw new IllegalArgumentException(
          backend.name() + " takes " + capabilities.metrics() + ", not " + spec.metric());
    }
    if (spec.dimension() > capabilities.maxDimension()) {
      throw new IllegalArgumentException(
          backend.name()
              + " takes dimensions 1 .. "
              + capabilities.maxDimension()
              + ", not "
              + spec.dimension());
    }
    Map<String, Parameter> declared = new LinkedHashMap<>();
    backend.parameters().forEach(parameter -> declared.put(parameter.name(), parameter));
    for (String given : spec.parameters().keySet()) {
      if (!declared.containsKey(given)) {
        throw new IllegalArgumentException(
            Names.unknown(backend.name() + " parameter", given, List.copyOf(declared.keySet())));
      }
    }
    IndexSpec resolved = IndexSpec.of(spec.backend(), spec.dimension(), spec.metric());
    // Those that always apply come first: the others depend on them.
    for (boolean conditional : new boolean[] {false, true}) {
      for (Parameter parameter : declared.values()) {
        if ((parameter.condition() != null) == conditional) {
          resolved = resolve(spec, backend, parameter, resolved);
        }
      }
    }
    backend.capabilities(resolved);
    return resolved;
  }

  private static IndexSpec resolve(
      IndexSpec spec, VectorBackend backend, Parameter parameter, IndexSpec resolved) {
    Object value = spec.parameters().get(parameter.name());
    if (!parameter.appliesTo(resolved.parameters())) {
      if (value != null) {
        String chosen = parameter.condition().parameter();
        throw new IllegalArgumentException(
            backend.name()
                + " takes "
                + parameter.name()
                + " only with "
                + parameter.condition()
                + ", not with "
                + chosen
                + "="
                + resolved.parameters().get(chosen));
      }
      return resolved;
    }
    if (value == null) {
      value = parameter.defaultValue();
    }
    return value == null ? resolved : resolved.with(parameter.name(), parameter.parse(value));
  }
}
