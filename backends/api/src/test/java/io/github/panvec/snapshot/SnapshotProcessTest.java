package io.github.panvec.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.IndexBusyException;
import io.github.panvec.IndexIoException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** Saves and leases of several processes; processes that are killed. */
class SnapshotProcessTest {
  private static final int KILLS_PER_PHASE = 10;

  /** Phases of several steps in a row, at least so many. */
  private static final Map<Phase, Integer> STEPS =
      Map.of(
          Phase.CREATING_THE_GENERATION, 5,
          Phase.WRITING_FILES, 4,
          Phase.FORCING_DIRECTORIES, 2,
          Phase.WRITING_THE_MANIFEST, 3,
          Phase.DELETING_LEFTOVERS, 5,
          Phase.DELETING_THE_OLD_GENERATION, 5);

  private static final Path SHARED = Path.of("/dev/shm");

  @TempDir private Path temporary;
  private Path snapshot;

  @BeforeEach
  void name() {
    snapshot = temporary.resolve("chunks.panvec");
  }

  /** A JVM that runs {@link SavingProgram}, and waits for an answer to each line. */
  private record Child(Process process, BufferedReader output, Writer input)
      implements AutoCloseable {

    static Child start(List<String> before, String... arguments) throws IOException {
      List<String> command = new ArrayList<>(before);
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      // A young generation that is never full: the collector would close what was forgotten.
      command.addAll(List.of("-Xmx1500m", "-Xmn1g", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
      command.addAll(List.of("-cp", System.getProperty("java.class.path")));
      command.add(SavingProgram.class.getName());
      command.addAll(List.of(arguments));
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      return new Child(
          process, process.inputReader(StandardCharsets.UTF_8), process.outputWriter());
    }

    /** Its next line; null after its last. */
    String line() throws IOException {
      return output.readLine();
    }

    void answer() throws IOException {
      answer("go");
    }

    void answer(String text) throws IOException {
      input.write(text + "\n");
      input.flush();
    }

    /** Lets it go on until it says this. */
    void until(String wanted) throws IOException {
      for (String line = line(); !wanted.equals(line); line = line()) {
        assertThat(line).as("before " + wanted).isNotNull();
        answer();
      }
    }

    /** SIGKILL. */
    void kill() throws InterruptedException {
      process.destroyForcibly();
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
    }

    @Override
    public void close() {
      process.destroyForcibly();
    }
  }

  private Child start(String... arguments) throws IOException {
    return Child.start(List.of(), arguments);
  }

  @Test
  void aSecondWriterInAnotherProcessIsToldWhoTheFirstIs() throws Exception {
    Rows.save(snapshot, 1);
    try (Child child = start("save", snapshot.toString(), "2")) {
      child.until(Phase.WRITING_FILES.name());
      assertThatThrownBy(() -> Rows.save(snapshot, 3))
          .isInstanceOf(IndexBusyException.class)
          .hasMessageContaining(snapshot.toString())
          .hasMessageContaining("another process, number " + child.process().pid())
          .hasMessageContaining("thread \"main\"");
      assertThat(Rows.number(snapshot)).isEqualTo(1);
      child.answer();
      child.until("saved");
      assertThat(Rows.number(snapshot)).isEqualTo(2);
      Rows.save(snapshot, 4);
    }
  }

  @Test
  void aRefusedSaveDoesNotGiveTheLeasesOfThisProcessAway() throws Exception {
    Rows.save(snapshot, 1);
    try (SnapshotReader leased = Rows.open(snapshot)) {
      try (Child child = start("save", snapshot.toString(), "2")) {
        child.until(Phase.WRITING_FILES.name());
        assertThatThrownBy(() -> Rows.save(snapshot, 3)).isInstanceOf(IndexBusyException.class);
        Rows.number(snapshot);
        child.answer();
        child.until("saved");
      }
      assertThat(Rows.names(snapshot)).contains("1", "2");
      Rows.assertIs(1, leased);
    }
  }

  @Test
  void norDoesALeaseThatEndsUnderAnotherNameOfTheDirectory() throws Exception {
    Rows.save(snapshot, 1);
    Path link = Files.createSymbolicLink(temporary.resolve("link"), snapshot);
    try (SnapshotReader leased = Rows.open(snapshot)) {
      Rows.open(link).close();
      saveInAnotherProcess();
      assertThat(Rows.names(snapshot)).contains("1", "2");
      Rows.assertIs(1, leased);
    }
  }

  @Test
  void norDoesASaveThatIsInterruptedWhileItLocks() throws Exception {
    Rows.save(snapshot, 1);
    try (SnapshotReader leased = Rows.open(snapshot)) {
      SteppedFiles files =
          new SteppedFiles(
              step -> {
                if (step.kind() == Step.Kind.LOCK) {
                  Thread.currentThread().interrupt();
                }
              });
      assertThatThrownBy(() -> new SnapshotWriter(snapshot, files).write(Rows.version(3)))
          .isInstanceOf(IndexIoException.class)
          .hasMessageContaining("the thread was interrupted");
      assertThat(Thread.interrupted()).isTrue();
      saveInAnotherProcess();
      assertThat(Rows.names(snapshot)).contains("1", "2");
      Rows.assertIs(1, leased);
    }
  }

  private void saveInAnotherProcess() throws IOException {
    try (Child child = start("save", snapshot.toString(), "2")) {
      child.until("saved");
    }
  }

  @Test
  void aGenerationThatAnotherProcessLeasesStays() throws Exception {
    Rows.save(snapshot, 1);
    try (Child child = start("lease", snapshot.toString())) {
      child.until("leased 1");
      Rows.save(snapshot, 2);
      Rows.save(snapshot, 3);
      assertThat(Rows.names(snapshot)).containsExactly("1", "3", "lock", "manifest.json");
      child.answer();
      child.until("released");
      Rows.save(snapshot, 4);
      assertThat(Rows.names(snapshot)).containsExactly("4", "lock", "manifest.json");
    }
  }

  @Test
  void theLeaseOfAProcessThatWasKilledIsNone() throws Exception {
    Rows.save(snapshot, 1);
    try (Child child = start("lease", snapshot.toString())) {
      child.until("leased 1");
      child.kill();
      Rows.save(snapshot, 2);
      assertThat(Rows.names(snapshot)).containsExactly("2", "lock", "manifest.json");
    }
  }

  /**
   * Kills happen before a step, and right after it was begun. The next save meets what the killed
   * ones have left.
   */
  @Test
  void aProcessThatIsKilledInAnyPhaseLeavesTheOldVersionOrTheNew() throws Exception {
    int number = 1;
    Rows.save(snapshot, number);
    Map<Phase, Integer> kills = new EnumMap<>(Phase.class);
    int asNew = 0;
    for (Phase phase : Phase.values()) {
      for (int kill = 0; kill < KILLS_PER_PHASE; kill++) {
        if (phase == Phase.DELETING_LEFTOVERS) {
          killIn(Phase.FORCING_DIRECTORIES, 0, number + 1);
        }
        killIn(phase, kill, number + 1);
        int now = Rows.number(snapshot);
        assertThat(now).as("killed while %s", phase).isIn(number, number + 1);
        if (phase.compareTo(Phase.PUTTING_IT_IN_PLACE) < 0) {
          assertThat(now).as("killed while %s", phase).isEqualTo(number);
        } else if (phase.compareTo(Phase.PUTTING_IT_IN_PLACE) > 0) {
          assertThat(now).as("killed while %s", phase).isEqualTo(number + 1);
        }
        asNew += now - number;
        number = now;
        kills.merge(phase, 1, Integer::sum);
      }
    }
    System.out.printf(
        "snapshots, kills by phase of the save: %s; all open, %d as the new version%n",
        kills.entrySet().stream()
            .map(
                entry ->
                    entry.getKey().name().toLowerCase(Locale.ROOT).replace('_', ' ')
                        + " "
                        + entry.getValue())
            .collect(Collectors.joining(", ")),
        asNew);
    Rows.save(snapshot, 9_999);
    assertThat(Rows.number(snapshot)).isEqualTo(9_999);
    assertThat(Rows.names(snapshot)).hasSize(3);
  }

  /**
   * Kills a save in this phase: in its first step, its second, and so on, as far as it has so many;
   * an even one before the step, an odd one after it was begun.
   */
  private void killIn(Phase phase, int kill, int number) throws Exception {
    try (Child child = start("save", snapshot.toString(), Integer.toString(number))) {
      child.until(phase.name());
      int left = kill / 2 % STEPS.getOrDefault(phase, 1);
      while (left > 0) {
        child.answer();
        assertThat(child.line()).isEqualTo(phase.name());
        left--;
      }
      if (kill % 2 == 1) {
        child.answer("say when");
        child.line();
        // The first step of its kind loads classes, for milliseconds: so some kills come in its
        // middle.
        LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(kill / 2));
      }
      child.kill();
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void savesAndLeasesLeakNoDescriptor() throws Exception {
    List<String> limited = List.of("sh", "-c", "ulimit -n 256; exec \"$@\"", "sh");
    // In memory, where there is some: ten thousand forces take a disk half a minute.
    Path folder =
        Files.isWritable(SHARED) ? Files.createTempDirectory(SHARED, "panvec") : temporary;
    Path saved = folder.resolve("chunks.panvec");
    try (Child child = Child.start(limited, "descriptors", saved.toString())) {
      String line = child.line();
      System.out.println("snapshots, descriptors before, beside 50 leases, after: " + line);
      assertThat(line).matches("(\\d+) (\\d+) \\1; 50 generations, then 1");
      String[] counts = line.split("[ ;]");
      assertThat(Integer.parseInt(counts[1])).isLessThanOrEqualTo(Integer.parseInt(counts[0]) + 2);
    } finally {
      Rows.delete(saved);
      if (!folder.equals(temporary)) {
        Files.delete(folder);
      }
    }
  }
}
