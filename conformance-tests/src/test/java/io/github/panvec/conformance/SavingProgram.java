package io.github.panvec.conformance;

import io.github.panvec.Panvec;
import io.github.panvec.SnapshotSource;
import io.github.panvec.VectorIndex;
import io.github.panvec.Verify;
import io.github.panvec.conformance.RecordedFiles.Change;
import io.github.panvec.snapshot.SnapshotReader;
import io.github.panvec.snapshot.SnapshotWriter;
import io.github.panvec.spi.SavableIndex;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Saves one state of an index after another, and says what it is doing, until it is killed. */
final class SavingProgram {
  /** For a phase in which it shall wait until somebody writes a line. */
  static final String HOLD = "hold";

  /** For a phase in which it shall take its time. */
  static final String LINGER = "linger";

  private static SavePhase phase = SavePhase.LOCKING;

  private SavingProgram() {}

  /**
   * @param arguments a kind of index; a file for it to live in, or an empty text; the directory;
   *     {@link #HOLD} or {@link #LINGER}; the phase
   */
  public static void main(String[] arguments) {
    String file = arguments[1];
    NumberedIndex kind = NumberedIndex.named(arguments[0], file.isEmpty() ? null : Path.of(file));
    Path directory = Path.of(arguments[2]);
    boolean hold = arguments[3].equals(HOLD);
    SavePhase watched = SavePhase.valueOf(arguments[4]);
    try (SavableIndex opened = opened(directory);
        SavableIndex index = file.isEmpty() ? opened : SnapshotFolder.savable(kind.spec())) {
      for (int number = NumberedIndex.number(opened) + 1; ; number++) {
        NumberedIndex.write(index, number);
        System.out.println("begun " + number);
        index.save(
            new SnapshotWriter(directory, new RecordedFiles(change -> at(change, watched, hold))));
        System.out.println("saved " + number);
      }
    }
  }

  /** As its backend makes it, so that it can be saved by other operations on files. */
  private static SavableIndex opened(Path directory) {
    try (SnapshotReader reader = SnapshotReader.open(SnapshotSource.of(directory), Verify.FULL);
        VectorIndex complete = Panvec.open(directory)) {
      return (SavableIndex)
          Panvec.backend(reader.manifest().backend()).open(complete.spec(), reader);
    }
  }

  private static void at(Change change, SavePhase watched, boolean hold) throws IOException {
    phase = phase.at(change);
    System.out.println(phase);
    if (phase == watched) {
      if (hold) {
        System.in.read();
      } else {
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1));
      }
    }
  }
}
