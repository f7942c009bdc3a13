package io.github.panvec.snapshot;

import java.nio.file.Path;
import java.util.Arrays;

/**
 * One operation on files that changes something, or makes a change last.
 *
 * @param target where a rename goes to; otherwise the same as {@code path}
 * @param data what a write appends; otherwise empty
 */
record Step(Kind kind, Path path, Path target, byte[] data) {
  enum Kind {
    /** Changes nothing; only readers do it. */
    LEASE,
    LOCK,
    CREATE_DIRECTORY,
    CREATE,
    WRITE,
    FORCE,
    FORCE_DIRECTORY,
    RENAME,
    DELETE
  }

  static Step of(Kind kind, Path path) {
    return new Step(kind, path, path, new byte[0]);
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Step that && toString().equals(that.toString());
  }

  @Override
  public int hashCode() {
    return toString().hashCode();
  }

  @Override
  public String toString() {
    return kind
        + " "
        + path
        + (target.equals(path) ? "" : " -> " + target)
        + (data.length == 0 ? "" : " " + data.length + " bytes, " + Arrays.hashCode(data));
  }
}
