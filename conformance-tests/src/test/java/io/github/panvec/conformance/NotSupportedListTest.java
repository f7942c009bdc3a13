package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Metric;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NotSupportedListTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "usearch i8 | L2 | *;not KINDS | METRICS | CLAIMS | REASON",
        "usearch i8 | L2 | * | ;not KINDS",
        "usearch i8 | L3 | * | why;L3",
        "usearch i8 | * | exact.k-smalest | why;no claim \"exact.k-smalest\"",
        "usearch i8 | * | nothing.* | why;no claim \"nothing.*\"",
        "usearch i8 | * | * | why;leave nothing"
      })
  void aWrongLineIsNamed(String line, String message) {
    assertThatThrownBy(() -> NotSupported.parse("list.txt", "# first\n" + line))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageStartingWith("list.txt line 2: ")
        .hasMessageContaining(message);
  }

  @Test
  void aLineIsReadAsItIsMeant() {
    List<NotSupported.Entry> entries =
        NotSupported.parse(
            "list.txt",
            "\n#\n toy i8* | L2 , dot | * | no | order\ncodes-only | * | get.*, ids.all | x");
    assertThat(entries).hasSize(2);
    assertThat(entries.get(0).metrics()).containsExactlyInAnyOrder(Metric.L2, Metric.DOT);
    assertThat(entries.get(0).claims()).isEmpty();
    assertThat(entries.get(0).reason()).isEqualTo("no | order");
    assertThat(entries.get(1).metrics()).isEmpty();
    assertThat(entries.get(1).claims())
        .isEqualTo(Set.of("get.bit-for-bit", "get.empty-when-not-live", "get.many", "ids.all"));
  }

  @Test
  void aThirdPartysListOnTheClassPathIsReadToo(@TempDir Path folder) throws IOException {
    Path list = folder.resolve(NotSupported.RESOURCE);
    Files.createDirectories(list.getParent());
    Files.writeString(list, "their own | DOT | * | it has no DOT\n");
    ClassLoader before = Thread.currentThread().getContextClassLoader();
    try (URLClassLoader theirs = new URLClassLoader(new URL[] {folder.toUri().toURL()}, before)) {
      int ours = NotSupported.load().entries().size();
      Thread.currentThread().setContextClassLoader(theirs);
      assertThat(ours).isPositive();
      assertThat(NotSupported.load().entries())
          .hasSize(ours + 1)
          .anyMatch(entry -> entry.kinds().equals("their own"));
    } finally {
      Thread.currentThread().setContextClassLoader(before);
    }
  }

  @Test
  void theOnesOfOurKindsAreTold() {
    assertThat(NotSupported.load().of(Subjects.all()))
        .anyMatch(each -> each.type().equals("i8") && each.metric().equals("L2"))
        .anyMatch(each -> each.type().equals("i8 codes only") && each.metric().equals("DOT"))
        .anyMatch(
            each -> each.type().equals("pq codes only") && each.claim().equals("exact.k-smallest"))
        .anyMatch(each -> each.type().equals("flat") && each.claim().equals("codes.writes"))
        .allMatch(each -> !each.reason().isBlank());
  }
}
