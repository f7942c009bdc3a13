package io.github.panvec.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * What of this process lies in the machine's memory, as Linux tells it.
 *
 * @param anonymousBytes memory that belongs to nobody else: heaps, native memory, stacks
 * @param fileBytes pages of mapped files, which the operating system drops when it needs room
 */
record ResidentMemory(long anonymousBytes, long fileBytes) {
  private static final Path STATUS = Path.of("/proc/self/status");

  /** Now; empty where it cannot be known. */
  static Optional<ResidentMemory> now() {
    long anonymous = -1;
    long file = -1;
    try {
      for (String line : Files.readAllLines(STATUS, StandardCharsets.UTF_8)) {
        if (line.startsWith("RssAnon:")) {
          anonymous = bytes(line);
        } else if (line.startsWith("RssFile:")) {
          file = bytes(line);
        }
      }
    } catch (IOException notLinux) {
      return Optional.empty();
    }
    return anonymous < 0 || file < 0
        ? Optional.empty()
        : Optional.of(new ResidentMemory(anonymous, file));
  }

  /** Of a line as {@code RssAnon: 1234 kB}. */
  private static long bytes(String line) {
    return 1024 * Long.parseLong(line.replaceAll("[^0-9]", ""));
  }
}
