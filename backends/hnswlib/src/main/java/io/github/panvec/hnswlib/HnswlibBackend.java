package io.github.panvec.hnswlib;

import io.github.panvec.Availability;
import io.github.panvec.Capabilities;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Parameter;
import io.github.panvec.VectorIndex;
import io.github.panvec.engine.Engine;
import io.github.panvec.engine.ManagedIndex;
import io.github.panvec.snapshot.SnapshotContents;
import io.github.panvec.snapshot.SnapshotReader;
import io.github.panvec.spi.ForeignFile;
import io.github.panvec.spi.VectorBackend;
import java.util.EnumSet;
import java.util.List;

/** Hierarchical navigable small world graphs by hnswlib, in memory. */
public final class HnswlibBackend implements VectorBackend {
  static final String NAME = "hnswlib";
  static final String UPSTREAM_VERSION = "0.8.0";

  private static final Capabilities CAPABILITIES =
      new Capabilities(
          EnumSet.allOf(Metric.class), 65_536, Integer.MAX_VALUE, true, false, false, true);

  private static final List<Parameter> PARAMETERS =
      List.of(
          Parameter.integer(
              "m", 16, 2, 512, "neighbours per node above the base layer, which has twice as many"),
          Parameter.integer(
              "efConstruction",
              200,
              1,
              1_000_000,
              "candidates kept while a row is linked: higher is slower and better"),
          Parameter.integer(
              "efSearch",
              64,
              1,
              1_000_000,
              "candidates kept by a search (at least k): higher is slower and better"),
          Parameter.integer(
              "threads",
              Runtime.getRuntime().availableProcessors(),
              1,
              1024,
              "threads that may link a batch, or search for one, together"),
          ManagedIndex.COMPACT_AT,
          Parameter.integer("seed", 100, 0, Long.MAX_VALUE, "decides the layers of rows"));

  /** For {@link java.util.ServiceLoader}. */
  public HnswlibBackend() {}

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String upstreamVersion() {
    return UPSTREAM_VERSION;
  }

  @Override
  public Capabilities capabilities() {
    return CAPABILITIES;
  }

  @Override
  public List<Parameter> parameters() {
    return PARAMETERS;
  }

  @Override
  public Availability availability() {
    return HnswlibLibrary.INSTANCE.availability();
  }

  @Override
  public VectorIndex create(IndexSpec spec) {
    return new ManagedIndex(engine(spec));
  }

  @Override
  public VectorIndex open(IndexSpec spec, SnapshotReader reader) {
    return ManagedIndex.open(engine(spec), reader);
  }

  @Override
  public VectorIndex view(IndexSpec spec, SnapshotReader reader) {
    return ManagedIndex.view(engine(spec), reader);
  }

  @Override
  public SnapshotContents importFile(ForeignFile file) {
    return HnswlibFile.contents(file);
  }

  private static Engine engine(IndexSpec spec) {
    HnswlibLibrary.INSTANCE.require();
    return new Engine(
        spec,
        CAPABILITIES,
        UPSTREAM_VERSION,
        () ->
            new HnswlibSlotIndex(
                spec.metric(),
                spec.dimension(),
                integer(spec, "m"),
                integer(spec, "efConstruction"),
                integer(spec, "efSearch"),
                number(spec, "seed")),
        integer(spec, "threads"),
        number(spec, ManagedIndex.COMPACT_AT.name()));
  }

  private static int integer(IndexSpec spec, String name) {
    return Math.toIntExact(number(spec, name));
  }

  private static long number(IndexSpec spec, String name) {
    return (Long) spec.parameters().get(name);
  }
}
