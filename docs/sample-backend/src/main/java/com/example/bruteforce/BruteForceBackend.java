package com.example.bruteforce;

import io.github.panvec.Availability;
import io.github.panvec.Capabilities;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Parameter;
import io.github.panvec.VectorIndex;
import io.github.panvec.spi.VectorBackend;
import java.util.EnumSet;
import java.util.List;

/** Plain Java that looks at every row: each search is exact. */
public final class BruteForceBackend implements VectorBackend {
  static final Capabilities CAPABILITIES =
      new Capabilities(EnumSet.allOf(Metric.class), 65_536, Integer.MAX_VALUE, false, false, false);

  @Override
  public String name() {
    return "brute-force";
  }

  @Override
  public String upstreamVersion() {
    return "1.0";
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
    return new Availability(true, null, "1.0", null, null);
  }

  @Override
  public VectorIndex create(IndexSpec spec) {
    return new BruteForceIndex(spec);
  }
}
