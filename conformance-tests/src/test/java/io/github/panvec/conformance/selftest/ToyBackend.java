package io.github.panvec.conformance.selftest;

import io.github.panvec.Availability;
import io.github.panvec.Capabilities;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Parameter;
import io.github.panvec.VectorIndex;
import io.github.panvec.spi.VectorBackend;
import java.util.EnumSet;
import java.util.List;

/** Brute force over a map, which keeps the contract unless it is given a {@link Fault}. */
public final class ToyBackend implements VectorBackend {
  static final String NAME = "toy";
  static final Capabilities CAPABILITIES =
      new Capabilities(EnumSet.allOf(Metric.class), 8192, Integer.MAX_VALUE, false, false, false);

  @Override
  public String name() {
    return NAME;
  }

  @Override
  public String upstreamVersion() {
    return "1";
  }

  @Override
  public Capabilities capabilities() {
    return CAPABILITIES;
  }

  @Override
  public List<Parameter> parameters() {
    return List.of(Parameter.integer("effort", 7, 1, 100, "without effect"));
  }

  @Override
  public Availability availability() {
    return new Availability(true, null, "1", null, null);
  }

  @Override
  public VectorIndex create(IndexSpec spec) {
    if (Fault.DIMENSION_8192_REFUSED.isPresent() && spec.dimension() == 8192) {
      throw new IllegalArgumentException("too many dimensions: " + spec.dimension());
    }
    return new ToyIndex(
        Fault.SPEC_WITHOUT_DEFAULTS.isPresent()
            ? IndexSpec.of(NAME, spec.dimension(), spec.metric())
            : spec);
  }
}
