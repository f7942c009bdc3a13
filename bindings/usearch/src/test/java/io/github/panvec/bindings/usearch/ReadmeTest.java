package io.github.panvec.bindings.usearch;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.bindings.testing.ReadmeProgram;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReadmeTest {
  @Test
  void theProgramPrintsTheKeysOfTheNearest(@TempDir Path folder) throws Exception {
    assertThat(ReadmeProgram.run("bindings/usearch/README.md", folder)).isEqualTo(ReadmeProgram.output("bindings/usearch/README.md"));
  }
}
