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
  private static final List<String> OPTIONS =
      List.of("-Xms256m", "-Xmx256m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC");

  // Compilers use memory too: none while indexes come and go, the quick one for many searches.
  private static final String INTERPRETED = "-Xint";
  private static final String COMPILED = "-XX:TieredStopAtLevel=1";

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
    requireNoLeak(folder, INTERPRETED, backend, 1_000, 100, 0);
    requireNoLeak(folder, COMPILED, backend, 0, 0, 100_000);
  }

  @Tag(Conformance.NIGHTLY)
  @Contract("memory.no-leak")
  @ParameterizedTest
  @MethodSource("backends")
  void memoryDoesNotGrowWithThousandsOfIndexesAndAMillionSearches(
      String backend, @TempDir Path folder) throws Exception {
    requireNoLeak(folder, INTERPRETED, backend, 10_000, 10_000, 0);
    requireNoLeak(folder, COMPILED, backend, 0, 0, 1_000_000);
  }

  private static void requireNoLeak(
      Path folder, String mode, String backend, int indexes, int ofOtherKinds, int searches)
      throws Exception {
    String[] arguments = {backend, "" + indexes, "" + ofOtherKinds, "" + searches};
    assertThat(ChildJvm.run(folder, List.of(), options(mode), MemoryProgram.class, arguments))
        .endsWith("no leak");
  }

  private static List<String> options(String mode) {
    return Stream.concat(Stream.of(mode), OPTIONS.stream()).toList();
  }

  @Test
  void aLeakIsNoticed(@TempDir Path folder) throws Exception {
    assertThat(ChildJvm.run(folder, List.of(), options(INTERPRETED), LeakingProgram.class))
        .endsWith("none true, of an index true, of a search true");
  }
}
