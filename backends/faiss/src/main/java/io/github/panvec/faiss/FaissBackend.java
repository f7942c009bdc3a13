package io.github.panvec.faiss;

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

/**
 * FAISS, in memory: exact scan, HNSW graphs, inverted lists, scalar and product quantisers, by the
 * parameter {@code type}.
 */
public final class FaissBackend implements VectorBackend {
  static final String NAME = "faiss";
  static final String UPSTREAM_VERSION = "1.12.0";

  /** For {@link java.util.ServiceLoader}. */
  public FaissBackend() {}

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
    return capabilities(true, false);
  }

  @Override
  public Capabilities capabilities(IndexSpec spec) {
    FaissParameters parameters = FaissParameters.of(spec);
    return capabilities(parameters.type() != FaissType.FLAT, !parameters.keepVectors());
  }

  private static Capabilities capabilities(boolean approximate, boolean lossy) {
    return new Capabilities(
        EnumSet.allOf(Metric.class), 65_536, Integer.MAX_VALUE, approximate, lossy, false, true);
  }

  @Override
  public List<Parameter> parameters() {
    return FaissParameters.DECLARED;
  }

  @Override
  public Availability availability() {
    return FaissLibrary.INSTANCE.availability();
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
    return FaissFile.contents(file);
  }

  private Engine engine(IndexSpec spec) {
    FaissParameters parameters = FaissParameters.of(spec);
    FaissLibrary.INSTANCE.require();
    return new Engine(
        spec,
        capabilities(spec),
        UPSTREAM_VERSION,
        () -> new FaissSlotIndex(spec.metric(), spec.dimension(), parameters),
        Math.toIntExact((Long) spec.parameters().get("threads")),
        (Long) spec.parameters().get(ManagedIndex.COMPACT_AT.name()));
  }
}
