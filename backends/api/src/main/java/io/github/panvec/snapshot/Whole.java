package io.github.panvec.snapshot;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;

/** Small files, read at once. */
final class Whole {
  private Whole() {}

  /** The file's bytes; of a longer file, the first {@code limit + 1}. */
  static byte[] read(FileOperations operations, Path file, int limit) throws IOException {
    try (FileOperations.Input input = operations.open(file)) {
      byte[] bytes = new byte[(int) Math.min(input.size(), limit + 1L)];
      int read = input.read(ByteBuffer.wrap(bytes), 0);
      return Arrays.copyOf(bytes, read);
    }
  }

  /**
   * Whether that may be what a loss of power left of a file that begins like this: as much of it as
   * got to the disk, and zeros behind it.
   */
  static boolean isBeginning(String text, String beginning) {
    int end = text.length();
    while (end > 0 && text.charAt(end - 1) == 0) {
      end--;
    }
    return text.startsWith(beginning) || beginning.startsWith(text.substring(0, end));
  }
}
