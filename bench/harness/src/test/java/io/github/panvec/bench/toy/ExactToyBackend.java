package io.github.panvec.bench.toy;

import io.github.panvec.Availability;
import io.github.panvec.Capabilities;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Parameter;
import io.github.panvec.VectorIndex;
import io.github.panvec.spi.VectorBackend;
import java.util.EnumSet;
import java.util.List;

/** A backend that is always exact and knows no DOT. */
public final class ExactToyBackend implements VectorBackend {
  private static final Capabilities CAPABILITIES =
      new Capabilities(EnumSet.of(Metric.L2, Metric.COSINE), 8192, 4096, false, false, false);

  @Override
  public String name() {
    return "toy-exact";
  }

  @Override
  public String upstreamVersion() {
    return "2.0";
  }

  @Override
  public Capabilities capabilities() {
    return CAPABILITIES;
  }

  @Override
  public List<Parameter> parameters() {
    return List.of();
  }

  @Override
  public Availability availability() {
    return Availability.of("/toy/libexact.so", "2.0", "baseline");
  }

  @Override
  public VectorIndex create(IndexSpec spec) {
    return new ToyIndex(spec, CAPABILITIES);
  }
}
