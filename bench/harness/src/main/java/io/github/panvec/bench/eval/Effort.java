package io.github.panvec.bench.eval;

import io.github.panvec.SearchRequest;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.StringJoiner;

/**
 * How hard an approximate search tries; 0 leaves a setting to the index.
 *
 * @param efSearch candidates of a walk over a graph
 * @param nprobe inverted lists looked into
 * @param refineFactor times k candidates ranked again by their vectors
 */
record Effort(int efSearch, int nprobe, int refineFactor) {
  /** As the index does by itself. */
  static final Effort DEFAULT = new Effort(0, 0, 0);

  SearchRequest apply(SearchRequest request) {
    SearchRequest applied = request;
    if (efSearch > 0) {
      applied = applied.efSearch(efSearch);
    }
    if (nprobe > 0) {
      applied = applied.nprobe(nprobe);
    }
    if (refineFactor > 0) {
      applied = applied.refineFactor(refineFactor);
    }
    return applied;
  }

  /** What is set, by name. */
  Map<String, Integer> settings() {
    Map<String, Integer> settings = new LinkedHashMap<>();
    if (efSearch > 0) {
      settings.put("efSearch", efSearch);
    }
    if (nprobe > 0) {
      settings.put("nprobe", nprobe);
    }
    if (refineFactor > 0) {
      settings.put("refineFactor", refineFactor);
    }
    return settings;
  }

  /** For example {@code nprobe=16 refineFactor=4}; empty when nothing is set. */
  @Override
  public String toString() {
    StringJoiner text = new StringJoiner(" ");
    settings().forEach((name, value) -> text.add(name + "=" + value));
    return text.toString();
  }
}
