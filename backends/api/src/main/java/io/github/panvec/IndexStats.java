package io.github.panvec;

import java.util.Map;

/**
 * Numbers about an index at one moment.
 *
 * @param size live vectors
 * @param dead rows that were removed or replaced and still take room
 * @param nativeBytes bytes of native memory held by the index
 * @param diskBytes bytes of its database file; 0 when it lives in memory only
 * @param details further numbers of the backend by name, for people
 */
public record IndexStats(
    long size, long dead, long nativeBytes, long diskBytes, Map<String, Object> details) {

  public IndexStats {
    details = Map.copyOf(details);
  }
}
