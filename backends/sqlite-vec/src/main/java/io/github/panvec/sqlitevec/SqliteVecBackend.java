package io.github.panvec.sqlitevec;

import io.github.panvec.Availability;
import io.github.panvec.Capabilities;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Parameter;
import io.github.panvec.VectorIndex;
import io.github.panvec.snapshot.SnapshotContents;
import io.github.panvec.snapshot.SnapshotReader;
import io.github.panvec.spi.ForeignFile;
import io.github.panvec.spi.VectorBackend;
import java.util.EnumSet;
import java.util.List;

/**
 * sqlite-vec: vectors in a real database, in memory or, with the parameter {@code path}, in a file
 * that is durable call by call and that other processes may read and write meanwhile. Every search
 * is exact.
 */
public final class SqliteVecBackend implements VectorBackend {
  static final String NAME = "sqlite-vec";
  static final String UPSTREAM_VERSION = "0.1.9";
  static final String PATH = "path";
  static final String BUSY_TIMEOUT_MS = "busyTimeoutMs";
  static final String READERS = "readers";

  /** sqlite-vec's own limit. */
  private static final int MAX_DIMENSION = 8192;

  private static final int MOST_READERS_BY_DEFAULT = 8;
  private static final Capabilities CAPABILITIES =
      new Capabilities(
          EnumSet.allOf(Metric.class), MAX_DIMENSION, Integer.MAX_VALUE, false, false, true, true);

  /** For {@link java.util.ServiceLoader}; loads nothing. */
  public SqliteVecBackend() {}

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
    return List.of(
        Parameter.path(
            PATH,
            "database file, created when it does not exist; without it the index lives in memory"),
        Parameter.integer(
            BUSY_TIMEOUT_MS,
            5000,
            0,
            Integer.MAX_VALUE,
            "how long to wait, in milliseconds, for another process that holds the file's lock"),
        Parameter.integer(
            READERS,
            Math.min(MOST_READERS_BY_DEFAULT, 2 * Runtime.getRuntime().availableProcessors()),
            1,
            256,
            "most connections that search a file or a view at the same time; no meaning in"
                + " memory"));
  }

  @Override
  public Availability availability() {
    return SqliteVecLibrary.INSTANCE.availability();
  }

  @Override
  public VectorIndex create(IndexSpec spec) {
    SqliteVecLibrary.INSTANCE.require();
    return SqliteVecIndex.open(spec);
  }

  /** In memory, whether the saved index was or lived in a file. */
  @Override
  public VectorIndex open(IndexSpec spec, SnapshotReader reader) {
    SqliteVecLibrary.INSTANCE.require();
    return SqliteVecIndex.load(spec, reader);
  }

  @Override
  public VectorIndex view(IndexSpec spec, SnapshotReader reader) {
    SqliteVecLibrary.INSTANCE.require();
    return SqliteVecIndex.view(spec, reader);
  }

  @Override
  public SnapshotContents importFile(ForeignFile file) {
    SqliteVecLibrary.INSTANCE.require();
    return SqliteVecFile.contents(file);
  }
}
