package io.github.panvec.internal;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is in the file when a JVM ends inside a call. */
class FlightCrashTest {
  @TempDir private Path folder;

  /** Ends inside a search in the way that its second argument says. */
  public static final class Program {
    public static void main(String[] args) throws InterruptedException {
      System.setProperty("panvec.flight", args[0]);
      Backends.onlyScan();
      VectorIndex index = Panvec.create(IndexSpec.of("scan", 1, Metric.L2));
      index.addAll(new long[] {1, 2}, new float[] {1, 2});
      index.search(new float[] {1}, 5);
      ScanBackend.mischief = request -> end(args[1]);
      Thread worker =
          Thread.ofPlatform()
              .name("the-worker")
              .start(
                  () -> index.search(SearchRequest.of(new float[] {1}, 7).filter(IdFilter.in(1))));
      worker.join();
    }

    private static void end(String way) {
      switch (way) {
        case "segv" -> MemorySegment.ofAddress(16).reinterpret(8).set(ValueLayout.JAVA_LONG, 0, 1);
        case "halt" -> Runtime.getRuntime().halt(3);
        case "exit" -> System.exit(4);
        default -> {
          System.out.println("inside");
          try {
            new CountDownLatch(1).await();
          } catch (InterruptedException never) {
            throw new AssertionError(never);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"segv, 1, false", "halt, 3, false", "exit, 4, true"})
  void whoWasInsideWhatIsReadFromTheFileOfAProcessThatHasDied(
      String way, int status, boolean inOrder) throws Exception {
    Path file = folder.resolve("calls.flight");
    ChildJvm child = ChildJvm.start(folder, Program.class, List.of(), file.toString(), way);
    assertThat(child.waitFor()).as(child.text()).isEqualTo(status);

    assertTells(file, child, inOrder);
  }

  @Test
  void whoWasInsideWhatIsReadFromTheFileOfAProcessThatWasKilled() throws Exception {
    Path pattern = folder.resolve("calls-%p.flight");
    ChildJvm child = ChildJvm.start(folder, Program.class, List.of(), pattern.toString(), "wait");
    while (!child.text().contains("inside") && child.process().isAlive()) {
      child.process().waitFor(20, TimeUnit.MILLISECONDS);
    }
    child.process().destroyForcibly();
    assertThat(child.waitFor()).as(child.text()).isEqualTo(137);

    assertTells(folder.resolve("calls-" + child.process().pid() + ".flight"), child, false);
  }

  private static void assertTells(Path file, ChildJvm child, boolean inOrder) throws IOException {
    FlightLog log = FlightLog.read(file);
    assertThat(log.pid()).isEqualTo(child.process().pid());
    assertThat(log.endedInOrder()).isEqualTo(inOrder);
    assertThat(log.damaged()).isZero();
    assertThat(log.inside())
        .singleElement()
        .satisfies(
            call -> {
              assertThat(call.operation()).isEqualTo(Operation.SEARCH);
              assertThat(call.backend()).isEqualTo("scan");
              assertThat(call.index()).isEqualTo(1);
              assertThat(call.rows()).isEqualTo(1);
              assertThat(call.k()).isEqualTo(7);
              assertThat(call.filter()).isEqualTo(FilterKind.IN);
              assertThat(call.thread()).isEqualTo("the-worker");
            });
    assertThat(log.ended())
        .extracting(FlightLog.Call::operation)
        .containsExactly(Operation.CREATE, Operation.ADD, Operation.SEARCH);
    assertThat(log.ended()).allMatch(FlightLog.Call::returned).allMatch(call -> call.index() == 1);
  }

  @Test
  void aFileThatCannotBeWrittenIsToldAndCallsGoOn() throws Exception {
    Path file = Files.writeString(folder.resolve("own.txt"), "my own words");
    ChildJvm child = ChildJvm.start(folder, Program.class, List.of(), file.toString(), "halt");
    assertThat(child.waitFor()).isEqualTo(3);
    assertThat(child.text())
        .contains("-Dpanvec.flight=" + file + ": calls are not noted:")
        .contains("is no flight file; it is left as it is");
    assertThat(file).hasContent("my own words");
  }

  @Test
  void aFileOfAProcessThatLivesIsNotTakenFromIt() throws Exception {
    Path file = folder.resolve("calls.flight");
    FlightRecorder ours = FlightRecorder.open(file);
    ChildJvm child = ChildJvm.start(folder, Program.class, List.of(), file.toString(), "halt");
    assertThat(child.waitFor()).isEqualTo(3);
    assertThat(child.text()).contains("is in use by another process");

    ours.beat();
    assertThat(FlightLog.read(file).pid()).isEqualTo(ProcessHandle.current().pid());
    assertThat(folder.resolve("calls.flight.previous")).doesNotExist();
  }
}
