package io.github.panvec;

import org.jspecify.annotations.Nullable;

/**
 * Whether a backend's native library works on this machine.
 *
 * @param available whether it does
 * @param library the file that was loaded, when available
 * @param upstreamVersion the engine's own version as its library reports it, when available
 * @param simdLevel the SIMD level in use ({@code avx512}, {@code avx2}, {@code neon}, {@code
 *     baseline}), when available
 * @param reason why it does not, with the linker's words and the remedy, when not
 */
public record Availability(
    boolean available,
    @Nullable String library,
    @Nullable String upstreamVersion,
    @Nullable String simdLevel,
    @Nullable String reason) {

  /** It works. */
  public static Availability of(String library, String upstreamVersion, String simdLevel) {
    return new Availability(true, library, upstreamVersion, simdLevel, null);
  }

  /** It does not, and why. */
  public static Availability unavailable(String reason) {
    return new Availability(false, null, null, null, reason);
  }
}
