package io.github.panvec.bench;

import io.github.panvec.ForeignFileException;
import io.github.panvec.VectorIndex;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.CopyOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Writes an engine's own file of a snapshot. */
@Command(
    name = "export",
    sortOptions = false,
    description = {
      "Write what is in a snapshot to a file of the engine's own format.",
      "Python's hnswlib, usearch and faiss read it, or SQLite's shell with sqlite-vec. It has the"
          + " snapshot's ids, and nothing that was removed: where there is any, the index is built"
          + " anew first."
    },
    footer = {
      "",
      "For example: panvec export words.panvec --out words.bin",
      "The exit code is 2, and nothing is written, when --out exists and --force is not given, or"
          + " the format has no place for an id: negative ones have none but in sqlite-vec's."
    })
final class ExportCommand implements Callable<Integer> {
  private final PrintWriter out;
  private final Progress progress;

  @Parameters(index = "0", paramLabel = "DIR", description = "The directory that was saved to.")
  private Path directory;

  @Option(names = "--out", required = true, paramLabel = "FILE", description = "Where to.")
  private Path file;

  @Option(names = "--force", description = "Replace a file that is there.")
  private boolean force;

  ExportCommand(PrintWriter out, Progress progress) {
    this.out = out;
    this.progress = progress;
  }

  @Override
  public Integer call() {
    CopyOption[] options =
        force ? new CopyOption[] {StandardCopyOption.REPLACE_EXISTING} : new CopyOption[0];
    long began = System.nanoTime();
    progress.step("Opening " + directory);
    try (VectorIndex index = new GivenSnapshot(directory).open()) {
      long size =
          progress.during(
              "Exporting to " + file,
              () -> {
                index.export(file, options);
                return index.size();
              });
      progress.clear();
      out.printf(
          "%s: %s of %s, %s, in %s%n",
          file,
          Amounts.of(size, "vector"),
          index.spec().backend(),
          Amounts.bytes(bytes()),
          Amounts.seconds(System.nanoTime() - began));
      return 0;
    } catch (ForeignFileException
        | IllegalArgumentException
        | IllegalStateException
        | UnsupportedOperationException wrong) {
      throw new InputException(wrong.getMessage(), wrong);
    }
  }

  private long bytes() {
    try {
      return Files.size(file);
    } catch (IOException gone) {
      throw new UncheckedIOException(gone);
    }
  }
}
