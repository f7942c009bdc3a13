package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.IndexBusyException;
import io.github.panvec.Panvec;
import io.github.panvec.VectorIndex;
import io.github.panvec.Verify;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Processes that are killed while they save, and one that another one meets. */
@Timeout(value = 40, unit = TimeUnit.MINUTES)
class SnapshotKillTest {
  private static final int KILLS_PER_PHASE = 10;

  /** How many of the kinds are for every build: one of each backend. */
  private static final int FEW = 4;

  @TempDir Path folder;
  private Path saved;
  private final Random random = new Random(TestVectors.seed());
  private final Map<SavePhase, Integer> kills = new EnumMap<>(SavePhase.class);
  private int asNew;

  @BeforeEach
  void name() {
    saved = folder.resolve("saved");
    Arrays.stream(SavePhase.values()).forEach(phase -> kills.put(phase, 0));
  }

  /** Kinds of index; one that lives in a file ends with that. */
  static Stream<String> kinds() {
    return Stream.concat(NumberedIndex.kinds().stream(), Stream.of("sqlite-vec default in a file"));
  }

  static Stream<String> few() {
    return kinds().limit(FEW);
  }

  private NumberedIndex index(String kind) {
    random.setSeed(TestVectors.seed() + kind.hashCode());
    String inFile = " in a file";
    return kind.endsWith(inFile)
        ? NumberedIndex.named(kind.replace(inFile, ""), folder.resolve("live"))
        : NumberedIndex.named(kind, null);
  }

  private void saveFirst(NumberedIndex kind) {
    try (VectorIndex index = Panvec.create(kind.spec())) {
      NumberedIndex.write(index, 0);
      index.save(saved);
    }
  }

  @ParameterizedTest
  @MethodSource("few")
  @Contract("snapshot.crash-safe")
  void aSaveThatIsKilledNowAndThenLeavesAWholeSnapshot(String kind) throws Exception {
    NumberedIndex index = index(kind);
    saveFirst(index);
    for (int i = 0; i < 5; i++) {
      kill(index, SavePhase.values()[random.nextInt(SavePhase.values().length)]);
    }
    finish(kind);
  }

  @ParameterizedTest
  @MethodSource("kinds")
  @Tag("nightly")
  @Contract("snapshot.crash-safe")
  void aSaveThatIsKilledInAnyPhaseLeavesAWholeSnapshot(String kind) throws Exception {
    NumberedIndex index = index(kind);
    saveFirst(index);
    // Kills that come too early or too late count where they came.
    for (int i = 0; i < 100 * KILLS_PER_PHASE && rarest() != null; i++) {
      SavePhase wanted = rarest();
      if (wanted == SavePhase.DELETING_LEFTOVERS) {
        kill(index, SavePhase.FORCING_FILES);
      }
      kill(index, wanted);
    }
    assertThat(kills.values()).allMatch(count -> count >= KILLS_PER_PHASE);
    finish(kind);
  }

  /** Null when there have been enough of each. */
  private @Nullable SavePhase rarest() {
    return kills.entrySet().stream()
        .filter(entry -> entry.getValue() < KILLS_PER_PHASE)
        .min(Map.Entry.comparingByValue())
        .map(Map.Entry::getKey)
        .orElse(null);
  }

  /** What the last kill left is no hindrance, and nothing of all is left in the end. */
  private void finish(String kind) {
    try (VectorIndex index = Panvec.open(saved)) {
      NumberedIndex.write(index, 999_999);
      index.save(saved);
    }
    assertThat(new SnapshotFolder(saved).names()).hasSize(3);
    try (VectorIndex index = Panvec.open(saved)) {
      assertThat(NumberedIndex.number(index)).isEqualTo(999_999);
    }
    System.out.printf(
        "snapshots, kills by phase: %s: %s; all open, %d as the new one%n",
        kind,
        kills.entrySet().stream()
            .map(
                entry ->
                    entry.getKey().name().toLowerCase(Locale.ROOT).replace('_', ' ')
                        + " "
                        + entry.getValue())
            .collect(Collectors.joining(", ")),
        asNew);
  }

  private Process start(NumberedIndex index, String how, SavePhase phase) throws IOException {
    String file = index.file() == null ? "" : index.file().toString();
    return new ProcessBuilder(
            ChildJvm.command(
                folder,
                List.of("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"),
                SavingProgram.class,
                index.subject().toString(),
                file,
                saved.toString(),
                how,
                phase.name()))
        .redirectErrorStream(true)
        .start();
  }

  /**
   * Lets a process save until it comes to the phase, after some saves or at once, and kills it some
   * time later.
   */
  private void kill(NumberedIndex index, SavePhase wanted) throws Exception {
    List<String> said = new ArrayList<>();
    Process process = start(index, SavingProgram.LINGER, wanted);
    try (BufferedReader output = process.inputReader(StandardCharsets.UTF_8)) {
      int before = wanted == SavePhase.DELETING_LEFTOVERS ? 0 : random.nextInt(3);
      int begun = 0;
      for (String line = output.readLine(); line != null; line = output.readLine()) {
        said.add(line);
        begun += line.startsWith("begun ") ? 1 : 0;
        boolean late = begun > before + 3;
        if ((begun > before && line.equals(wanted.name())) || late) {
          break;
        }
      }
      LockSupport.parkNanos(random.nextInt(1_500_000));
      // SIGKILL; what it has said stays to be read, as it does not when a Process is destroyed.
      process.toHandle().destroyForcibly();
      assertThat(process.waitFor(1, TimeUnit.MINUTES)).isTrue();
      output.lines().forEach(said::add);
    } finally {
      process.destroyForcibly();
    }
    check(said);
  }

  /** What it said last is where it was. A line may be cut off with it. */
  private void check(List<String> said) {
    List<String> phases = Arrays.stream(SavePhase.values()).map(Enum::name).toList();
    int begun = last(said, "begun ");
    int done = last(said, "saved ");
    String lastWords = said.isEmpty() ? "" : said.get(said.size() - 1);
    assertThat(begun).as("%s", said).isPositive();
    boolean between = lastWords.startsWith("saved ") || lastWords.startsWith("begun ");
    SavePhase phase = between || !phases.contains(lastWords) ? null : SavePhase.valueOf(lastWords);
    int found;
    try (VectorIndex opened = Panvec.open(saved);
        VectorIndex view = Panvec.view(saved, Verify.SIZES)) {
      found = NumberedIndex.number(opened);
      assertThat(NumberedIndex.number(view)).isEqualTo(found);
    } catch (RuntimeException | AssertionError failed) {
      throw new AssertionError("killed in " + said + ", seed " + TestVectors.seed(), failed);
    }
    assertThat(found).as("%s", said).isIn(begun - 1, begun);
    assertThat(found).as("%s", said).isGreaterThanOrEqualTo(done);
    if (phase != null) {
      if (phase.isBeforeTheNewManifest()) {
        assertThat(found).as("%s", said).isEqualTo(begun - 1);
      } else if (phase.isAfterTheNewManifest()) {
        assertThat(found).as("%s", said).isEqualTo(begun);
      }
      kills.merge(phase, 1, Integer::sum);
      asNew += found == begun ? 1 : 0;
    }
  }

  private static int last(List<String> said, String word) {
    return said.stream()
        .filter(line -> line.matches(word + "\\d+"))
        .mapToInt(line -> Integer.parseInt(line.substring(word.length())))
        .max()
        .orElse(-1);
  }

  @ParameterizedTest
  @MethodSource("few")
  @Contract("snapshot.one-writer")
  void aSecondSaveInAnotherProcessIsToldWhoTheFirstIs(String kind) throws Exception {
    NumberedIndex index = index(kind);
    saveFirst(index);
    Process process = start(index, SavingProgram.HOLD, SavePhase.WRITING_FILES);
    try (BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
        VectorIndex mine = Panvec.open(saved)) {
      String line = output.readLine();
      while (line != null && !line.equals(SavePhase.WRITING_FILES.name())) {
        line = output.readLine();
      }
      assertThat(line).isNotNull();
      assertThatThrownBy(() -> mine.save(saved))
          .isInstanceOf(IndexBusyException.class)
          .hasMessageContaining(saved.toString())
          .hasMessageContaining("another process, number " + process.pid());
      try (VectorIndex still = Panvec.open(saved)) {
        assertThat(NumberedIndex.number(still)).isZero();
      }
      process.destroyForcibly().waitFor();
      mine.save(saved);
      assertThat(new SnapshotFolder(saved).names()).hasSize(3);
    } finally {
      process.destroyForcibly();
    }
  }
}
