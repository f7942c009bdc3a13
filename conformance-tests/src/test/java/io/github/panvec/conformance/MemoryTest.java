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
      // Compiled, the JVM's own code would be the larger part of what is counted.
      List.of("-Xint", "-Xms256m", "-Xmx256m", "-XX:+AlwaysPreTouch", "-XX:+UseSerialGC");

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
    run(folder, backend, "25000", "100");
  }

  @Tag(Conformance.NIGHTLY)
  @Contract("memory.no-leak")
  @ParameterizedTest
  @MethodSource("backends")
  void memoryDoesNotGrowWithThousandsOfIndexesAndAMillionSearches(
      String backend, @TempDir Path folder) throws Exception {
    run(folder, backend, "1000000");
  }

  private static void run(Path folder, String... arguments) throws Exception {
    assertThat(ChildJvm.run(folder, List.of(), OPTIONS, MemoryProgram.class, arguments))
        .endsWith("no leak");
  }

  @Test
  void aLeakIsNoticed(@TempDir Path folder) throws Exception {
    assertThat(ChildJvm.run(folder, List.of(), OPTIONS, LeakingProgram.class))
        .endsWith("none true, of an index true, of a search true");
  }
}
