package io.github.panvec;

import io.github.panvec.snapshot.FileOperations;
import io.github.panvec.snapshot.SnapshotContents;
import io.github.panvec.snapshot.SnapshotWriter;
import io.github.panvec.spi.ForeignFile;
import io.github.panvec.spi.VectorBackend;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Makes a snapshot of a foreign file, and opens it once. The main class of a process of its own,
 * which {@link FileImport} starts.
 */
final class ImportProgram {
  private ImportProgram() {}

  /**
   * @param arguments the file, the new directory, where to say how it went, backend, metric,
   *     dimension (0: that of the file), then names and values of parameters in turn
   */
  public static void main(String[] arguments) throws IOException {
    endWithStarter();
    Path file = Path.of(arguments[0]);
    Path outcome = Path.of(arguments[2]);
    String said;
    try {
      run(file, Path.of(arguments[1]), arguments);
      said = FileImport.DONE;
    } catch (InternalError gone) {
      said =
          CorruptIndexException.class.getSimpleName()
              + "\n"
              + file
              + ": it was changed while it was read: "
              + gone.getMessage();
    } catch (OutOfMemoryError full) {
      said =
          NativeMemoryException.class.getSimpleName()
              + "\n"
              + file
              + ": there is no memory for it: "
              + full.getMessage();
    } catch (Throwable failed) {
      said = failed.getClass().getSimpleName() + "\n" + failed.getMessage();
      failed.printStackTrace();
    }
    Files.writeString(outcome, said);
    System.exit(0);
  }

  /** Nobody wants a snapshot whose import was killed. */
  private static void endWithStarter() {
    Thread watch =
        new Thread(
            () -> {
              try {
                while (System.in.read() >= 0) {
                  // Nothing is said.
                }
              } catch (IOException closed) {
                // As if it had ended.
              }
              Runtime.getRuntime().halt(1);
            });
    watch.setDaemon(true);
    watch.start();
  }

  private static void run(Path file, Path directory, String[] arguments) throws IOException {
    VectorBackend backend = Panvec.backend(arguments[3]);
    int dimension = Integer.parseInt(arguments[5]);
    IndexSpec asked =
        IndexSpec.of(backend.name(), Math.max(1, dimension), Metric.valueOf(arguments[4]));
    for (int i = 6; i < arguments.length; i += 2) {
      asked = asked.with(arguments[i], arguments[i + 1]);
    }
    try (Arena arena = Arena.ofShared();
        FileOperations.Input input = FileOperations.disk().open(file)) {
      MemorySegment bytes = input.map(input.size(), arena);
      SnapshotContents contents =
          backend.importFile(
              new ForeignFile(
                  file, bytes, asked, dimension == 0, spec -> Panvec.resolve(spec, backend)));
      new SnapshotWriter(directory, FileOperations.disk()).write(contents);
    }
    try (VectorIndex index = Panvec.open(directory)) {
      index.size();
    } catch (CorruptIndexException corrupt) {
      throw new CorruptIndexException(file + ": " + difference(directory, corrupt.getMessage()));
    }
  }

  /** What is said of a file of the snapshot, without its name. */
  private static String difference(Path directory, String message) {
    String folder = directory.toAbsolutePath().toString();
    int end = message.startsWith(folder) ? message.indexOf(": ", folder.length()) : -1;
    return end < 0 ? message : message.substring(end + 2);
  }
}
