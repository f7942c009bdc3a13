package io.github.panvec.internal;

/** Events of {@code jdk.jfr}; cannot be loaded where that is missing. */
final class JfrEvents extends CallEvents {
  // Never recorded: isEnabled() is an instance method, and asking these allocates nothing.
  private final AddEvent add = new AddEvent();
  private final SearchEvent search = new SearchEvent();
  private final TrainEvent train = new TrainEvent();
  private final CompactEvent compact = new CompactEvent();
  private final SaveEvent save = new SaveEvent();

  @Override
  boolean adds() {
    return add.isEnabled();
  }

  @Override
  boolean searches() {
    return search.isEnabled();
  }

  @Override
  boolean trainings() {
    return train.isEnabled();
  }

  @Override
  boolean compactions() {
    return compact.isEnabled();
  }

  @Override
  boolean saves() {
    return save.isEnabled();
  }

  @Override
  Pending begin(Operation operation) {
    CallEvent event =
        switch (operation) {
          case ADD, UPSERT -> new AddEvent();
          case SEARCH, SEARCH_ALL, SEARCH_RANGE -> new SearchEvent();
          case TRAIN -> new TrainEvent();
          case COMPACT -> new CompactEvent();
          case SAVE -> new SaveEvent();
          default -> throw new IllegalArgumentException("no event for " + operation);
        };
    event.begin();
    return event;
  }
}
