package io.github.panvec.snapshot;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.IndexBusyException;
import io.github.panvec.IndexIoException;
import io.github.panvec.ReadOnlyIndexException;
import io.github.panvec.SnapshotManifest;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Saves to one directory. Whenever a save ends, by its end, an exception, the end of the process or
 * a loss of power, the directory holds the generation from before it or the new one, complete.
 * Thread-safe; one save at a time.
 */
public final class SnapshotWriter {
  private static final String TEMPORARY = ManifestFormat.NAME + ".tmp";
  private static final long BUFFER_BYTES = 1 << 20;

  private final Path directory;
  private final Path manifest;
  private final FileOperations operations;

  /**
   * For saves to that directory.
   *
   * @param directory need not exist; its parent must
   * @param operations {@link FileOperations#disk()}, outside tests
   */
  public SnapshotWriter(Path directory, FileOperations operations) {
    this.directory = directory.toAbsolutePath();
    this.manifest = this.directory.resolve(ManifestFormat.NAME);
    this.operations = operations;
  }

  /** The directory, as an absolute path. */
  public Path directory() {
    return directory;
  }

  /** What a directory holds before a save. */
  private record Before(byte @Nullable [] bytes, @Nullable SnapshotManifest manifest) {
    boolean isFirst() {
      return manifest == null;
    }

    long generation() {
      return manifest == null ? 0 : manifest.generation();
    }
  }

  /** Something on files that may fail. */
  @FunctionalInterface
  private interface Action<T> {
    T run() throws IOException;
  }

  /**
   * Throws what {@link #write} would, as far as that can be known beforehand: for those who work
   * for long before they save. Writes nothing.
   */
  public void check() {
    Path parent = directory.getParent();
    boolean missing = attempt("looking at", directory, this::kind) == FileOperations.Kind.MISSING;
    if (!missing) {
      look();
    } else if (parent != null
        && attempt("looking at", parent, () -> operations.kind(parent))
            != FileOperations.Kind.DIRECTORY) {
      throw new IndexIoException("creating " + directory + ": " + parent + " is no directory");
    }
    Path written = missing && parent != null ? parent : directory;
    if (!operations.isWritable(written)) {
      throw new ReadOnlyIndexException("creating files in " + written + ": permission denied");
    }
  }

  /**
   * Writes a new generation, has it on disk, and puts it in the place of the one before. That one
   * is deleted unless somebody leases it; a later save does it then. Files that no save has written
   * are never touched.
   *
   * @return the manifest of the new generation
   * @throws IndexBusyException when another save to this directory is going on, here or in another
   *     process
   * @throws ForeignFileException when the path is a file, or a directory that holds other things
   *     and no snapshot, or the snapshot of a later version
   * @throws CorruptIndexException when the manifest that is there is damaged
   * @throws ReadOnlyIndexException when the directory cannot be written to
   * @throws IndexIoException when the operating system refuses something else, a full disk for
   *     example
   */
  public SnapshotManifest write(SnapshotContents contents) {
    boolean created = prepareDirectory();
    look();
    try (SnapshotLocks.Writer lock = lock()) {
      Before before = look();
      // What one sees may not be on disk yet; what it replaced must not go before it is.
      attempt("forcing", directory, () -> force(directory));
      long next = 1 + attempt("looking at", directory, () -> cleanUp(before.generation(), lock));
      if (next > GenerationFiles.MAX_GENERATION) {
        throw new ForeignFileException(
            directory
                + " holds "
                + (next - 1)
                + ", of unknown origin, and a generation needs a larger number; nothing was"
                + " written");
      }
      SnapshotManifest written = writeGeneration(contents, next, before, created);
      quietly(() -> removeOlder(written, lock));
      return written;
    }
  }

  // ---------------------------------------------------------------------------------- before it

  /** Whether the directory was created. */
  private boolean prepareDirectory() {
    return attempt("looking at", directory, this::kind) == FileOperations.Kind.MISSING
        && attempt("creating", directory, this::createDirectory);
  }

  /** Nothing or a directory. */
  private FileOperations.Kind kind() throws IOException {
    FileOperations.Kind kind = operations.kind(directory);
    if (kind == FileOperations.Kind.OTHER) {
      throw new ForeignFileException(directory + " is a file; a snapshot is a directory");
    }
    return kind;
  }

  private boolean createDirectory() throws IOException {
    try {
      operations.createDirectory(directory);
      return true;
    } catch (FileAlreadyExistsException byAnotherSave) {
      return false;
    }
  }

  /** Reads the manifest that is there; refuses a directory that is something else. */
  private Before look() {
    byte[] bytes = attempt("reading", manifest, () -> readIfThere(operations, manifest));
    if (bytes != null) {
      return new Before(bytes, ManifestFormat.decode(manifest, bytes));
    }
    attempt(
        "looking at",
        directory,
        () -> {
          for (String name : operations.list(directory)) {
            if (!isOurs(name)) {
              throw new ForeignFileException(
                  directory + " is no snapshot: it holds " + name + "; nothing was written");
            }
          }
          return true;
        });
    return new Before(null, null);
  }

  static byte @Nullable [] readIfThere(FileOperations operations, Path manifest)
      throws IOException {
    return operations.kind(manifest) == FileOperations.Kind.MISSING
        ? null
        : Whole.read(operations, manifest, ManifestFormat.MAX_BYTES);
  }

  /** Whether that is what a save leaves that was killed before there was a manifest. */
  private boolean isOurs(String name) throws IOException {
    if (name.equals(SnapshotLocks.NAME)) {
      return SnapshotLocks.isOurs(operations, directory);
    }
    if (name.equals(TEMPORARY)) {
      return operations.kind(directory.resolve(name)) != FileOperations.Kind.DIRECTORY
          && Whole.isBeginning(
              new String(
                  Whole.read(operations, directory.resolve(name), ManifestFormat.MAX_BYTES),
                  StandardCharsets.ISO_8859_1),
              ManifestFormat.BEGINNING);
    }
    for (long generation : GenerationFiles.generations(List.of(name))) {
      return GenerationFiles.of(operations, directory, generation).areOurs();
    }
    return false;
  }

  private SnapshotLocks.Writer lock() {
    return attempt(
        "locking",
        directory.resolve(SnapshotLocks.NAME),
        () -> SnapshotLocks.forWriting(operations, directory));
  }

  // -------------------------------------------------------------------------------------- writing

  private SnapshotManifest writeGeneration(
      SnapshotContents contents, long generation, Before before, boolean created) {
    GenerationFiles files = GenerationFiles.of(operations, directory, generation);
    Path temporary = directory.resolve(TEMPORARY);
    SnapshotManifest written;
    attempt("creating", files.folder(), () -> createFolder(files));
    try {
      attempt("writing", files.folder(), () -> list(files, contents));
      written = contents.manifest(generation, writeFiles(contents, files.folder()));
      byte[] bytes = ManifestFormat.encode(written);
      // What could not be opened again must not take the place of what can.
      ManifestFormat.decode(temporary, bytes);
      attempt("forcing", files.folder(), () -> force(files.folder()));
      attempt("forcing", directory, () -> force(directory));
      if (before.isFirst()) {
        forceParent(created);
      }
      attempt("writing", temporary, () -> writeManifest(temporary, bytes));
      checkUnchanged(before, files, contents);
    } catch (RuntimeException | Error failed) {
      undo(files, temporary, failed);
      throw failed;
    }
    // From here on nothing is undone: who knows what a failure leaves on disk.
    attempt(
        "putting the new manifest in place:",
        manifest,
        () -> {
          operations.rename(temporary, manifest);
          return true;
        });
    attempt("forcing", directory, () -> force(directory));
    return written;
  }

  /** Apart from the rest, which is undone when it fails: the folder could be another save's. */
  private boolean createFolder(GenerationFiles files) throws IOException {
    operations.createDirectory(files.folder());
    return true;
  }

  private static boolean list(GenerationFiles files, SnapshotContents contents) throws IOException {
    files.list(names(contents));
    return true;
  }

  private static List<String> names(SnapshotContents contents) {
    return contents.files().stream().map(SnapshotContent::name).toList();
  }

  private List<SnapshotManifest.Entry> writeFiles(SnapshotContents contents, Path folder) {
    List<SnapshotManifest.Entry> entries = new ArrayList<>();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment buffer = arena.allocate(BUFFER_BYTES);
      for (SnapshotContent content : contents.files()) {
        Path file = folder.resolve(content.name());
        SnapshotSink sink = new SnapshotSink(operations, directory, file, buffer);
        try {
          content.writeTo(sink);
          entries.add(sink.finish(folder.getFileName() + "/" + content.name()));
        } finally {
          attempt(
              "closing",
              file,
              () -> {
                sink.close();
                return true;
              });
        }
      }
    }
    return entries;
  }

  private boolean writeManifest(Path temporary, byte[] bytes) throws IOException {
    try (FileOperations.Output output = operations.create(temporary)) {
      output.write(ByteBuffer.wrap(bytes));
      output.force();
    }
    return true;
  }

  private boolean force(Path folder) throws IOException {
    operations.forceDirectory(folder);
    return true;
  }

  /** Has the snapshot's own name on disk. One that others made may lie where we cannot look. */
  private void forceParent(boolean created) {
    Path parent = directory.getParent();
    if (parent == null) {
      return;
    }
    attempt(
        "forcing",
        parent,
        () -> {
          try {
            return force(parent);
          } catch (java.nio.file.AccessDeniedException denied) {
            if (created) {
              throw denied;
            }
            return false;
          }
        });
  }

  /** Locks fail where a file system does not know them; this tells most of what others did. */
  private void checkUnchanged(Before before, GenerationFiles files, SnapshotContents contents) {
    byte[] now = attempt("reading", manifest, () -> readIfThere(operations, manifest));
    boolean complete =
        attempt("looking at", files.folder(), () -> files.isComplete(names(contents)));
    if (!complete || !Arrays.equals(now, before.bytes())) {
      throw new IndexBusyException(
          directory + " was saved to by somebody else meanwhile; that was left as it is");
    }
  }

  // ---------------------------------------------------------------------------------------
  // deleting

  /** Deletes what a failed save has written, to give the room back. */
  private void undo(GenerationFiles files, Path temporary, Throwable failed) {
    try {
      if (operations.kind(temporary) != FileOperations.Kind.MISSING) {
        operations.delete(temporary);
      }
      if (operations.kind(files.folder()) != FileOperations.Kind.MISSING) {
        files.delete();
      }
    } catch (IOException | RuntimeException left) {
      failed.addSuppressed(left); // the next save tries again
    }
  }

  /**
   * Deletes other generations that nobody leases, and what killed saves left. What cannot be
   * deleted stays for the next save.
   *
   * @return the largest generation that there is or was
   */
  private long cleanUp(long current, SnapshotLocks.Writer lock) throws IOException {
    List<String> names = operations.list(directory);
    long largest = current;
    for (long generation : GenerationFiles.generations(names)) {
      largest = Math.max(largest, generation);
      if (generation != current) {
        delete(generation, lock);
      }
    }
    if (names.contains(TEMPORARY)) {
      quietly(
          () -> {
            operations.delete(directory.resolve(TEMPORARY));
            return true;
          });
    }
    return largest;
  }

  /**
   * Deletes what the generation written just now took the place of. Where locks are none, somebody
   * may have put a later one in its own place already.
   */
  private boolean removeOlder(SnapshotManifest written, SnapshotLocks.Writer lock)
      throws IOException {
    byte[] now = readIfThere(operations, manifest);
    if (!Arrays.equals(now, ManifestFormat.encode(written))) {
      return false;
    }
    for (long generation : GenerationFiles.generations(operations.list(directory))) {
      if (generation < written.generation()) {
        delete(generation, lock);
      }
    }
    return true;
  }

  private void delete(long generation, SnapshotLocks.Writer lock) {
    GenerationFiles files = GenerationFiles.of(operations, directory, generation);
    quietly(() -> lock.unlessLeased(generation, files::delete));
  }

  private static void quietly(Action<?> action) {
    try {
      action.run();
    } catch (IOException stays) {
      // For the next save; this one does not need the room, or fails for the lack of it.
    }
  }

  private <T> T attempt(String doing, Path file, Action<T> action) {
    try {
      return action.run();
    } catch (IOException failed) {
      throw Failures.writing(operations, directory, doing, file, failed);
    }
  }
}
