package io.github.panvec;

import io.github.panvec.snapshot.SnapshotLease;
import io.github.panvec.snapshot.SnapshotReader;
import org.jspecify.annotations.Nullable;

/** One of the snapshots that a {@link ShardedIndex} is made of. */
final class Shard {
  /** As messages have it, for example {@code shard 2 (/data/b.panvec)}. */
  private final String name;

  private final int number;
  private final SnapshotLease lease;
  private final Capabilities capabilities;

  // Of OpenShards, under its lock:

  /** The index while it is open. */
  @Nullable VectorIndex index;

  /** How many calls are in the index. */
  int users;

  /** Whether a call is about to open it. */
  boolean opening;

  /** Whether the last user closes it; there are no new ones. */
  boolean retiring;

  /**
   * Reads the manifest, and has the generation stay.
   *
   * @param number from 0, in the caller's order
   */
  Shard(int number, SnapshotSource source) {
    this.number = number;
    name = "shard " + number + " (" + source + ")";
    SnapshotLease leased = null;
    try {
      leased = SnapshotLease.of(source);
      capabilities = Panvec.capabilities(leased.manifest(), source);
      lease = leased;
    } catch (RuntimeException failure) {
      if (leased != null) {
        leased.close();
      }
      throw named(failure);
    }
  }

  int number() {
    return number;
  }

  SnapshotManifest manifest() {
    return lease.manifest();
  }

  Capabilities capabilities() {
    return capabilities;
  }

  boolean isEmpty() {
    return manifest().size() == 0;
  }

  /** What it counts for. */
  long bytes() {
    return manifest().bytes();
  }

  /**
   * The index in it.
   *
   * @param limits when to give up
   */
  VectorIndex open(ShardOptions options, Limits limits) {
    try {
      SnapshotReader reader =
          lease.open(options.verify(), (done, total) -> limits.check("the search"));
      return Panvec.index(reader, options.areViews());
    } catch (RuntimeException failure) {
      throw named(failure);
    }
  }

  void giveBack() {
    lease.close();
  }

  /**
   * The same failure with the name of the shard. What the caller's own code threw, or says nothing
   * about a shard, is left as it is.
   */
  RuntimeException named(RuntimeException failure) {
    String message = name + ": " + failure.getMessage();
    RuntimeException named;
    if (failure instanceof CorruptIndexException) {
      named = new CorruptIndexException(message);
    } else if (failure instanceof ForeignFileException) {
      named = new ForeignFileException(message);
    } else if (failure instanceof IndexIoException) {
      named = new IndexIoException(message);
    } else if (failure instanceof IndexBusyException) {
      named = new IndexBusyException(message);
    } else if (failure instanceof NativeMemoryException) {
      named = new NativeMemoryException(message);
    } else if (failure instanceof UnknownBackendException) {
      named = new UnknownBackendException(message);
    } else if (failure instanceof BackendUnavailableException) {
      return new BackendUnavailableException(message, failure);
    } else if (failure.getClass() == VectorIndexException.class) {
      return new VectorIndexException(message, failure);
    } else {
      return failure;
    }
    named.initCause(failure);
    return named;
  }

  @Override
  public String toString() {
    return name;
  }
}
