package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** File descriptors are bounded. */
class DescriptorTest {

  @Test
  @Contract("files.bounded")
  void twoHundredAndFiftySixDescriptorsAreEnough(@TempDir Path folder) throws Exception {
    List<String> limited = List.of("sh", "-c", "ulimit -n 256 && exec \"$@\"", "sh");
    // The JVM raises its limit by itself unless told not to.
    List<String> options = List.of("-XX:-MaxFDLimit", "-Xmx512m");
    assertThat(ChildJvm.run(folder, limited, options, DescriptorProgram.class, folder.toString()))
        .endsWith("bounded");
  }
}
