package io.github.panvec.bench.data;

import io.github.panvec.bench.InputException;
import java.io.BufferedReader;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.LongStream;

/** Ids of rows in a file: text with a whole number in each line, or a .npy of int64. */
public final class IdFile {

  private IdFile() {}

  /**
   * The ids, in the order of the rows that they are for.
   *
   * @throws InputException when the file cannot be read, or holds something else or an id twice:
   *     which file, and where
   */
  public static long[] read(Path file) {
    long[] ids = file.toString().toLowerCase(Locale.ROOT).endsWith(".npy") ? npy(file) : text(file);
    requireDistinct(file, ids);
    return ids;
  }

  private static long[] npy(Path file) {
    try (Arena arena = Arena.ofConfined()) {
      return NpyFormat.parseLongs(file.toString(), MappedFile.open(file, arena));
    }
  }

  private static long[] text(Path file) {
    if (Files.isDirectory(file)) {
      throw new InputException(file + ": is a folder, not a file");
    }
    LongStream.Builder ids = LongStream.builder();
    try (BufferedReader lines = Files.newBufferedReader(file, StandardCharsets.UTF_8)) {
      long number = 1;
      for (String line = lines.readLine(); line != null; line = lines.readLine(), number++) {
        ids.add(id(file, number, line));
      }
    } catch (NoSuchFileException missing) {
      throw new InputException(file + ": no such file", missing);
    } catch (CharacterCodingException notText) {
      throw new InputException(
          file + ": holds no ids: neither a .npy file nor text in UTF-8", notText);
    } catch (IOException unreadable) {
      throw new InputException(file + ": cannot be read: " + unreadable.getMessage(), unreadable);
    }
    return ids.build().toArray();
  }

  private static long id(Path file, long number, String line) {
    try {
      return Long.parseLong(line.strip());
    } catch (NumberFormatException notANumber) {
      String shown = line.length() > 40 ? line.substring(0, 40) + "..." : line;
      throw new InputException(
          file + ": line " + number + ": \"" + shown + "\" is no whole number of 64 bits",
          notANumber);
    }
  }

  private static void requireDistinct(Path file, long[] ids) {
    long[] sorted = ids.clone();
    Arrays.sort(sorted);
    for (int i = 1; i < sorted.length; i++) {
      if (sorted[i] == sorted[i - 1]) {
        long twice = sorted[i];
        int[] rows = new int[2];
        int found = 0;
        for (int row = 0; found < 2; row++) {
          if (ids[row] == twice) {
            rows[found++] = row;
          }
        }
        throw new InputException(
            file + ": id " + twice + " is that of rows " + rows[0] + " and " + rows[1]);
      }
    }
  }
}
