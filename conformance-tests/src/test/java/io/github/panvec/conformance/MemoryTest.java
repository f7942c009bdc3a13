package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.Panvec;
import io.github.panvec.spi.VectorBackend;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Native memory is given back. */
class MemoryTest {
  /**
   * Compilers use memory too: the quick one is soon done, and has as much work done in little time.
   */
  private static final List<String> OPTIONS =
      List.of(
          "-Xms256m",
          "-Xmx256m",
          "-XX:+AlwaysPreTouch",
          "-XX:+UseSerialGC",
          "-XX:TieredStopAtLevel=1",
          "-Dpanvec.engine.alwaysWalk=true");

  @BeforeAll
  static void memoryCanBeCounted() {
    assumeTrue(NativeMemory.canBeCounted(), "memory is counted by glibc, or in /proc");
  }

  static Stream<String> backends() {
    return Panvec.backends().stream().map(VectorBackend::name);
  }

  @Contract("memory.no-leak")
  @ParameterizedTest
  @MethodSource("backends")
  void memoryDoesNotGrowWithIndexesAndSearches(String backend, @TempDir Path folder)
      throws Exception {
    requireNoLeak(folder, backend, 1_000, 200, 100_000);
  }

  @Tag(Conformance.NIGHTLY)
  @Contract("memory.no-leak")
  @ParameterizedTest
  @MethodSource("backends")
  void memoryDoesNotGrowWithThousandsOfIndexesAndAMillionSearches(
      String backend, @TempDir Path folder) throws Exception {
    requireNoLeak(folder, backend, 10_000, 10_000, 1_000_000);
  }

  private static void requireNoLeak(
      Path folder, String backend, int indexes, int ofOtherKinds, int searches) throws Exception {
    String[] arguments = {backend, "" + indexes, "" + ofOtherKinds, "" + searches};
    assertThat(ChildJvm.run(folder, List.of(), OPTIONS, MemoryProgram.class, arguments))
        .endsWith("no leak");
  }

  @Test
  void aLeakIsNoticedEvenOrInSteps(@TempDir Path folder) throws Exception {
    assertThat(ChildJvm.run(folder, List.of(), OPTIONS, LeakingProgram.class))
        .endsWith(
            "none false, of indexes true, of indexes in steps true, of searches true, of searches in"
                + " steps true");
  }
}
