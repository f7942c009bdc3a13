package io.github.panvec.snapshot;

/** The parts of a save. */
enum Phase {
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

  /** Counts forces and deletes of the save that this process makes, its only one. */
  private static Phase now = LOCKING;

  /** The phase that a step belongs to, in the order of one save. */
  static Phase of(Step step) {
    String name = step.path().getFileName().toString();
    switch (step.kind()) {
      case LEASE, LOCK:
        now = LOCKING;
        break;
      case FORCE_DIRECTORY:
        now =
            switch (now) {
              case LOCKING -> FORCING_WHAT_WAS_THERE;
              case PUTTING_IT_IN_PLACE -> FORCING_THAT;
              case FORCING_FILES -> FORCING_DIRECTORIES;
              default -> now;
            };
        break;
      case DELETE:
        now = now.compareTo(FORCING_THAT) >= 0 ? DELETING_THE_OLD_GENERATION : DELETING_LEFTOVERS;
        break;
      case CREATE_DIRECTORY:
        now = CREATING_THE_GENERATION;
        break;
      case RENAME:
        now = PUTTING_IT_IN_PLACE;
        break;
      case CREATE, WRITE, FORCE:
        if (name.startsWith("manifest.json")) {
          now = WRITING_THE_MANIFEST;
        } else if (!name.equals(GenerationFiles.LIST)) {
          now = step.kind() == Step.Kind.FORCE ? FORCING_FILES : WRITING_FILES;
        }
        break;
    }
    return now;
  }
}
