package io.github.panvec.spi;

import io.github.panvec.Availability;
import io.github.panvec.BackendUnavailableException;
import io.github.panvec.Capabilities;
import io.github.panvec.IndexSpec;
import io.github.panvec.Parameter;
import io.github.panvec.VectorIndex;
import io.github.panvec.snapshot.SnapshotContents;
import io.github.panvec.snapshot.SnapshotReader;
import java.util.List;

/**
 * A nearest-neighbour engine. Found through {@link java.util.ServiceLoader}; needs a public
 * constructor without parameters.
 *
 * <p>Only {@link #availability()} and {@link #create} may touch the native library; everything else
 * is plain Java and works where the library does not. Thread-safe.
 */
public interface VectorBackend {

  /** The name that a spec selects it by, in lower case, for example {@code hnswlib}. */
  String name();

  /** Version of the engine behind it, as it is pinned in the build, for example {@code 0.8.0}. */
  String upstreamVersion();

  /** What its indexes can do at most; parameters may take some of it away. */
  Capabilities capabilities();

  /**
   * What an index of this spec can do.
   *
   * @param spec as for {@link #create}
   * @throws IllegalArgumentException when parameters do not fit together, or not to dimension or
   *     metric, saying what would
   */
  default Capabilities capabilities(IndexSpec spec) {
    return capabilities();
  }

  /** The parameters it knows, in the order in which a person wants to read them. */
  List<Parameter> parameters();

  /** Loads the library if that has not been tried yet; never throws. */
  Availability availability();

  /**
   * An empty index.
   *
   * @param spec checked by the caller: dimension and metric are within {@link #capabilities()},
   *     each parameter is one of {@link #parameters()} that applies, in its {@linkplain
   *     Parameter#parse parsed} form, defaults are filled in, and {@link #capabilities(IndexSpec)}
   *     has not refused it
   * @throws BackendUnavailableException when the library cannot be used
   */
  VectorIndex create(IndexSpec spec);

  /**
   * An index with what a snapshot holds, independent of it from then on.
   *
   * @param spec of the snapshot, checked by the caller as for {@link #create}
   * @param reader the snapshot, of this backend; stays the caller's to close
   * @throws io.github.panvec.CorruptIndexException when the files do not hold what they should
   * @throws BackendUnavailableException when the library cannot be used
   * @throws UnsupportedOperationException when the backend has no snapshots
   */
  default VectorIndex open(IndexSpec spec, SnapshotReader reader) {
    throw new UnsupportedOperationException(name() + " has no snapshots");
  }

  /**
   * A read-only index over the files of a snapshot, where they are.
   *
   * @param spec as for {@link #open}
   * @param reader closed with the index; stays the caller's when this throws
   * @throws io.github.panvec.CorruptIndexException as {@link #open}
   * @throws BackendUnavailableException when the library cannot be used
   * @throws UnsupportedOperationException when the backend has no views
   */
  default VectorIndex view(IndexSpec spec, SnapshotReader reader) {
    throw new UnsupportedOperationException(name() + " has no views of snapshots");
  }

  /**
   * What a file holds that the engine wrote by itself, as the snapshot of an index: its labels are
   * the ids, and what is marked as deleted is left out. The snapshot is opened afterwards, so what
   * {@link #open} checks need not be checked here.
   *
   * <p>Runs in a process of its own: what damaged files do to native code stays there.
   *
   * @return reads from {@code file} when it is written
   * @throws io.github.panvec.ForeignFileException when it is another kind of file, or of another
   *     metric, dimension or kind of index than was asked for
   * @throws io.github.panvec.CorruptIndexException when it is damaged
   * @throws BackendUnavailableException when the library is needed and cannot be used
   * @throws UnsupportedOperationException when the backend reads no such files
   */
  default SnapshotContents importFile(ForeignFile file) {
    throw new UnsupportedOperationException(name() + " reads no files but snapshots");
  }
}
