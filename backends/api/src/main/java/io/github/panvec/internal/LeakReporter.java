package io.github.panvec.internal;

import io.github.panvec.VectorIndex;
import java.lang.ref.Cleaner;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/**
 * Reports indexes that were garbage collected without {@code close()}, with the place where they
 * were created, and closes them. Thread-safe.
 */
final class LeakReporter {
  private final System.Logger logger;
  private final Cleaner cleaner = Cleaner.create();

  LeakReporter(System.Logger logger) {
    this.logger = logger;
  }

  /** Where an index was created: what a person has to find. */
  static final class CreatedHere extends Exception {
    private static final long serialVersionUID = 1L;

    CreatedHere(String spec) {
      super(spec + " was created here by thread \"" + Thread.currentThread().getName() + "\"");
    }
  }

  /** An index that somebody has to close. */
  final class Owed implements Runnable {
    private final VectorIndex index;
    private final String spec;
    private final CreatedHere place;
    private final AtomicBoolean settled = new AtomicBoolean();
    private Cleaner.@Nullable Cleanable registration;

    private Owed(VectorIndex index, String spec) {
      this.index = index;
      this.spec = spec;
      this.place = new CreatedHere(spec);
    }

    /** It is closed: there is nothing to report. */
    void settle() {
      if (settled.compareAndSet(false, true) && registration != null) {
        registration.clean();
      }
    }

    /** The object that held it is gone. */
    @Override
    public void run() {
      if (!settled.compareAndSet(false, true)) {
        return;
      }
      String outcome = "its memory has been freed";
      try {
        // Nobody else can call it any more: only the object that is gone knew it.
        index.close();
      } catch (RuntimeException failed) {
        outcome = "freeing it failed: " + failed;
      }
      logger.log(
          System.Logger.Level.WARNING,
          spec + " was garbage collected without close(); " + outcome,
          place);
    }
  }

  /**
   * Watches {@code holder}, and reports when it is collected before {@link Owed#settle()}.
   *
   * @param index does not lead to {@code holder}
   */
  Owed watch(Object holder, VectorIndex index, String spec) {
    Owed owed = new Owed(index, spec);
    owed.registration = cleaner.register(holder, owed);
    return owed;
  }
}
