package io.github.panvec.bench;

import io.github.panvec.SnapshotManifest;
import io.github.panvec.VectorIndexException;
import io.github.panvec.snapshot.SnapshotVerification;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Parameters;

/** Reads every file of a snapshot and compares it with the manifest. */
@Command(
    name = "verify",
    sortOptions = false,
    description = {
      "Read every byte of a snapshot, and say which of its files are not what was saved.",
      "Each file's length and CRC-32C are compared with the manifest, and the manifest's own with"
          + " its last line. Loads no native library, and changes nothing."
    },
    footer = {
      "",
      "The exit code is 0 when all is well, 1 when a file is missing, differs or cannot be read, 2"
          + " when there is no snapshot, or one of a later version."
    })
final class VerifyCommand implements Callable<Integer> {
  private final PrintWriter out;
  private final Progress progress;

  @Parameters(index = "0", paramLabel = "DIR", description = "The directory that was saved to.")
  private Path directory;

  VerifyCommand(PrintWriter out, Progress progress) {
    this.out = out;
    this.progress = progress;
  }

  @Override
  public Integer call() {
    progress.step("Verifying " + directory);
    SnapshotVerification verification = new GivenSnapshot(directory).verify(progress::at);
    progress.clear();
    SnapshotManifest manifest = verification.manifest();
    out.println(directory + ": " + GivenSnapshot.inWords(manifest));
    for (SnapshotManifest.Entry file : manifest.files()) {
      VectorIndexException failure = verification.failures().get(file.path());
      if (failure == null) {
        out.printf("%-20s ok      %s%n", file.path(), Amounts.bytes(file.bytes()));
      } else {
        out.printf("%-20s FAILED  %s%n", file.path(), failure.getMessage());
      }
    }
    int files = manifest.files().size();
    out.printf(
        "%d of %s %s well%n",
        files - verification.failures().size(),
        Amounts.of(files, "file"),
        files == 1 ? "is" : "are");
    return verification.isWell() ? 0 : 1;
  }
}
