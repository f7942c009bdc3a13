package io.github.panvec.bench.toy;

import io.github.panvec.Availability;
import io.github.panvec.Capabilities;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Parameter;
import io.github.panvec.VectorIndex;
import io.github.panvec.VectorIndexException;
import io.github.panvec.snapshot.SnapshotReader;
import io.github.panvec.spi.VectorBackend;
import java.util.EnumSet;
import java.util.List;

/**
 * A backend without a native library, which the property {@code panvec.toy} makes fail in every way
 * that a real one may.
 */
public final class ToyBackend implements VectorBackend {
  /**
   * {@code unavailable}, {@code broken-build}, {@code no-views}, {@code crash}, {@code hang} or
   * {@code throw}; and what {@link ToyIndex} knows.
   */
  public static final String MISCHIEF = "panvec.toy";

  private static final Capabilities CAPABILITIES =
      new Capabilities(EnumSet.allOf(Metric.class), 8192, 1 << 20, true, false, false, true);

  static String mischief() {
    return System.getProperty(MISCHIEF, "");
  }

  @Override
  public String name() {
    return "toy";
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
    return List.of(
        Parameter.integer("m", 16, 2, 512, "neighbours per node"),
        Parameter.integer("efSearch", 64, 1, 1 << 20, "candidates kept"),
        Parameter.integer("threads", 1, 1, 1024, "threads that build"));
  }

  @Override
  public Availability availability() {
    switch (mischief()) {
      case "unavailable":
        return Availability.unavailable("libtoy.so: file too short\nRemedy: build it again");
      case "crash":
        Misbehaviour.writeThroughBadAddress();
        break;
      case "hang":
        Misbehaviour.hang();
        break;
      case "throw":
        throw new IllegalStateException("thrown on purpose");
      default:
    }
    return Availability.of("/toy/libtoy.so", "1.0", "baseline");
  }

  @Override
  public VectorIndex create(IndexSpec spec) {
    if (mischief().equals("broken-build")) {
      throw new VectorIndexException("no room on purpose");
    }
    return new ToyIndex(spec, CAPABILITIES);
  }

  @Override
  public VectorIndex open(IndexSpec spec, SnapshotReader reader) {
    return ToyIndex.read(spec, CAPABILITIES, reader);
  }

  /** In memory like every toy. */
  @Override
  public VectorIndex view(IndexSpec spec, SnapshotReader reader) {
    if (mischief().equals("no-views")) {
      throw new UnsupportedOperationException("no views on purpose");
    }
    VectorIndex view = open(spec, reader);
    reader.close();
    return view;
  }
}
