package io.github.panvec;

import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Numbers about an index at one moment, and what else tells it from another one.
 *
 * @param size live vectors
 * @param dead rows that were removed or replaced and still take room
 * @param nativeBytes bytes of native memory held by the index
 * @param diskBytes bytes of its database file; 0 when it lives in memory only
 * @param details further numbers of the backend by name, for people
 * @param parameters the parameters it was created with, defaults filled in, sorted by name
 * @param upstreamVersion the engine's version, as its library reports it where it does
 * @param simdLevel the SIMD level in use, see {@link Availability#simdLevel()}; null when the
 *     backend does not tell
 */
public record IndexStats(
    long size,
    long dead,
    long nativeBytes,
    long diskBytes,
    Map<String, Object> details,
    Map<String, Object> parameters,
    @Nullable String upstreamVersion,
    @Nullable String simdLevel) {

  public IndexStats {
    details = Map.copyOf(details);
    parameters = Collections.unmodifiableMap(new TreeMap<>(parameters));
  }

  /**
   * For backends: the numbers alone. The index that {@link Panvec#create} returned adds parameters,
   * version and SIMD level.
   */
  public IndexStats(
      long size, long dead, long nativeBytes, long diskBytes, Map<String, Object> details) {
    this(size, dead, nativeBytes, diskBytes, details, Map.of(), null, null);
  }
}
