package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * A disk that is full, and one that is read-only: a small file system that nobody else sees. For
 * the superuser permissions are nothing, so that a directory without them would not do.
 */
class RefusingDiskTest {
  /** As the superuser, or as one of a user namespace, where that is allowed. */
  private static final List<List<String>> WAYS =
      List.of(List.of("unshare", "-m"), List.of("unshare", "-rm"));

  private static List<String> mounting(List<String> way, Path folder) {
    List<String> shell = new ArrayList<>(way);
    shell.addAll(
        List.of(
            "sh", "-c", "mount -t tmpfs -o size=3m none \"$0\" && exec \"$@\"", folder.toString()));
    return shell;
  }

  private static boolean works(List<String> way, Path folder) throws Exception {
    List<String> command = mounting(way, folder);
    command.add("true");
    try {
      return new ProcessBuilder(command).redirectErrorStream(true).start().waitFor() == 0;
    } catch (IOException noSuchProgram) {
      return false;
    }
  }

  @Test
  @Contract("snapshot.refused-save")
  void aSaveToADiskThatIsFullOrReadOnlyLeavesTheSnapshotAsItWas(@TempDir Path folder)
      throws Exception {
    Path disk = Files.createDirectory(folder.resolve("disk"));
    for (List<String> way : WAYS) {
      if (works(way, disk)) {
        List<String> shell = mounting(way, disk);
        String said =
            ChildJvm.run(
                folder, shell, List.of("-Xmx512m"), RefusingDiskProgram.class, disk.toString());
        System.out.println("snapshots, " + said);
        assertThat(said).endsWith("whole");
        return;
      }
    }
    assumeTrue(false, "no file system can be mounted here");
  }
}
