package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** File descriptors are bounded. */
class DescriptorTest {
  /** In memory, where there is some: ten thousand saves force a hundred thousand times. */
  private static final Path SHARED = Path.of("/dev/shm");

  private static final List<String> LIMITED =
      List.of("sh", "-c", "ulimit -n 256 && exec \"$@\"", "sh");

  /** The JVM raises its limit by itself unless told not to. */
  private static final List<String> OPTIONS = List.of("-XX:-MaxFDLimit", "-Xmx512m");

  @Test
  @Contract("files.bounded")
  void twoHundredAndFiftySixDescriptorsAreEnough(@TempDir Path folder) throws Exception {
    assertThat(ChildJvm.run(folder, LIMITED, OPTIONS, DescriptorProgram.class, folder.toString()))
        .endsWith("bounded");
  }

  @Test
  @Contract("files.bounded")
  void soTheyAreForSavesAndViews(@TempDir Path folder) throws Exception {
    saveAndView(folder, 60, 20);
  }

  @Test
  @Tag("nightly")
  @Contract("files.bounded")
  void soTheyAreForAThousandSavesAndFiftyViews(@TempDir Path folder) throws Exception {
    saveAndView(folder, 1000, 50);
  }

  private static void saveAndView(Path folder, int saves, int views) throws Exception {
    Path saved = shared(folder);
    try {
      String said =
          ChildJvm.run(
              folder,
              LIMITED,
              OPTIONS,
              SnapshotDescriptorProgram.class,
              saved.toString(),
              Integer.toString(saves),
              Integer.toString(views));
      System.out.println("snapshots, " + said);
      assertThat(said).endsWith("bounded");
    } finally {
      new SnapshotFolder(saved).delete();
    }
  }

  private static Path shared(Path folder) throws IOException {
    return Files.isWritable(SHARED)
        ? Files.createTempDirectory(SHARED, "panvec")
        : Files.createDirectory(folder.resolve("saved"));
  }
}
