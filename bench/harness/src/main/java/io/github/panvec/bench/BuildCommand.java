package io.github.panvec.bench;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.IndexIoException;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.ReadOnlyIndexException;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.UnknownBackendException;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import io.github.panvec.bench.data.Batches;
import io.github.panvec.bench.data.Datasets;
import io.github.panvec.bench.data.IdFile;
import io.github.panvec.bench.data.VectorSet;
import io.github.panvec.bench.soak.SoakRun;
import io.github.panvec.snapshot.FileOperations;
import io.github.panvec.snapshot.SnapshotWriter;
import io.github.panvec.spi.VectorBackend;
import java.io.PrintWriter;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Makes a snapshot of a file of vectors. */
@Command(
    name = "build",
    sortOptions = false,
    description = {
      "Build an index of the vectors in a file, and save it.",
      "What is there already at --out is replaced when the new index is complete, and not before."
    },
    footer = {
      "",
      "For example: panvec build --backend hnswlib --input embedded --out words.panvec",
      "The exit code is 2, and nothing is written, when a parameter, a vector or an id is not one"
          + " that the index takes, or --out holds something else."
    })
final class BuildCommand implements Callable<Integer> {
  private static final String EXPECTED_ROWS = "expectedRows";

  private final PrintWriter out;
  private final Progress progress;

  @Option(
      names = "--backend",
      required = true,
      paramLabel = "NAME",
      description = "The engine; panvec eval --list names them.")
  private String backendName;

  @Option(
      names = "--set",
      paramLabel = "NAME=VALUE",
      description =
          "A parameter of the backend, for example m=32 or type=ivf_pq. See panvec eval --list.")
  private Map<String, String> parameters = new LinkedHashMap<>();

  @Option(
      names = "--input",
      required = true,
      paramLabel = "FILE|NAME",
      description = {
        "The vectors: all rows of a .fvecs, .ivecs or .npy (float32, float16) file, \"train\" of an"
            + " ann-benchmarks .hdf5 file, base.npy of a folder, or the base of embedded, glove-100"
            + " or fashion-mnist-784."
      })
  private String input;

  @Option(
      names = "--ids",
      paramLabel = "FILE",
      description =
          "An id for each row of the input: text with a whole number in each line, or a .npy of"
              + " int64. Default: the row's number, from 0.")
  private @Nullable Path idFile;

  @Option(
      names = "--metric",
      paramLabel = "METRIC",
      description = "l2, cosine or dot. Default: the input's own, else cosine.")
  private @Nullable String metricName;

  @Option(names = "--rows", paramLabel = "N", description = "Only the first N rows of the input.")
  private @Nullable Integer rows;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description =
          "Where to: a directory that is new or empty, or a snapshot, which gets a new generation.")
  private Path directory;

  BuildCommand(PrintWriter out, Progress progress) {
    this.out = out;
    this.progress = progress;
  }

  @Override
  public Integer call() {
    require(rows == null || rows >= 1, "--rows must be at least 1, not " + rows);
    require(
        !parameters.containsKey(SoakRun.PATH_PARAMETER),
        "--set path: the index is built in memory and saved to --out");
    VectorBackend backend = backend();
    checkTarget();
    try (Arena arena = Arena.ofShared()) {
      Datasets.Rows given =
          Datasets.rows(input, Datasets.Part.BASE, arena, CacheFolder.path(), progress);
      VectorSet all = given.vectors();
      VectorSet vectors = all.head(rows == null ? all.rows() : rows);
      IndexSpec spec = spec(backend, vectors, metric(given));
      long @Nullable [] ids = ids(all, vectors.rows());
      long began = System.nanoTime();
      try (VectorIndex index = Panvec.create(spec)) {
        add(index, vectors, ids);
        long built = System.nanoTime();
        SnapshotManifest manifest =
            progress.during("Saving to " + directory, () -> index.save(directory));
        report(manifest, built - began, System.nanoTime() - built);
      }
    }
    return 0;
  }

  private static void require(boolean holds, String message) {
    if (!holds) {
      throw new InputException(message);
    }
  }

  private VectorBackend backend() {
    try {
      return Panvec.backend(backendName.strip());
    } catch (UnknownBackendException unknown) {
      throw new InputException(unknown.getMessage(), unknown);
    }
  }

  /** A build may take hours; that its result has no place is to be known before. */
  private void checkTarget() {
    try {
      new SnapshotWriter(directory, FileOperations.disk()).check();
    } catch (ForeignFileException
        | CorruptIndexException
        | ReadOnlyIndexException
        | IndexIoException unfit) {
      throw new InputException("--out: " + unfit.getMessage(), unfit);
    }
  }

  private Metric metric(Datasets.Rows given) {
    if (metricName != null) {
      try {
        return Metric.of(metricName);
      } catch (IllegalArgumentException unknown) {
        throw new InputException(unknown.getMessage(), unknown);
      }
    }
    return given.metric() == null ? Metric.COSINE : given.metric();
  }

  private IndexSpec spec(VectorBackend backend, VectorSet vectors, Metric metric) {
    Variant variant = new Variant(backend, parameters, backend.name(), false);
    IndexSpec spec = variant.spec(vectors.dimension(), metric);
    // Known here, and what the defaults of some indexes depend on.
    if (variant.takes(EXPECTED_ROWS) && !parameters.containsKey(EXPECTED_ROWS)) {
      spec = spec.with(EXPECTED_ROWS, vectors.rows());
    }
    try {
      require(Panvec.capabilities(spec).snapshots(), backend.name() + " has no snapshots");
    } catch (IllegalArgumentException refused) {
      throw new InputException(refused.getMessage(), refused);
    }
    return spec;
  }

  private long @Nullable [] ids(VectorSet all, int count) {
    if (idFile == null) {
      return null;
    }
    long[] ids = IdFile.read(idFile);
    require(
        ids.length == all.rows(),
        idFile + ": holds " + ids.length + " ids, the input has " + all.rows() + " rows");
    return Arrays.copyOf(ids, count);
  }

  private void add(VectorIndex index, VectorSet vectors, long @Nullable [] ids) {
    IndexSpec spec = index.spec();
    progress.step(
        "Building "
            + spec.backend()
            + " over "
            + Amounts.count(vectors.rows())
            + " x "
            + vectors.dimension());
    try (Batches batches = new Batches(vectors, ids)) {
      while (batches.next()) {
        int first = batches.first();
        vectors.check(first, batches.count(), spec.metric());
        index.addAll(
            batches.ids(),
            batches.rows(),
            WriteOptions.defaults()
                .progress((done, total) -> progress.at(first + done, vectors.rows())));
        progress.at(first + batches.count(), vectors.rows());
      }
    }
  }

  private void report(SnapshotManifest manifest, long buildNanos, long saveNanos) {
    progress.clear();
    out.println(directory + ": " + GivenSnapshot.inWords(manifest));
    out.printf(
        "built in %s, saved in %s: %s, %s%n",
        Amounts.seconds(buildNanos),
        Amounts.seconds(saveNanos),
        Amounts.of(manifest.files().size(), "file"),
        Amounts.bytes(manifest.bytes()));
  }
}
