package io.github.panvec.loader;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * An operating system and a CPU architecture, in the names of our files.
 *
 * @param os {@code linux}, {@code macos}, or what the JVM calls another one
 * @param arch {@code x86_64}, {@code aarch64}, or what the JVM calls another one
 */
record Platform(String os, String arch) {

  /** Where this JVM runs. */
  static Platform current() {
    return of(System.getProperty("os.name"), System.getProperty("os.arch"));
  }

  /** From the values of the system properties {@code os.name} and {@code os.arch}. */
  static Platform of(String osName, String osArch) {
    String os = osName.toLowerCase(Locale.ROOT);
    String arch = osArch.toLowerCase(Locale.ROOT);
    return new Platform(
        os.startsWith("mac") || os.startsWith("darwin") ? "macos" : os,
        switch (arch) {
          case "amd64", "x86-64" -> "x86_64";
          case "arm64" -> "aarch64";
          default -> arch;
        });
  }

  /** Why there can be no library for this platform, or null when there can. */
  @Nullable String unsupported() {
    boolean known = isMac() || os.equals("linux");
    if (known && (arch.equals("x86_64") || arch.equals("aarch64"))) {
      return null;
    }
    return "Panvec's native libraries run on Linux and macOS, on x86_64 and aarch64; this JVM runs on "
        + this
        + ".";
  }

  boolean isMac() {
    return os.equals("macos");
  }

  /** {@code libpanvec_hnswlib.so}, on macOS {@code libpanvec_hnswlib.dylib}. */
  String fileName(String library) {
    return "libpanvec_" + library + (isMac() ? ".dylib" : ".so");
  }

  /** The resource of the class path that holds a library. */
  String resource(String library) {
    return "META-INF/native/" + this + "/" + fileName(library);
  }

  /** Whether a loaded C library is musl, which cannot run what was linked with glibc. */
  static boolean runsOnMusl() {
    try (Stream<String> mappings =
        Files.lines(Path.of("/proc/self/maps"), StandardCharsets.ISO_8859_1)) {
      return mappings.anyMatch(line -> line.contains("/ld-musl-") || line.contains("/libc.musl-"));
    } catch (IOException | UncheckedIOException unreadable) {
      return false;
    }
  }

  /** {@code linux-x86_64}. */
  @Override
  public String toString() {
    return os + "-" + arch;
  }
}
