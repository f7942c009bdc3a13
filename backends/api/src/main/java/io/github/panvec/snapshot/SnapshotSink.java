package io.github.panvec.snapshot;

import io.github.panvec.SnapshotManifest;
import io.github.panvec.VectorIndexException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.function.Consumer;
import java.util.zip.CRC32C;
import org.jspecify.annotations.Nullable;

/**
 * Takes the bytes of one file. For the thread that saves, while {@link SnapshotContent#writeTo}
 * runs.
 */
public final class SnapshotSink {
  private final FileOperations operations;
  private final Path directory;
  private final Path file;
  private final MemorySegment buffer;
  private final CRC32C crc = new CRC32C();
  private FileOperations.@Nullable Output output;
  private @Nullable VectorIndexException failure;
  private long bytes;
  private int buffered;
  private boolean created;
  private boolean byOther;
  private boolean done;

  /**
   * @param directory the snapshot's, for messages
   * @param buffer native memory for small pieces, and for what is not native
   */
  SnapshotSink(FileOperations operations, Path directory, Path file, MemorySegment buffer) {
    this.operations = operations;
    this.directory = directory;
    this.file = file;
    this.buffer = buffer;
  }

  /** Something on files that may fail. */
  @FunctionalInterface
  private interface Action {
    void run() throws IOException;
  }

  /**
   * Appends these bytes. Native memory is written from where it is; small pieces and arrays are
   * copied into a buffer first.
   *
   * @throws VectorIndexException when they cannot be written, naming the file. The save then fails,
   *     whether this is caught or not
   */
  public void write(MemorySegment segment) {
    checkUsable();
    if (byOther) {
      throw new IllegalStateException(file + " has been written by other means");
    }
    attempt(
        () -> {
          if (segment.isNative() && segment.byteSize() >= buffer.byteSize()) {
            flush();
            for (long at = 0; at < segment.byteSize(); at += Checksum.SLICE) {
              put(segment.asSlice(at, Math.min(Checksum.SLICE, segment.byteSize() - at)));
            }
          } else {
            copy(segment);
          }
        });
  }

  private void copy(MemorySegment segment) throws IOException {
    long at = 0;
    while (at < segment.byteSize()) {
      int part = (int) Math.min(buffer.byteSize() - buffered, segment.byteSize() - at);
      MemorySegment.copy(segment, at, buffer, buffered, part);
      buffered += part;
      at += part;
      if (buffered == buffer.byteSize()) {
        flush();
      }
    }
  }

  private void flush() throws IOException {
    int length = buffered;
    buffered = 0;
    if (length > 0) {
      put(buffer.asSlice(0, length));
    }
  }

  private void put(MemorySegment segment) throws IOException {
    crc.update(segment.asByteBuffer());
    output().write(segment.asByteBuffer());
    bytes += segment.byteSize();
  }

  /**
   * Lets native code write the whole file, instead of {@link #write}. It is read back for its
   * checksum.
   *
   * @param writer creates the file at the path that it is given, which does not exist, and closes
   *     it; no other file may stay beside it. What it throws ends the save
   * @throws VectorIndexException when the file cannot be read back
   */
  public void writeBy(Consumer<Path> writer) {
    checkUsable();
    if (created || buffered > 0) {
      throw new IllegalStateException(file + " has been written to already");
    }
    attempt(
        () -> {
          created = true;
          byOther = true;
          output = operations.createBy(file, writer);
          try (FileOperations.Input input = operations.open(file)) {
            bytes = readBack(input);
          }
        });
  }

  private long readBack(FileOperations.Input input) throws IOException {
    long position = 0;
    while (true) {
      ByteBuffer target = buffer.asByteBuffer();
      int read = input.read(target, position);
      if (read == 0) {
        return position;
      }
      crc.update(target.flip());
      position += read;
    }
  }

  private FileOperations.Output output() throws IOException {
    FileOperations.Output open = output;
    if (open == null) {
      if (created) {
        throw new IOException("was not written to its end");
      }
      created = true;
      open = operations.create(file);
      output = open;
    }
    return open;
  }

  /** Has everything on disk, and tells what it was. */
  SnapshotManifest.Entry finish(String path) {
    done = true;
    if (failure != null) {
      throw failure;
    }
    attempt(
        () -> {
          flush();
          output().force();
          close();
          checkLength();
        });
    return new SnapshotManifest.Entry(path, bytes, (int) crc.getValue());
  }

  private void checkLength() throws IOException {
    try (FileOperations.Input input = operations.open(file)) {
      if (input.size() != bytes) {
        throw new IOException("has " + input.size() + " bytes although " + bytes + " were written");
      }
    }
  }

  /** After a save that failed, too. */
  void close() throws IOException {
    done = true;
    FileOperations.Output open = output;
    if (open != null) {
      output = null;
      open.close();
    }
  }

  private void checkUsable() {
    if (done) {
      throw new IllegalStateException(file + " is complete");
    }
    if (failure != null) {
      throw failure;
    }
  }

  private void attempt(Action action) {
    try {
      action.run();
    } catch (IOException failed) {
      failure = Failures.writing(operations, directory, "writing", file, failed);
      throw failure;
    }
  }
}
