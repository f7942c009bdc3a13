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

/**
 * A backend with types of index, some of which rank by codes, and parameters that depend on them.
 */
public final class KindsToyBackend implements VectorBackend {
  private static final Capabilities CAPABILITIES =
      new Capabilities(EnumSet.allOf(Metric.class), 8192, 1 << 20, true, false, false);
  private static final List<String> CODES = List.of("lists_code", "code");
  private static final List<String> LISTS = List.of("lists", "lists_code");

  @Override
  public String name() {
    return "toy-kinds";
  }

  @Override
  public String upstreamVersion() {
    return "3.0";
  }

  @Override
  public Capabilities capabilities() {
    return CAPABILITIES;
  }

  @Override
  public Capabilities capabilities(IndexSpec spec) {
    String type = spec.parameters().get("type").toString();
    if (type.equals("code") && spec.metric() == Metric.L2) {
      throw new IllegalArgumentException("type=code takes [COSINE, DOT], not L2");
    }
    if (spec.parameters().getOrDefault("nlist", 0L).equals(13L)) {
      throw new IllegalArgumentException("nlist must not be 13");
    }
    return new Capabilities(
        CAPABILITIES.metrics(),
        CAPABILITIES.maxDimension(),
        CAPABILITIES.maxK(),
        !type.equals("flat"),
        "false".equals(spec.parameters().get("keepVectors")),
        false);
  }

  @Override
  public List<Parameter> parameters() {
    return List.of(
        Parameter.choice("type", List.of("flat", "graph", "lists", "lists_code", "code"), "kind"),
        Parameter.integer("m", 16, 2, 512, "neighbours per node").onlyFor("type", List.of("graph")),
        Parameter.integer("efSearch", 64, 1, 1 << 20, "candidates kept")
            .onlyFor("type", List.of("graph")),
        Parameter.integer("nlist", 0, 0, 1 << 20, "lists, 0: chosen").onlyFor("type", LISTS),
        Parameter.integer("nprobe", 1, 1, 1 << 20, "lists looked into").onlyFor("type", LISTS),
        Parameter.integer("refineFactor", 4, 1, 1024, "times k ranked again")
            .onlyFor("type", CODES),
        Parameter.choice("keepVectors", List.of("true", "false"), "beside the codes")
            .onlyFor("type", CODES));
  }

  @Override
  public Availability availability() {
    return Availability.of("/toy/libkinds.so", "3.0", "baseline");
  }

  @Override
  public VectorIndex create(IndexSpec spec) {
    return new ToyIndex(spec, capabilities(spec));
  }
}
