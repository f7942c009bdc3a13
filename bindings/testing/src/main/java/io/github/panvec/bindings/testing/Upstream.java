package io.github.panvec.bindings.testing;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The files of an upstream, where the native build has put them. */
public final class Upstream {
  private Upstream() {}

  /**
   * The folder of the pinned version; empty when the cache does not hold it, as when the native
   * libraries came from somewhere else.
   *
   * @param name as in cmake/upstream.json
   */
  public static Optional<Path> folder(String name) throws IOException {
    Path pins = Path.of(System.getProperty("panvec.test.root", "../.."), "cmake/upstream.json");
    Matcher pin =
        Pattern.compile(
                "\"" + name + "\": \\{\\s*\"version\": \"([^\"]+)\".*?\"tree\": \"([0-9a-f]{12})",
                Pattern.DOTALL)
            .matcher(Files.readString(pins));
    if (!pin.find()) {
      throw new IOException(pins + " has no pin of " + name);
    }
    Path folder =
        cache().resolve("upstream").resolve(name + "-" + pin.group(1) + "-" + pin.group(2));
    return Files.isDirectory(folder) ? Optional.of(folder) : Optional.empty();
  }

  /** As cmake/Acquire.cmake and the loader have it. */
  private static Path cache() {
    String cache = System.getProperty("panvec.cache", System.getenv("PANVEC_CACHE"));
    return cache == null || cache.isEmpty()
        ? Path.of(System.getProperty("user.home"), ".cache", "panvec")
        : Path.of(cache);
  }
}
