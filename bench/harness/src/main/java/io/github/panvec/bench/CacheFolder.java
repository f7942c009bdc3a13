package io.github.panvec.bench;

import java.nio.file.Path;

/**
 * Where downloads and ground truth are kept: {@code PANVEC_CACHE}, by default {@code
 * ~/.cache/panvec}.
 */
public final class CacheFolder {

  private CacheFolder() {}

  /**
   * The system property {@code panvec.cache}, else the environment's {@code PANVEC_CACHE}, else the
   * default.
   */
  public static Path path() {
    String property = System.getProperty("panvec.cache", "");
    if (!property.isEmpty()) {
      return Path.of(property).toAbsolutePath();
    }
    String variable = System.getenv("PANVEC_CACHE");
    return variable == null || variable.isEmpty()
        ? Path.of(System.getProperty("user.home"), ".cache", "panvec")
        : Path.of(variable).toAbsolutePath();
  }
}
