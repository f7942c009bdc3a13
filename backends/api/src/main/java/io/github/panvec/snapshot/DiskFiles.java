package io.github.panvec.snapshot;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** The files of the operating system. */
final class DiskFiles implements FileOperations {
  static final DiskFiles INSTANCE = new DiskFiles();

  private static final boolean WINDOWS =
      System.getProperty("os.name", "").toLowerCase(java.util.Locale.ROOT).startsWith("windows");

  private DiskFiles() {}

  @Override
  public Kind kind(Path path) throws IOException {
    try {
      return Files.readAttributes(path, BasicFileAttributes.class).isDirectory()
          ? Kind.DIRECTORY
          : Kind.OTHER;
    } catch (NoSuchFileException missing) {
      return Kind.MISSING;
    }
  }

  @Override
  public boolean isWritable(Path path) {
    return Files.isWritable(path);
  }

  @Override
  public Object identity(Path path) throws IOException {
    Object key = Files.readAttributes(path, BasicFileAttributes.class).fileKey();
    return key != null ? key : path.toRealPath();
  }

  @Override
  public List<String> list(Path directory) throws IOException {
    List<String> names = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
      for (Path entry : entries) {
        names.add(entry.getFileName().toString());
      }
    } catch (java.nio.file.DirectoryIteratorException failed) {
      throw failed.getCause();
    }
    Collections.sort(names);
    return names;
  }

  @Override
  public void createDirectory(Path directory) throws IOException {
    Files.createDirectory(directory);
  }

  @Override
  public Output create(Path file) throws IOException {
    return new ChannelOutput(
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE));
  }

  @Override
  public Output createBy(Path file, Consumer<Path> writer) throws IOException {
    writer.accept(file);
    return new ChannelOutput(FileChannel.open(file, StandardOpenOption.WRITE));
  }

  @Override
  public void forceDirectory(Path directory) throws IOException {
    if (WINDOWS) {
      return; // where directories cannot be opened; NTFS keeps a journal of their changes
    }
    try (FileChannel channel = FileChannel.open(directory, StandardOpenOption.READ)) {
      channel.force(true);
    }
  }

  @Override
  public void rename(Path from, Path to) throws IOException {
    Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
  }

  @Override
  public void delete(Path path) throws IOException {
    Files.delete(path);
  }

  @Override
  public Input open(Path file) throws IOException {
    return new ChannelInput(FileChannel.open(file, StandardOpenOption.READ));
  }

  @Override
  public LockFile openLock(Path file) throws IOException {
    return openLock(file, "rw");
  }

  @Override
  public @Nullable LockFile openSharedLock(Path file) throws IOException {
    return kind(file) == Kind.MISSING ? null : openLock(file, "r");
  }

  /** A random access file, since interrupting a thread that uses a channel closes the channel. */
  private static LockFile openLock(Path file, String mode) throws IOException {
    try {
      return new OpenLockFile(new RandomAccessFile(file.toFile(), mode));
    } catch (FileNotFoundException failed) {
      boolean denied = Files.exists(file) || !Files.isWritable(file.toAbsolutePath().getParent());
      throw denied
          ? new AccessDeniedException(file.toString(), null, failed.getMessage())
          : new IOException(failed.getMessage(), failed);
    }
  }

  private record ChannelOutput(FileChannel channel) implements Output {
    @Override
    public void write(ByteBuffer bytes) throws IOException {
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
    }

    @Override
    public void force() throws IOException {
      channel.force(true);
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }

  private record ChannelInput(FileChannel channel) implements Input {
    @Override
    public long size() throws IOException {
      return channel.size();
    }

    @Override
    public int read(ByteBuffer buffer, long position) throws IOException {
      int total = 0;
      while (buffer.hasRemaining()) {
        int read = channel.read(buffer, position + total);
        if (read < 0) {
          break;
        }
        total += read;
      }
      return total;
    }

    @Override
    public MemorySegment map(long size, Arena arena) throws IOException {
      return channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena);
    }

    @Override
    public void close() throws IOException {
      channel.close();
    }
  }

  private record OpenLockFile(RandomAccessFile file) implements LockFile {
    /** Longer than any holder's text. */
    private static final int MAX_TEXT = 4096;

    @Override
    public @Nullable Lock tryLock(long position, LockKind kind) throws IOException {
      FileLock lock = file.getChannel().tryLock(position, 1, kind == LockKind.SHARED);
      return lock == null ? null : lock::release;
    }

    @Override
    public String text() throws IOException {
      byte[] bytes = new byte[(int) Math.min(MAX_TEXT, file.length())];
      file.seek(0);
      int read = Math.max(0, file.read(bytes));
      return new String(bytes, 0, read, StandardCharsets.UTF_8).strip();
    }

    @Override
    public void write(String text) throws IOException {
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      file.seek(0);
      file.write(bytes);
      file.setLength(bytes.length);
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }
}
