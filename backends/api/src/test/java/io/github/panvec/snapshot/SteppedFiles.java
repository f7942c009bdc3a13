package io.github.panvec.snapshot;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The files of the operating system, with somebody who is asked before each step. */
final class SteppedFiles implements FileOperations {
  /** Writes are cut into pieces of this size, each a step. */
  static final int PIECE = 4096;

  private final FileOperations disk = FileOperations.disk();
  private final Watcher watcher;

  SteppedFiles(Watcher watcher) {
    this.watcher = watcher;
  }

  /** Sees steps before they are made; what it throws is what the step throws. */
  @FunctionalInterface
  interface Watcher {
    void before(Step step) throws IOException;
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
    watcher.before(Step.of(Step.Kind.CREATE_DIRECTORY, directory));
    disk.createDirectory(directory);
  }

  @Override
  public Output create(Path file) throws IOException {
    watcher.before(Step.of(Step.Kind.CREATE, file));
    return new SteppedOutput(file, disk.create(file));
  }

  @Override
  public Output createBy(Path file, Consumer<Path> writer) throws IOException {
    watcher.before(Step.of(Step.Kind.CREATE, file));
    Output output = disk.createBy(file, writer);
    watcher.before(new Step(Step.Kind.WRITE, file, file, Files.readAllBytes(file)));
    return new SteppedOutput(file, output);
  }

  @Override
  public void forceDirectory(Path directory) throws IOException {
    watcher.before(Step.of(Step.Kind.FORCE_DIRECTORY, directory));
    disk.forceDirectory(directory);
  }

  @Override
  public void rename(Path from, Path to) throws IOException {
    watcher.before(new Step(Step.Kind.RENAME, from, to, new byte[0]));
    disk.rename(from, to);
  }

  @Override
  public void delete(Path path) throws IOException {
    watcher.before(Step.of(Step.Kind.DELETE, path));
    disk.delete(path);
  }

  @Override
  public Input open(Path file) throws IOException {
    return disk.open(file);
  }

  @Override
  public LockFile openLock(Path file) throws IOException {
    watcher.before(Step.of(Step.Kind.LOCK, file));
    return disk.openLock(file);
  }

  @Override
  public @Nullable LockFile openSharedLock(Path file) throws IOException {
    watcher.before(Step.of(Step.Kind.LEASE, file));
    return disk.openSharedLock(file);
  }

  private final class SteppedOutput implements Output {
    private final Path file;
    private final Output output;

    SteppedOutput(Path file, Output output) {
      this.file = file;
      this.output = output;
    }

    @Override
    public void write(ByteBuffer bytes) throws IOException {
      while (bytes.hasRemaining()) {
        byte[] piece = new byte[Math.min(PIECE, bytes.remaining())];
        bytes.get(piece);
        watcher.before(new Step(Step.Kind.WRITE, file, file, piece));
        output.write(ByteBuffer.wrap(piece));
      }
    }

    @Override
    public void force() throws IOException {
      watcher.before(Step.of(Step.Kind.FORCE, file));
      output.force();
    }

    @Override
    public void close() throws IOException {
      output.close();
    }
  }
}
