package io.github.panvec.conformance;

import io.github.panvec.Capabilities;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.Parameter;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What the suite holds to the contract: one kind of index of a backend.
 *
 * @param backend the backend's name
 * @param type what tells it from the backend's other kinds, for people: {@code ivf_pq}, {@code f16
 *     codes only}; {@code default} where there is only one
 * @param parameters those that make it so; everything else is default
 */
public record Subject(String backend, String type, Map<String, Object> parameters) {
  /** Every test at every one of these. */
  private static final List<Integer> DIMENSIONS =
      List.of(
          1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 100, 127, 128, 384, 768, 1023, 1536, 3072,
          4097, 8192);

  /** How many rows an index that learns from its first ones waits for. */
  static final String TRAINING_ROWS = "trainingRows";

  public Subject {
    parameters = Map.copyOf(new TreeMap<>(parameters));
  }

  /** A metric and a dimension. */
  public record Shape(Metric metric, int dimension) {
    @Override
    public String toString() {
      return metric + " " + dimension;
    }
  }

  /** The spec of such an index. */
  public IndexSpec spec(int dimension, Metric metric) {
    IndexSpec spec = IndexSpec.of(backend, dimension, metric);
    for (Map.Entry<String, Object> parameter : parameters.entrySet()) {
      spec = spec.with(parameter.getKey(), parameter.getValue());
    }
    return spec;
  }

  /**
   * A new index, to be closed by the caller. The running test counts as one of this metric and
   * dimension.
   */
  public VectorIndex create(int dimension, Metric metric) {
    return create(spec(dimension, metric));
  }

  /** A new index of this kind with further parameters. */
  public VectorIndex create(IndexSpec spec) {
    CellLog.touch(new Shape(spec.metric(), spec.dimension()));
    return Panvec.create(spec);
  }

  /** What an index of this kind can do. */
  public Capabilities capabilities() {
    return Panvec.capabilities(spec(64, any(Metric.L2)));
  }

  /** Whether it has the float32 vectors, for {@code get} and {@code exact}. */
  boolean keepsVectors() {
    return !capabilities().codesOnly();
  }

  /** Whether an index of this kind takes a metric. */
  public boolean takes(Metric metric) {
    if (!Panvec.backend(backend).capabilities().metrics().contains(metric)) {
      return false;
    }
    try {
      return Panvec.capabilities(spec(64, metric)).metrics().contains(metric);
    } catch (IllegalArgumentException notWithTheseParameters) {
      return false;
    }
  }

  /** The metrics it takes. */
  public List<Metric> metrics() {
    return List.of(Metric.values()).stream().filter(this::takes).toList();
  }

  /** For what holds under every metric: {@code preferred}, or another one that it takes. */
  public Metric any(Metric preferred) {
    return takes(preferred) ? preferred : metrics().get(0);
  }

  /** Whether the backend knows this parameter and takes it for this kind. */
  public boolean takes(String parameter) {
    Map<String, Object> given = new TreeMap<>(parameters);
    List<Parameter> declared = Panvec.backend(backend).parameters();
    for (Parameter each : declared) {
      if (each.condition() == null && each.defaultValue() != null) {
        given.putIfAbsent(each.name(), each.defaultValue());
      }
    }
    return declared.stream()
        .anyMatch(each -> each.name().equals(parameter) && each.appliesTo(given));
  }

  /** Whether it learns from a sample, or from its first rows. */
  boolean learns() {
    return takes(TRAINING_ROWS);
  }

  /**
   * Whether it links each row into a graph, which takes its time, and walks that graph when it
   * searches among many rows.
   */
  boolean hasGraph() {
    return capabilities().approximate() && takes("efSearch");
  }

  /** The same spec on one thread, where the backend has a say in that. */
  IndexSpec onOneThread(IndexSpec spec) {
    return takes("threads") ? spec.with("threads", 1) : spec;
  }

  /** Whether it is covered in full: every metric at every dimension. */
  public boolean isCoveredInFull() {
    return parameters.isEmpty() || isDefault() || !capabilities().approximate();
  }

  private boolean isDefault() {
    for (Parameter each : Panvec.backend(backend).parameters()) {
      Object given = parameters.get(each.name());
      if (given != null && !given.equals(each.defaultValue())) {
        return false;
      }
    }
    return true;
  }

  /**
   * Metrics and dimensions: all of them, or for kinds not covered in full every dimension once,
   * with the metrics in turn. Which metric is the first depends on the kind's name, so that its
   * shapes are the same whatever other kinds there are. A test counts that the kinds of the four
   * backends cover all pairs together.
   */
  public List<Shape> shapes() {
    List<Metric> metrics = metrics();
    List<Shape> shapes = new ArrayList<>();
    int turn = Math.floorMod(toString().hashCode(), metrics.size());
    for (int dimension : DIMENSIONS) {
      if (isCoveredInFull()) {
        metrics.forEach(metric -> shapes.add(new Shape(metric, dimension)));
      } else {
        shapes.add(new Shape(metrics.get(turn++ % metrics.size()), dimension));
      }
    }
    return shapes;
  }

  /** The same kind with one more parameter, and words for it. */
  Subject with(String words, Map<String, Object> more) {
    Map<String, Object> all = new LinkedHashMap<>(parameters);
    all.putAll(more);
    return new Subject(backend, type.equals("default") ? words : type + " " + words, all);
  }

  /** For example {@code faiss ivf_pq}. */
  @Override
  public String toString() {
    return backend + " " + type;
  }
}
