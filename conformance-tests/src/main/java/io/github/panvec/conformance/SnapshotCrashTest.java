package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.ForeignFileException;
import io.github.panvec.IndexBusyException;
import io.github.panvec.IndexIoException;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.ReadOnlyIndexException;
import io.github.panvec.VectorIndex;
import io.github.panvec.VectorIndexException;
import io.github.panvec.conformance.CutDisk.Loss;
import io.github.panvec.conformance.RecordedFiles.Action;
import io.github.panvec.conformance.RecordedFiles.Change;
import io.github.panvec.snapshot.FileOperations;
import io.github.panvec.snapshot.SnapshotWriter;
import io.github.panvec.spi.SavableIndex;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Saves that are cut off, refused or that meet another one, for every kind of index. */
class SnapshotCrashTest extends ConformanceTest {
  private static final int DIMENSION = 8;
  private static final int ROWS = 120;

  /** The same again would be another part each time. */
  private static final List<Loss> LOSSES =
      List.of(Loss.NOTHING, Loss.ALL, Loss.CONTENT, Loss.ANY, Loss.ANY);

  @TempDir Path folder;
  private final Random random = new Random(TestVectors.seed());

  static Stream<Subject> subjects() {
    return Subjects.all().stream().filter(subject -> subject.capabilities().snapshots());
  }

  /** In memory, and in a file where the kind of index takes one. */
  enum Place {
    MEMORY,
    FILE
  }

  Stream<Place> places() {
    return subject.takes("path") ? Stream.of(Place.values()) : Stream.of(Place.MEMORY);
  }

  private SavableIndex create(Place place) {
    Metric metric = any(Metric.COSINE);
    IndexSpec spec = spec(DIMENSION, metric);
    CellLog.touch(new Subject.Shape(metric, DIMENSION));
    return SnapshotFolder.savable(
        place == Place.FILE ? spec.with("path", folder.resolve("live")) : spec);
  }

  private void write(VectorIndex index, long firstId) {
    index.addAll(
        LongStream.range(firstId, firstId + ROWS).toArray(),
        TestVectors.gaussian(random, ROWS * DIMENSION));
    for (long id = firstId; id < firstId + ROWS; id += 10) {
      index.upsert(id, TestVectors.gaussian(random, DIMENSION));
      index.remove(id + 3);
    }
  }

  // ---------------------------------------------------------------------------------- cut off

  @ParameterizedTest
  @MethodSource("places")
  @Contract("snapshot.crash-safe")
  void aSaveThatIsCutOffAnywhereLeavesTheSnapshotBeforeItOrTheNewOne(Place place)
      throws IOException {
    Path root = Files.createDirectory(folder.resolve("disk"));
    Path saved = root.resolve("saved");
    try (SavableIndex index = create(place)) {
      CutDisk empty = new CutDisk(root);
      write(index, 0);
      List<Change> first = save(index, saved);
      IndexContent old = IndexContent.of(index);
      CutDisk full = new CutDisk(root);
      write(index, 1000);
      List<Change> second = save(index, saved);
      IndexContent now = IndexContent.of(index);
      assertThat(now).isNotEqualTo(old);
      int cuts = cutEverywhere(empty, first, null, old) + cutEverywhere(full, second, old, now);
      System.out.printf(
          "snapshots, cut points: %s%s %d, each with %d losses; all open%n",
          subject, place == Place.FILE ? " in a file" : "", cuts, LOSSES.size());
    }
  }

  private static List<Change> save(SavableIndex index, Path saved) {
    List<Change> changes = new ArrayList<>();
    index.save(new SnapshotWriter(saved, new RecordedFiles(changes::add)));
    return changes;
  }

  /** How many cuts there were, the one before the first change included. */
  private int cutEverywhere(
      CutDisk disk, List<Change> changes, @Nullable IndexContent old, IndexContent now)
      throws IOException {
    int renamed = indexOfRename(changes);
    // From the force behind it on the new one stays.
    assertThat(changes.get(renamed + 1).action()).isEqualTo(Action.FORCE_DIRECTORY);
    for (int done = 0; done <= changes.size(); done++) {
      if (done > 0) {
        disk.apply(changes.get(done - 1));
      }
      for (Loss loss : LOSSES) {
        String cut = loss + " lost after " + done + " of " + changes.size() + " operations, seed ";
        Path root = folder.resolve("left");
        disk.leave(root, loss, random);
        try {
          IndexContent found = open(root.resolve("saved"), done % 8 == 0);
          if (done <= renamed) {
            assertThat(found).isEqualTo(old);
          } else if (done > renamed + 1) {
            assertThat(found).isEqualTo(now);
          } else {
            assertThat(found).isIn(old, now);
          }
        } catch (RuntimeException | AssertionError failed) {
          throw new AssertionError(subject + ": " + cut + TestVectors.seed(), failed);
        }
        new SnapshotFolder(root).delete();
      }
    }
    return changes.size() + 1;
  }

  private static int indexOfRename(List<Change> changes) {
    List<Action> actions = changes.stream().map(Change::action).toList();
    assertThat(actions).containsOnlyOnce(Action.RENAME);
    return actions.indexOf(Action.RENAME);
  }

  /** Null where there is no snapshot. What is opened may be saved to again. */
  private static @Nullable IndexContent open(Path saved, boolean save) {
    try (VectorIndex opened = Panvec.open(saved)) {
      IndexContent content = IndexContent.of(opened);
      if (save) {
        opened.save(saved);
        assertThat(new SnapshotFolder(saved).names()).hasSize(3).contains("lock", "manifest.json");
        try (VectorIndex again = Panvec.open(saved)) {
          assertThat(IndexContent.of(again)).isEqualTo(content);
        }
      }
      return content;
    } catch (ForeignFileException none) {
      return null;
    }
  }

  // ---------------------------------------------------------------------------------- refused

  /** Why a disk takes nothing, and what is said of it. */
  enum Refusal {
    FULL("No space left on device", IndexIoException.class),
    READ_ONLY("permission denied", ReadOnlyIndexException.class);

    private final String words;
    private final Class<? extends VectorIndexException> exception;

    Refusal(String words, Class<? extends VectorIndexException> exception) {
      this.words = words;
      this.exception = exception;
    }

    IOException at(Path path) {
      return this == FULL ? new IOException(words) : new AccessDeniedException(path.toString());
    }
  }

  @ParameterizedTest
  @EnumSource
  @Contract("snapshot.refused-save")
  void aSaveThatTheDiskRefusesNamesTheFileAndLeavesEverythingAsItWas(Refusal refusal)
      throws IOException {
    SnapshotFolder good = new SnapshotFolder(folder.resolve("good"));
    SnapshotFolder saved = new SnapshotFolder(folder.resolve("saved"));
    try (SavableIndex index = create(Place.MEMORY)) {
      write(index, 0);
      index.save(good.path());
      write(index, 1000);
      IndexContent now = IndexContent.of(index);
      int number = 0;
      good.copyTo(saved.path());
      while (isRefused(refusal, number, index, saved)) {
        number++;
        saved.delete();
        good.copyTo(saved.path());
      }
      assertThat(number).isGreaterThan(15);
      try (VectorIndex opened = Panvec.open(saved.path())) {
        assertThat(IndexContent.of(opened)).isEqualTo(now);
      }
    }
  }

  /** Whether the save failed because its operation of that number was refused. */
  private static boolean isRefused(
      Refusal refusal, int number, SavableIndex index, SnapshotFolder saved) {
    List<Change> made = new ArrayList<>();
    FileOperations disk =
        new RecordedFiles(
            change -> {
              made.add(change);
              if (made.size() > number) {
                throw refusal.at(change.path());
              }
            });
    Map<String, ByteBuffer> before = saved.tree();
    try {
      index.save(new SnapshotWriter(saved.path(), disk));
      return false;
    } catch (VectorIndexException refused) {
      String operation = "operation " + number + ", " + made.get(number);
      assertThat(refused)
          .as(operation)
          .isExactlyInstanceOf(refusal.exception)
          .hasMessageContaining(saved.path().toString())
          .hasMessageContaining(refusal.words);
      boolean renamed =
          made.stream().limit(number).anyMatch(change -> change.action() == Action.RENAME);
      if (!renamed) {
        // What was written goes again, as far as the disk lets it.
        Map<String, ByteBuffer> after = saved.tree();
        after.keySet().retainAll(before.keySet());
        assertThat(after).as(operation).isEqualTo(before);
      }
      return true;
    }
  }

  // ---------------------------------------------------------------------------------- two of them

  @ParameterizedTest
  @MethodSource("places")
  @Contract("snapshot.one-writer")
  void aSecondSaveMeanwhileIsToldWhoTheFirstIs(Place place) {
    SnapshotFolder saved = new SnapshotFolder(folder.resolve("saved"));
    try (SavableIndex index = create(place);
        VectorIndex other = create(Place.MEMORY)) {
      write(index, 0);
      write(other, 1000);
      AtomicInteger refused = new AtomicInteger();
      String name = Thread.currentThread().getName();
      FileOperations disk =
          new RecordedFiles(
              change -> {
                // The directory itself is made before it is locked.
                if (change.action() != Action.LOCK && !change.path().equals(saved.path())) {
                  assertThatThrownBy(() -> other.save(saved.path()))
                      .isInstanceOf(IndexBusyException.class)
                      .hasMessageContaining(saved.path().toString())
                      .hasMessageContaining("this process")
                      .hasMessageContaining("\"" + name + "\"");
                  refused.incrementAndGet();
                }
              });
      index.save(new SnapshotWriter(saved.path(), disk));
      assertThat(refused.get()).isGreaterThan(10);
      IndexContent content = IndexContent.of(index);
      try (VectorIndex opened = Panvec.open(saved.path())) {
        assertThat(IndexContent.of(opened)).isEqualTo(content);
      }
      other.save(saved.path());
    }
  }
}
