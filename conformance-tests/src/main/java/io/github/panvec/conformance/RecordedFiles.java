package io.github.panvec.conformance;

import io.github.panvec.snapshot.FileOperations;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The files of the operating system, with somebody who is told of each change before it is made.
 */
final class RecordedFiles implements FileOperations {
  /** Writes are cut into pieces of this size, each an operation. */
  private static final int PIECE = 4096;

  private final FileOperations disk = FileOperations.disk();
  private final Witness witness;

  RecordedFiles(Witness witness) {
    this.witness = witness;
  }

  /** What is done. */
  enum Action {
    LOCK,
    CREATE_DIRECTORY,
    CREATE,
    WRITE,
    FORCE,
    FORCE_DIRECTORY,
    RENAME,
    DELETE
  }

  /**
   * One operation that changes something, or makes a change last.
   *
   * @param target where a rename goes to; otherwise the same as {@code path}
   * @param data what a write appends; otherwise empty
   */
  record Change(Action action, Path path, Path target, byte[] data) {
    @Override
    public boolean equals(Object other) {
      return other instanceof Change that && toString().equals(that.toString());
    }

    @Override
    public int hashCode() {
      return toString().hashCode();
    }

    @Override
    public String toString() {
      return action
          + " "
          + path
          + (data.length == 0 ? "" : " " + data.length + " bytes, " + Arrays.hashCode(data));
    }
  }

  /** Is told of a change before it is made; what it throws is what the operation throws. */
  @FunctionalInterface
  interface Witness {
    void before(Change change) throws IOException;
  }

  private void tell(Action action, Path path) throws IOException {
    tell(action, path, path, new byte[0]);
  }

  private void tell(Action action, Path path, Path target, byte[] data) throws IOException {
    witness.before(new Change(action, path, target, data));
  }

  @Override
  public Kind kind(Path path) throws IOException {
    return disk.kind(path);
  }

  @Override
  public boolean isWritable(Path path) {
    return disk.isWritable(path);
  }

  @Override
  public Object identity(Path path) throws IOException {
    return disk.identity(path);
  }

  @Override
  public List<String> list(Path directory) throws IOException {
    return disk.list(directory);
  }

  @Override
  public void createDirectory(Path directory) throws IOException {
    tell(Action.CREATE_DIRECTORY, directory);
    disk.createDirectory(directory);
  }

  @Override
  public Output create(Path file) throws IOException {
    tell(Action.CREATE, file);
    return new RecordedOutput(file, disk.create(file));
  }

  /** What native code writes is told in pieces too, after it was written. */
  @Override
  public Output createBy(Path file, Consumer<Path> writer) throws IOException {
    tell(Action.CREATE, file);
    Output output = disk.createBy(file, writer);
    try {
      tellPieces(file, ByteBuffer.wrap(Files.readAllBytes(file)));
    } catch (IOException | RuntimeException | Error failed) {
      output.close();
      throw failed;
    }
    return new RecordedOutput(file, output);
  }

  private void tellPieces(Path file, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      tell(Action.WRITE, file, file, piece(bytes));
    }
  }

  private static byte[] piece(ByteBuffer bytes) {
    byte[] piece = new byte[Math.min(PIECE, bytes.remaining())];
    bytes.get(piece);
    return piece;
  }

  @Override
  public void forceDirectory(Path directory) throws IOException {
    tell(Action.FORCE_DIRECTORY, directory);
    disk.forceDirectory(directory);
  }

  @Override
  public void rename(Path from, Path to) throws IOException {
    tell(Action.RENAME, from, to, new byte[0]);
    disk.rename(from, to);
  }

  @Override
  public void delete(Path path) throws IOException {
    tell(Action.DELETE, path);
    disk.delete(path);
  }

  @Override
  public Input open(Path file) throws IOException {
    return disk.open(file);
  }

  @Override
  public LockFile openLock(Path file) throws IOException {
    tell(Action.LOCK, file);
    return disk.openLock(file);
  }

  @Override
  public @Nullable LockFile openSharedLock(Path file) throws IOException {
    return disk.openSharedLock(file);
  }

  private final class RecordedOutput implements Output {
    private final Path file;
    private final Output output;

    RecordedOutput(Path file, Output output) {
      this.file = file;
      this.output = output;
    }

    @Override
    public void write(ByteBuffer bytes) throws IOException {
      while (bytes.hasRemaining()) {
        byte[] piece = piece(bytes);
        tell(Action.WRITE, file, file, piece);
        output.write(ByteBuffer.wrap(piece));
      }
    }

    @Override
    public void force() throws IOException {
      tell(Action.FORCE, file);
      output.force();
    }

    @Override
    public void close() throws IOException {
      output.close();
    }
  }
}
