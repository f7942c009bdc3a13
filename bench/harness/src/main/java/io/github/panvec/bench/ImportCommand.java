package io.github.panvec.bench;

import io.github.panvec.ForeignFileException;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SnapshotManifest;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Makes a snapshot of a file that an engine wrote by itself. */
@Command(
    name = "import",
    sortOptions = false,
    description = {
      "Make a snapshot of a file that an engine wrote by itself, from Python for example.",
      "hnswlib's save_index, usearch's save, faiss.write_index, or a database with a table of"
          + " sqlite-vec. Labels become ids, what is marked as deleted is left out, graphs are taken"
          + " over. The file is checked in a process of its own, and never changed."
    },
    footer = {
      "",
      "For example: panvec import --backend hnswlib --metric cosine --input words.bin --out"
          + " words.panvec",
      "The exit code is 2 when the file is of another kind than was said, or --out is not free, 1"
          + " when it is damaged. There is nothing at --out then."
    })
final class ImportCommand implements Callable<Integer> {
  private final PrintWriter out;
  private final Progress progress;

  @Option(
      names = "--backend",
      required = true,
      paramLabel = "NAME",
      description = "The engine that wrote it; panvec eval --list names them.")
  private String backend;

  @Option(
      names = "--metric",
      required = true,
      paramLabel = "METRIC",
      description =
          "l2, cosine or dot. hnswlib's files do not say; for cosine the vectors of hnswlib and"
              + " FAISS must be unit vectors, as they are when one searches by it there.")
  private String metricName;

  @Option(
      names = "--dimension",
      paramLabel = "D",
      description = "Refuse a file of another dimension. Default: the file's.")
  private @Nullable Integer dimension;

  @Option(
      names = "--set",
      paramLabel = "NAME=VALUE",
      description =
          "A parameter of the backend, with --dimension; what the file decides must agree.")
  private Map<String, String> parameters = new LinkedHashMap<>();

  @Option(names = "--input", required = true, paramLabel = "FILE", description = "The file.")
  private Path input;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Where to: a directory that is new or empty.")
  private Path directory;

  ImportCommand(PrintWriter out, Progress progress) {
    this.out = out;
    this.progress = progress;
  }

  @Override
  public Integer call() {
    if (dimension == null && !parameters.isEmpty()) {
      throw new InputException("--set needs --dimension");
    }
    long began = System.nanoTime();
    SnapshotManifest manifest = progress.during("Importing " + input, this::read);
    progress.clear();
    out.println(directory + ": " + GivenSnapshot.inWords(manifest));
    out.printf(
        "imported in %s: %s, %s%n",
        Amounts.seconds(System.nanoTime() - began),
        Amounts.of(manifest.files().size(), "file"),
        Amounts.bytes(manifest.bytes()));
    return 0;
  }

  private SnapshotManifest read() {
    try {
      Metric metric = Metric.of(metricName);
      if (dimension == null) {
        return Panvec.importFile(input, backend, metric, directory);
      }
      IndexSpec spec = IndexSpec.of(backend, dimension, metric);
      for (Map.Entry<String, String> parameter : parameters.entrySet()) {
        spec = spec.with(parameter.getKey(), parameter.getValue());
      }
      return Panvec.importFile(input, spec, directory);
    } catch (ForeignFileException
        | IllegalArgumentException
        | UnsupportedOperationException wrong) {
      throw new InputException(wrong.getMessage(), wrong);
    }
  }
}
