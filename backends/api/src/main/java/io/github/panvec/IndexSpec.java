package io.github.panvec;

import java.util.Collections;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;

/**
 * What an index is: backend, dimension, metric and the backend's parameters. Immutable.
 *
 * <pre>{@code
 * IndexSpec spec = IndexSpec.of("hnswlib", 384, Metric.COSINE).with("m", 32).with("efSearch", 128);
 * }</pre>
 *
 * Names and values of parameters are checked by {@link Panvec#create} against what the backend
 * declares.
 */
public final class IndexSpec {
  private final String backend;
  private final int dimension;
  private final Metric metric;
  private final Map<String, Object> parameters;

  private IndexSpec(String backend, int dimension, Metric metric, Map<String, Object> parameters) {
    this.backend = Objects.requireNonNull(backend, "backend");
    this.metric = Objects.requireNonNull(metric, "metric");
    if (dimension < 1) {
      throw new IllegalArgumentException("dimension must be at least 1, not " + dimension);
    }
    this.dimension = dimension;
    this.parameters = Collections.unmodifiableMap(parameters);
  }

  /**
   * A spec with the backend's default parameters.
   *
   * @param backend a name of {@link Panvec#backends()}
   * @param dimension components per vector, from 1 to the backend's {@link
   *     Capabilities#maxDimension()}
   * @throws IllegalArgumentException when {@code dimension < 1}
   */
  public static IndexSpec of(String backend, int dimension, Metric metric) {
    return new IndexSpec(backend, dimension, metric, new TreeMap<>());
  }

  /**
   * This spec with one parameter set.
   *
   * @param value an integral number, a string or a path, as the backend declares it
   */
  public IndexSpec with(String name, Object value) {
    Map<String, Object> changed = new TreeMap<>(parameters);
    changed.put(Objects.requireNonNull(name, "name"), Objects.requireNonNull(value, "value"));
    return new IndexSpec(backend, dimension, metric, changed);
  }

  public String backend() {
    return backend;
  }

  /** Components per vector. */
  public int dimension() {
    return dimension;
  }

  public Metric metric() {
    return metric;
  }

  /** The parameters by name, sorted; after {@link Panvec#create} with every default filled in. */
  public Map<String, Object> parameters() {
    return parameters;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof IndexSpec that
        && backend.equals(that.backend)
        && dimension == that.dimension
        && metric == that.metric
        && parameters.equals(that.parameters);
  }

  @Override
  public int hashCode() {
    return Objects.hash(backend, dimension, metric, parameters);
  }

  /** For example {@code hnswlib[384, COSINE, efSearch=128, m=32]}. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder(backend + "[" + dimension + ", " + metric);
    parameters.forEach((name, value) -> text.append(", ").append(name).append('=').append(value));
    return text.append(']').toString();
  }
}
