package io.github.panvec.bench.doctor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import io.github.panvec.bench.InputException;
import io.github.panvec.bench.toy.Misbehaviour;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PostMortemTest {
  @TempDir private Path folder;

  /** Crashes inside a search of its second index. */
  public static final class Program {
    public static void main(String[] args) throws InterruptedException {
      IndexSpec spec = IndexSpec.of("toy", 2, Metric.L2);
      VectorIndex other = Panvec.create(spec);
      other.add(1, new float[] {1, 2});
      VectorIndex index = Panvec.create(spec);
      index.addAll(new long[] {1, 2, 3}, new float[6]);
      index.search(new float[2], 1_234);
      Runnable crash =
          () ->
              index.search(
                  SearchRequest.of(new float[2], 10)
                      .filter(
                          IdFilter.matching(
                              id -> {
                                Misbehaviour.writeThroughBadAddress();
                                return true;
                              })));
      Thread.ofPlatform().name("shard-7").start(crash).join();
    }
  }

  private Path crashed() {
    Path file = folder.resolve("calls.flight");
    ChildJvm.Outcome outcome =
        ChildJvm.run(
            Program.class, List.of("-Dpanvec.flight=" + file), List.of(), Duration.ofMinutes(2));
    assertThat(outcome).isInstanceOf(ChildJvm.Crashed.class);
    return file;
  }

  private static String print(Path file, int calls) {
    StringWriter text = new StringWriter();
    PostMortem.of(file).print(new PrintWriter(text), calls);
    return text.toString();
  }

  @Test
  void itSaysWhoWasInsideWhatWhenTheJvmCrashed() {
    Path file = crashed();

    String text = print(file, 20);

    assertThat(text)
        .contains("it did not end in order", "1 thread was inside a call:")
        .containsPattern("shard-7 #\\d+ +search +toy #2 +1 +10 +matching +[\\d.]+ (µs|ms|s)\n")
        .contains("The last calls that had ended, 5 of 5 in the file:")
        .containsPattern("main #\\d+ +create +toy #1 +- +- +none +[\\d.]+ (µs|ms)\n")
        .containsPattern("main #\\d+ +add +toy #2 +3 +- +none ")
        .containsPattern("main #\\d+ +search +toy #2 +1 +1,234 +none ");
    assertThat(print(file, 1)).contains("1 of 5 in the file").doesNotContain(" create ");
    assertThat(print(file, 0)).doesNotContain("had ended");
  }

  @Test
  void anEntryThatWasOverwrittenIsLeftOutAndComplainedOfAfterTheOthers() throws IOException {
    Path file = crashed();
    byte[] bytes = Files.readAllBytes(file);
    // Somewhere in the calls of the main thread, of which there are five in a row.
    byte[] name = "main\0\0".getBytes();
    int at = 4096;
    while (!Arrays.equals(bytes, at, at + name.length, name, 0, name.length)) {
      at++;
    }
    bytes[at] ^= 4;
    Files.write(file, bytes);
    StringWriter text = new StringWriter();

    assertThatThrownBy(() -> PostMortem.of(file).print(new PrintWriter(text), 20))
        .isInstanceOf(InputException.class)
        .hasMessage(file + " is damaged: 1 entry makes no sense and was left out");
    assertThat(text.toString()).contains("1 thread was inside a call:", "4 of 4 in the file");
  }

  @Test
  void whatIsNoFlightFileIsRefused() throws IOException {
    Path other = Files.writeString(folder.resolve("hs_err.log"), "# A fatal error has been");
    assertThatThrownBy(() -> PostMortem.of(other))
        .isInstanceOf(InputException.class)
        .hasMessage(other + " is no flight file");
    Path none = folder.resolve("none");
    assertThatThrownBy(() -> PostMortem.of(none)).hasMessage("no such file: " + none);
    assertThatThrownBy(() -> PostMortem.of(folder))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("cannot be read");
  }
}
