package io.github.panvec.conformance;

import io.github.panvec.conformance.RecordedFiles.Action;
import io.github.panvec.conformance.RecordedFiles.Change;

/** The parts of a save, told by its operations on files one after another. */
enum SavePhase {
  LOCKING,
  FORCING_WHAT_WAS_THERE,
  DELETING_LEFTOVERS,
  CREATING_THE_GENERATION,
  WRITING_FILES,
  FORCING_FILES,
  FORCING_DIRECTORIES,
  WRITING_THE_MANIFEST,
  PUTTING_IT_IN_PLACE,
  FORCING_THAT,
  DELETING_THE_OLD_GENERATION;

  /** The phase that an operation belongs to which comes in this one. */
  SavePhase at(Change change) {
    String name = change.path().getFileName().toString();
    return switch (change.action()) {
      case LOCK -> LOCKING;
      case FORCE_DIRECTORY ->
          switch (this) {
            case LOCKING -> FORCING_WHAT_WAS_THERE;
            case FORCING_FILES -> FORCING_DIRECTORIES;
            case PUTTING_IT_IN_PLACE -> FORCING_THAT;
            default -> this;
          };
      case DELETE ->
          compareTo(FORCING_THAT) >= 0 ? DELETING_THE_OLD_GENERATION : DELETING_LEFTOVERS;
      case CREATE_DIRECTORY -> CREATING_THE_GENERATION;
      case RENAME -> PUTTING_IT_IN_PLACE;
      case CREATE, WRITE, FORCE -> {
        if (name.startsWith(SnapshotFolder.MANIFEST)) {
          yield WRITING_THE_MANIFEST;
        }
        if (this == CREATING_THE_GENERATION && name.equals("files")) {
          yield this;
        }
        yield change.action() == Action.FORCE ? FORCING_FILES : WRITING_FILES;
      }
    };
  }

  /** Whether a save that ends here has not put its manifest in place, and has begun to. */
  boolean isBeforeTheNewManifest() {
    return compareTo(PUTTING_IT_IN_PLACE) < 0;
  }

  boolean isAfterTheNewManifest() {
    return compareTo(PUTTING_IT_IN_PLACE) > 0;
  }
}
