package io.github.panvec.internal;

import org.jspecify.annotations.Nullable;

/**
 * Where calls become events of JDK Flight Recorder. Knows no class of {@code jdk.jfr}, which a
 * runtime image may lack: then nothing is ever enabled. Thread-safe.
 */
abstract class CallEvents {
  /** The one for this runtime. */
  static final CallEvents INSTANCE = find();

  /** An event that has begun. */
  interface Pending {

    /**
     * Ends and records it.
     *
     * @param path how the search came to its hits, for those that did
     */
    void finish(
        String backend,
        Operation operation,
        long rows,
        int k,
        FilterKind filter,
        @Nullable String path,
        boolean returned);
  }

  private static CallEvents find() {
    try {
      return new JfrEvents();
    } catch (LinkageError absent) {
      return new None();
    }
  }

  /** Whether a recording wants adds and upserts. Allocates nothing. */
  abstract boolean adds();

  /** Whether a recording wants searches. Allocates nothing. */
  abstract boolean searches();

  /** Whether a recording wants trainings. Allocates nothing. */
  abstract boolean trainings();

  /** Whether a recording wants compactions. Allocates nothing. */
  abstract boolean compactions();

  /** Whether a recording wants saves. Allocates nothing. */
  abstract boolean saves();

  final boolean enabled(Operation operation) {
    return switch (operation) {
      case ADD, UPSERT -> adds();
      case SEARCH, SEARCH_ALL, SEARCH_RANGE -> searches();
      case TRAIN -> trainings();
      case COMPACT -> compactions();
      case SAVE -> saves();
      default -> false;
    };
  }

  /** Begins the event of that operation, which must have one. */
  abstract Pending begin(Operation operation);

  /** For a runtime without {@code jdk.jfr}. */
  static final class None extends CallEvents {
    @Override
    boolean adds() {
      return false;
    }

    @Override
    boolean searches() {
      return false;
    }

    @Override
    boolean trainings() {
      return false;
    }

    @Override
    boolean compactions() {
      return false;
    }

    @Override
    boolean saves() {
      return false;
    }

    @Override
    Pending begin(Operation operation) {
      throw new IllegalStateException("no events here");
    }
  }
}
