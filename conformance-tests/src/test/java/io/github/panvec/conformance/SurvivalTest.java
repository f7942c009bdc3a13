package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Nothing that Java can call ends the process. */
class SurvivalTest {

  @Contract("jvm.survives")
  @ParameterizedTest
  @ValueSource(strings = {"faiss", "hnswlib", "sqlite-vec", "usearch"})
  void hostileCallsAreAnsweredOrRefused(String backend, @TempDir Path folder) throws Exception {
    List<String> options = List.of("-Xmx1g", "-XX:+UseSerialGC");
    assertThat(ChildJvm.run(folder, List.of(), options, HostileProgram.class, backend))
        .endsWith("survived");
  }
}
