package io.github.panvec.usearch;

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
import java.util.Locale;

/** Hierarchical navigable small world graphs by usearch, in memory, over float32 or codes. */
public final class UsearchBackend implements VectorBackend {
  static final String NAME = "usearch";
  static final String UPSTREAM_VERSION = "2.26.2";

  private static final String QUANTIZATION = "quantization";
  private static final String I8 = "i8";

  /** In the order of the constants of panvec_usearch.h. */
  private static final List<String> QUANTIZATIONS = List.of("f32", "f16", "bf16", I8);

  private static final List<String> LOSSY = QUANTIZATIONS.subList(1, QUANTIZATIONS.size());

  private static final List<Parameter> PARAMETERS =
      List.of(
          Parameter.choice(
              QUANTIZATION,
              QUANTIZATIONS,
              "what the graph is walked on; i8 keeps the order of COSINE only"),
          Parameter.integer(
              "m",
              16,
              2,
              512,
              "neighbours per node above the base layer, which has twice as many (usearch: connectivity)"),
          Parameter.integer(
              "efConstruction",
              200,
              1,
              1_000_000,
              "candidates kept while a row is linked: higher is slower and better (usearch: expansion_add)"),
          Parameter.integer(
              "efSearch",
              64,
              1,
              1_000_000,
              "candidates kept by a search (at least k): higher is slower and better (usearch: expansion_search)"),
          Parameter.integer(
                  "refineFactor",
                  4,
                  1,
                  10_000,
                  "how many times k candidates are ranked again by their float32 vectors")
              .onlyFor(QUANTIZATION, LOSSY),
          Parameter.choice(
                  "keepVectors",
                  List.of("true", "false"),
                  "keep the float32 vectors beside the codes; false saves their memory, and get and exact search with it")
              .onlyFor(QUANTIZATION, LOSSY),
          Parameter.integer(
              "threads",
              Runtime.getRuntime().availableProcessors(),
              1,
              1024,
              "threads that may link a batch, or search for one, together"),
          ManagedIndex.COMPACT_AT);

  /** For {@link java.util.ServiceLoader}. */
  public UsearchBackend() {}

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
    return capabilities(EnumSet.allOf(Metric.class), false);
  }

  @Override
  public Capabilities capabilities(IndexSpec spec) {
    boolean onlyCosine = spec.parameters().get(QUANTIZATION).equals(I8);
    if (onlyCosine && spec.metric() != Metric.COSINE) {
      throw new IllegalArgumentException(
          String.format(
              Locale.ROOT,
              "usearch with quantization=i8 keeps the order of COSINE only, not of %s: use f32, f16 or bf16",
              spec.metric()));
    }
    return capabilities(
        onlyCosine ? EnumSet.of(Metric.COSINE) : EnumSet.allOf(Metric.class), !keepsVectors(spec));
  }

  private static Capabilities capabilities(EnumSet<Metric> metrics, boolean lossy) {
    return new Capabilities(metrics, 65_536, Integer.MAX_VALUE, true, lossy, false, true);
  }

  private static boolean keepsVectors(IndexSpec spec) {
    return !"false".equals(spec.parameters().get("keepVectors"));
  }

  @Override
  public List<Parameter> parameters() {
    return PARAMETERS;
  }

  @Override
  public Availability availability() {
    return UsearchLibrary.INSTANCE.availability();
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
    return UsearchFile.contents(file);
  }

  private Engine engine(IndexSpec spec) {
    UsearchLibrary.INSTANCE.require();
    Object refineFactor = spec.parameters().getOrDefault("refineFactor", 1L);
    return new Engine(
        spec,
        capabilities(spec),
        UPSTREAM_VERSION,
        () ->
            new UsearchSlotIndex(
                spec.metric(),
                spec.dimension(),
                QUANTIZATIONS.indexOf(spec.parameters().get(QUANTIZATION)),
                integer(spec, "m"),
                integer(spec, "efConstruction"),
                integer(spec, "efSearch"),
                Math.toIntExact((Long) refineFactor),
                keepsVectors(spec),
                integer(spec, "threads")),
        integer(spec, "threads"),
        integer(spec, ManagedIndex.COMPACT_AT.name()));
  }

  private static int integer(IndexSpec spec, String name) {
    return Math.toIntExact((Long) spec.parameters().get(name));
  }
}
