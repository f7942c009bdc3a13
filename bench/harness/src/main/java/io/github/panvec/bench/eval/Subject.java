package io.github.panvec.bench.eval;

import io.github.panvec.Availability;
import io.github.panvec.Capabilities;
import io.github.panvec.IndexSpec;
import io.github.panvec.IndexStats;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.Parameter;
import io.github.panvec.VectorIndex;
import io.github.panvec.bench.Progress;
import io.github.panvec.bench.Variant;
import io.github.panvec.bench.data.Batches;
import io.github.panvec.bench.data.VectorSet;
import io.github.panvec.spi.VectorBackend;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;

/** One index over the base, and what building it cost. Ids are row numbers. */
final class Subject implements AutoCloseable {
  private static final List<String> TELLING_PARAMETERS =
      List.of("m", "efConstruction", "nlist", "pqM", "pqBits");

  /** Said elsewhere in a row of the table: by its name, by its effort, or for the whole run. */
  private static final Set<String> SAID_ELSEWHERE =
      Set.of(
          "type",
          "quantization",
          "keepVectors",
          "threads",
          "expectedRows",
          "efSearch",
          "nprobe",
          "refineFactor");

  private final Variant variant;
  private final Availability availability;
  private final Capabilities capabilities;
  private final VectorIndex index;
  private final double buildSeconds;
  private final long nativeBytes;
  private final Map<String, Object> details;

  private Subject(Variant variant, VectorIndex index, double buildSeconds) {
    this.variant = variant;
    this.availability = variant.backend().availability();
    this.capabilities = Panvec.capabilities(index.spec());
    this.index = index;
    this.buildSeconds = buildSeconds;
    IndexStats stats = index.stats();
    this.nativeBytes = stats.nativeBytes();
    this.details = stats.details();
  }

  /** Builds; the time counts creation and adding, not the reading of the dataset. */
  static Subject build(
      Variant variant,
      VectorSet base,
      Metric metric,
      @Nullable Integer threads,
      Progress progress) {
    progress.step("Building " + variant.name() + " over " + base.rows() + " x " + base.dimension());
    IndexSpec spec = variant.spec(base.dimension(), metric);
    if (threads != null && variant.takes("threads") && !spec.parameters().containsKey("threads")) {
      spec = spec.with("threads", threads);
    }
    // Known here, and what the defaults of some indexes depend on.
    if (variant.takes("expectedRows") && !spec.parameters().containsKey("expectedRows")) {
      spec = spec.with("expectedRows", base.rows());
    }
    long start = System.nanoTime();
    VectorIndex index = Panvec.create(spec);
    long nanos = System.nanoTime() - start;
    try {
      nanos += addAll(index, base, progress);
      return new Subject(variant, index, nanos / 1e9);
    } catch (RuntimeException | Error failed) {
      index.close();
      throw failed;
    }
  }

  private static long addAll(VectorIndex index, VectorSet base, Progress progress) {
    long nanos = 0;
    try (Batches batches = new Batches(base, null)) {
      while (batches.next()) {
        long start = System.nanoTime();
        index.addAll(batches.ids(), batches.rows());
        nanos += System.nanoTime() - start;
        progress.at(batches.first() + batches.count(), base.rows());
      }
    }
    return nanos;
  }

  /** For example {@code faiss ivf_pq}; no two of a run have the same. */
  String name() {
    return variant.name();
  }

  Variant variant() {
    return variant;
  }

  VectorBackend backend() {
    return variant.backend();
  }

  Availability availability() {
    return availability;
  }

  VectorIndex index() {
    return index;
  }

  /** Whether a plain search may miss a neighbour. */
  boolean approximate() {
    return capabilities.approximate();
  }

  /**
   * Whether it keeps the vectors: it can answer exactly then, and every distance is the true one.
   */
  boolean keepsVectors() {
    return !capabilities.codesOnly();
  }

  /** How many inverted lists it has; 0 when it has none. */
  long nlist() {
    return details.get("nlist") instanceof Number lists ? lists.longValue() : 0;
  }

  double buildSeconds() {
    return buildSeconds;
  }

  long nativeBytes() {
    return nativeBytes;
  }

  /** Whether it learns from data and had not enough of it: it scans then. */
  boolean untrained() {
    return Boolean.FALSE.equals(details.get("trained"));
  }

  /** Further numbers of the index, as it was after its build. */
  Map<String, Object> details() {
    return details;
  }

  Map<String, Object> parameters() {
    return index.spec().parameters();
  }

  /**
   * The parameters that a reader of the table wants: those that shape the index, and those that are
   * not the default. One that the index chose by itself (0) is shown as it was chosen.
   */
  String shownParameters() {
    StringJoiner shown = new StringJoiner(" ");
    for (Parameter parameter : backend().parameters()) {
      String name = parameter.name();
      Object value = parameters().get(name);
      if (value == null || SAID_ELSEWHERE.contains(name)) {
        continue;
      }
      boolean changed = !Objects.equals(value.toString(), String.valueOf(parameter.defaultValue()));
      if (changed || TELLING_PARAMETERS.contains(name)) {
        Object used = value.toString().equals("0") ? details.get(name) : value;
        if (used != null) {
          shown.add(name + "=" + used);
        }
      }
    }
    return shown.toString();
  }

  @Override
  public void close() {
    index.close();
  }
}
