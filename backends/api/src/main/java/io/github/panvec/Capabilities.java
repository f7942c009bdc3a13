package io.github.panvec;

import java.util.Set;

/**
 * What a backend can do, told without loading its native library; for one of its indexes, see
 * {@link Panvec#capabilities(IndexSpec)}.
 *
 * @param metrics the metrics it takes
 * @param maxDimension the largest dimension
 * @param maxK the largest k of one search
 * @param approximate whether a plain search may miss a true neighbour; {@link
 *     SearchRequest#exact()} never does
 * @param codesOnly whether an index keeps codes in place of its vectors: {@link VectorIndex#get}
 *     and {@link SearchRequest#exact()} then throw {@link UnsupportedOperationException}, and
 *     distances are those of the decoded codes
 * @param persistent whether an index can live in a file, durable call by call (the parameter {@code
 *     path})
 * @param snapshots whether an index can be saved, opened and viewed: {@link VectorIndex#save},
 *     {@link Panvec#open} and {@link Panvec#view}
 */
public record Capabilities(
    Set<Metric> metrics,
    int maxDimension,
    int maxK,
    boolean approximate,
    boolean codesOnly,
    boolean persistent,
    boolean snapshots) {

  public Capabilities {
    metrics = Set.copyOf(metrics);
  }

  /** Of a backend without snapshots. */
  public Capabilities(
      Set<Metric> metrics,
      int maxDimension,
      int maxK,
      boolean approximate,
      boolean codesOnly,
      boolean persistent) {
    this(metrics, maxDimension, maxK, approximate, codesOnly, persistent, false);
  }
}
