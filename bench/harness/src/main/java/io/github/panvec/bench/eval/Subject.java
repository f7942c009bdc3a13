package io.github.panvec.bench.eval;

import io.github.panvec.Availability;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.Parameter;
import io.github.panvec.VectorIndex;
import io.github.panvec.bench.Progress;
import io.github.panvec.bench.data.VectorSet;
import io.github.panvec.spi.VectorBackend;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.StringJoiner;

/** One backend's index over the base, and what building it cost. Ids are row numbers. */
final class Subject implements AutoCloseable {
  /** Rows cross in batches of this size, so that a large set is never in memory twice. */
  private static final long BATCH_BYTES = 64L << 20;

  private static final List<String> TELLING_PARAMETERS = List.of("m", "efConstruction");

  private final VectorBackend backend;
  private final Availability availability;
  private final VectorIndex index;
  private final double buildSeconds;
  private final long nativeBytes;

  private Subject(
      VectorBackend backend, Availability availability, VectorIndex index, double buildSeconds) {
    this.backend = backend;
    this.availability = availability;
    this.index = index;
    this.buildSeconds = buildSeconds;
    this.nativeBytes = index.stats().nativeBytes();
  }

  /** Builds; the time counts creation and adding, not the reading of the dataset. */
  static Subject build(
      VectorBackend backend,
      VectorSet base,
      Metric metric,
      EvalOptions options,
      Progress progress) {
    progress.step("Building " + backend.name() + " over " + base.rows() + " x " + base.dimension());
    IndexSpec spec = IndexSpec.of(backend.name(), base.dimension(), metric);
    for (Parameter parameter : backend.parameters()) {
      if (parameter.name().equals("threads") && options.threads() != null) {
        spec = spec.with("threads", options.threads());
      }
      String given = options.parameters().get(parameter.name());
      if (given != null) {
        spec = spec.with(parameter.name(), given);
      }
    }
    long start = System.nanoTime();
    VectorIndex index = Panvec.create(spec);
    long nanos = System.nanoTime() - start;
    try {
      nanos += addAll(index, base, progress);
      return new Subject(backend, backend.availability(), index, nanos / 1e9);
    } catch (RuntimeException | Error failed) {
      index.close();
      throw failed;
    }
  }

  private static long addAll(VectorIndex index, VectorSet base, Progress progress) {
    long rowBytes = 4L * base.dimension();
    int batch = Math.clamp(BATCH_BYTES / rowBytes, 1, base.rows());
    long nanos = 0;
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment ids = arena.allocate(ValueLayout.JAVA_LONG, batch);
      MemorySegment rows = arena.allocate(batch * rowBytes, 64);
      for (int from = 0; from < base.rows(); from += batch) {
        int count = Math.min(batch, base.rows() - from);
        base.copyRows(from, count, rows);
        for (int i = 0; i < count; i++) {
          ids.setAtIndex(ValueLayout.JAVA_LONG, i, from + i);
        }
        long start = System.nanoTime();
        index.addAll(ids.asSlice(0, count * 8L), rows.asSlice(0, count * rowBytes));
        nanos += System.nanoTime() - start;
        progress.at(from + count, base.rows());
      }
    }
    return nanos;
  }

  String name() {
    return backend.name();
  }

  VectorBackend backend() {
    return backend;
  }

  Availability availability() {
    return availability;
  }

  VectorIndex index() {
    return index;
  }

  boolean approximate() {
    return backend.capabilities().approximate();
  }

  double buildSeconds() {
    return buildSeconds;
  }

  long nativeBytes() {
    return nativeBytes;
  }

  Map<String, Object> parameters() {
    return index.spec().parameters();
  }

  /**
   * The parameters that a reader of the table wants: those that shape the graph, and those that are
   * not the default.
   */
  String shownParameters() {
    StringJoiner shown = new StringJoiner(" ");
    for (Parameter parameter : backend.parameters()) {
      Object value = parameters().get(parameter.name());
      boolean changed =
          value != null
              && !Objects.equals(value.toString(), String.valueOf(parameter.defaultValue()));
      boolean ofTheRun = parameter.name().equals("threads") || parameter.name().equals("efSearch");
      if (value != null
          && !ofTheRun
          && (changed || TELLING_PARAMETERS.contains(parameter.name()))) {
        shown.add(parameter.name() + "=" + value);
      }
    }
    return shown.toString();
  }

  @Override
  public void close() {
    index.close();
  }
}
