package io.github.panvec.snapshot;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.ForeignFileException;
import io.github.panvec.snapshot.CrashModel.Loss;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A save is cut off after each of its steps, and what was not forced to disk is lost in several
 * ways. What is left opens as the version from before or the new one, and can be saved to.
 */
class SnapshotCrashTest {
  private static final List<Loss> LOSSES =
      List.of(
          Loss.NOTHING,
          Loss.ALL,
          Loss.CONTENT,
          Loss.NAMES,
          Loss.ALL_BUT_THE_LAST_NAME,
          Loss.ANY,
          Loss.ANY,
          Loss.ANY,
          Loss.ANY);

  private static final List<Loss> AFTER_A_KILL = List.of(Loss.ALL, Loss.ANY);

  private static final int NONE = 0;
  private static final int OLD = 1;
  private static final int NEW = 2;
  private static final int LATER = 3;

  private final long seed = Long.getLong("panvec.seed", System.nanoTime());
  private final Random random = new Random(seed);

  @TempDir private Path temporary;

  /** The end of the process, which nothing in it survives. */
  private static final class Killed extends Error {
    private static final long serialVersionUID = 1L;
  }

  /** Writes the version to a directory that is left as it is after so many steps. */
  private static List<Step> save(Path directory, int version, int killAfter) {
    List<Step> steps = new ArrayList<>();
    SteppedFiles files =
        new SteppedFiles(
            step -> {
              if (steps.size() == killAfter) {
                throw new Killed();
              }
              steps.add(step);
            });
    try {
      new SnapshotWriter(directory, files).write(Rows.version(version));
    } catch (Killed killed) {
      assertThat(steps).hasSize(killAfter);
    }
    return steps;
  }

  private static List<Step> save(Path directory, int version) {
    return save(directory, version, Integer.MAX_VALUE);
  }

  @Test
  void aFirstSaveThatIsCutOffLeavesNothingOrTheNewVersion() throws IOException {
    Path root = temporary.resolve("disk");
    Files.createDirectory(root);
    CrashModel before = new CrashModel(root);
    List<Step> steps = save(root.resolve("x"), NEW);
    cutEverywhere("a first save", before, steps, Set.of(NONE), NEW);
  }

  @Test
  void aSaveThatIsCutOffLeavesTheOldVersionOrTheNew() throws IOException {
    Path root = temporary.resolve("disk");
    Files.createDirectory(root);
    Rows.save(root.resolve("x"), OLD);
    CrashModel before = new CrashModel(root);
    List<Step> steps = save(root.resolve("x"), NEW);
    cutEverywhere("a save", before, steps, Set.of(OLD), NEW);
  }

  @Test
  void soDoesOneThatFollowsOneThatWasKilledAnywhere() throws IOException {
    int steps = 0;
    int killedAfter = 0;
    while (true) {
      Path root = temporary.resolve("disk" + killedAfter);
      Files.createDirectory(root);
      Rows.save(root.resolve("x"), OLD);
      CrashModel model = new CrashModel(root);
      List<Step> killed = save(root.resolve("x"), NEW, killedAfter);
      if (killed.size() < killedAfter) {
        break;
      }
      killed.forEach(model::apply);
      int now = Rows.number(root.resolve("x"));
      List<Step> later = save(root.resolve("x"), LATER);
      // What the killed save put in place need not be on disk when the next one begins.
      steps +=
          cut(model, later, now == NEW ? Set.of(OLD, NEW) : Set.of(OLD), LATER, AFTER_A_KILL)
              .size();
      Rows.delete(root);
      killedAfter++;
    }
    System.out.printf(
        "snapshots, cut points: %d of saves that follow one that was killed after 0 .. %d steps%n",
        steps, killedAfter - 1);
  }

  private void cutEverywhere(
      String what, CrashModel before, List<Step> steps, Set<Integer> old, int written)
      throws IOException {
    List<Integer> opened = cut(before, steps, old, written, LOSSES);
    System.out.printf(
        "snapshots, cut points: %d of %s, each with %d losses; %s%n",
        opened.size(), what, LOSSES.size(), "all open");
    assertThat(opened).hasSize(steps.size() + 1);
  }

  /** Per cut, how many versions were found. */
  private List<Integer> cut(
      CrashModel model, List<Step> steps, Set<Integer> old, int written, List<Loss> losses)
      throws IOException {
    int renamed = indexOfRename(steps);
    int durable = renamed + 1;
    assertThat(steps.get(durable).kind()).isEqualTo(Step.Kind.FORCE_DIRECTORY);
    List<Integer> opened = new ArrayList<>();
    for (int done = 0; done <= steps.size(); done++) {
      if (done > 0) {
        model.apply(steps.get(done - 1));
      }
      Set<Integer> allowed = new TreeSet<>();
      if (done <= durable) {
        allowed.addAll(old);
      }
      if (done > renamed) {
        allowed.add(written);
      }
      Set<Integer> found = new TreeSet<>();
      for (Loss loss : losses) {
        found.add(recover(model, loss, allowed, "after " + done + " of " + steps));
      }
      opened.add(found.size());
    }
    return opened;
  }

  private static int indexOfRename(List<Step> steps) {
    for (int i = 0; i < steps.size(); i++) {
      if (steps.get(i).kind() == Step.Kind.RENAME) {
        return i;
      }
    }
    throw new AssertionError("no rename in " + steps);
  }

  private int recover(CrashModel model, Loss loss, Set<Integer> allowed, String when)
      throws IOException {
    Path root = temporary.resolve("recovered");
    Path snapshot = root.resolve("x");
    model.crash(root, loss, random);
    String what = loss + " lost " + when + " (panvec.seed=" + seed + ")";
    int number = numberOrNone(snapshot, what);
    assertThat(allowed).as(what).contains(number);
    Rows.save(snapshot, 9);
    assertThat(Rows.number(snapshot)).as(what).isEqualTo(9);
    assertThat(Rows.names(snapshot)).as(what).hasSize(3).contains("lock", "manifest.json");
    Rows.delete(root);
    return number;
  }

  private static int numberOrNone(Path snapshot, String what) {
    try {
      return Rows.number(snapshot);
    } catch (ForeignFileException none) {
      return NONE;
    } catch (RuntimeException | AssertionError damaged) {
      throw new AssertionError(what, damaged);
    }
  }
}
