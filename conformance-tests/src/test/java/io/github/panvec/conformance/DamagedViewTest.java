package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Panvec;
import io.github.panvec.spi.VectorBackend;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Damage in a file that nobody verified ends no process: with searches that scan and that walk. */
class DamagedViewTest {

  @TempDir Path folder;

  static Stream<String> backends() {
    return Panvec.backends().stream().map(VectorBackend::name);
  }

  @Contract("snapshot.damaged-view")
  @ParameterizedTest
  @MethodSource("backends")
  void searchesOfDamagedViewsAreAnsweredOrRefused(String backend) throws Exception {
    search(backend, 400, false);
  }

  @Contract("snapshot.damaged-view")
  @ParameterizedTest
  @MethodSource("backends")
  @Tag("nightly")
  void searchesOfTenThousandDamagedViewsAreAnsweredOrRefused(String backend) throws Exception {
    search(backend, 10_000, true);
  }

  private void search(String backend, int views, boolean allMetrics) throws Exception {
    for (boolean alwaysWalk : new boolean[] {false, true}) {
      List<String> options =
          List.of("-Xmx1g", "-XX:+UseSerialGC", "-Dpanvec.engine.alwaysWalk=" + alwaysWalk);
      Path folder = Files.createDirectory(this.folder.resolve("walk " + alwaysWalk));
      try {
        String said =
            ChildJvm.run(
                folder,
                List.of(),
                options,
                DamagedViewProgram.class,
                backend,
                folder.toString(),
                Integer.toString(views),
                Boolean.toString(allMetrics));
        assertThat(said).endsWith("survived").doesNotContain(": 0 views answered");
        System.out.println("snapshots, damaged views, always walking: " + alwaysWalk + "\n" + said);
      } catch (AssertionError failed) {
        Path current = folder.resolve("current.txt");
        throw new AssertionError(
            Files.exists(current) ? Files.readString(current) : "at the beginning", failed);
      }
    }
  }
}
