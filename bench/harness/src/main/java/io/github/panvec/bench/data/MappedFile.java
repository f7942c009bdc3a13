package io.github.panvec.bench.data;

import io.github.panvec.bench.InputException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Maps a file for reading, with messages for people. */
final class MappedFile {

  private MappedFile() {}

  /**
   * The whole file, mapped until {@code arena} closes.
   *
   * @throws InputException when it is missing, empty, a folder or not readable
   */
  static MemorySegment open(Path file, Arena arena) {
    if (Files.isDirectory(file)) {
      throw new InputException(file + ": is a folder, not a file");
    }
    try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
      long bytes = channel.size();
      if (bytes == 0) {
        throw new InputException(file + ": is empty (0 bytes)");
      }
      return channel.map(FileChannel.MapMode.READ_ONLY, 0, bytes, arena);
    } catch (NoSuchFileException missing) {
      throw new InputException(file + ": no such file", missing);
    } catch (IOException unreadable) {
      throw new InputException(file + ": cannot be read: " + unreadable.getMessage(), unreadable);
    }
  }
}
