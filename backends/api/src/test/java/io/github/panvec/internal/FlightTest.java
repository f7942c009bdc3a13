package io.github.panvec.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Recorder and reader against one another, within this process. */
class FlightTest {
  @TempDir private Path folder;
  private Path file;

  @BeforeEach
  void chooseFile() {
    file = folder.resolve("calls.flight");
  }

  private static int begin(FlightRecorder recorder, long rows) {
    return recorder.begin(
        Operation.SEARCH, recorder.backend("scan"), 3, rows, 10, FilterKind.RANGE);
  }

  @Test
  void aCallIsInsideUntilItHasEnded() throws IOException {
    FlightRecorder recorder = FlightRecorder.open(file);
    int search = begin(recorder, 1);
    int add = recorder.begin(Operation.ADD, recorder.backend("other"), 4, 5, 0, FilterKind.NONE);
    recorder.end(add, false);
    recorder.beat();

    FlightLog log = FlightLog.read(file);

    assertThat(log.pid()).isEqualTo(ProcessHandle.current().pid());
    assertThat(log.runtime()).endsWith(Runtime.version().toString());
    assertThat(log.endedInOrder()).isFalse();
    assertThat(log.unrecorded()).isZero();
    assertThat(log.damaged()).isZero();
    FlightLog.Call inside = log.inside().get(0);
    assertThat(log.inside()).hasSize(1);
    assertThat(inside.operation()).isEqualTo(Operation.SEARCH);
    assertThat(inside.backend()).isEqualTo("scan");
    assertThat(inside.index()).isEqualTo(3);
    assertThat(inside.rows()).isEqualTo(1);
    assertThat(inside.k()).isEqualTo(10);
    assertThat(inside.filter()).isEqualTo(FilterKind.RANGE);
    assertThat(inside.thread()).isEqualTo(Thread.currentThread().getName());
    assertThat(inside.threadId()).isEqualTo(Thread.currentThread().threadId());
    assertThat(inside.virtual()).isFalse();
    assertThat(inside.began()).isBetween(log.started(), log.lastSign());
    assertThat(inside.began().plus(inside.took())).isEqualTo(log.lastSign());
    FlightLog.Call ended = log.ended().get(0);
    assertThat(log.ended()).hasSize(1);
    assertThat(ended.operation()).isEqualTo(Operation.ADD);
    assertThat(ended.backend()).isEqualTo("other");
    assertThat(ended.rows()).isEqualTo(5);
    assertThat(ended.returned()).isFalse();

    recorder.end(search, true);
    recorder.noteOrderlyEnd();

    FlightLog later = FlightLog.read(file);
    assertThat(later.inside()).isEmpty();
    assertThat(later.endedInOrder()).isTrue();
    assertThat(later.ended()).extracting(FlightLog.Call::returned).containsExactly(false, true);
  }

  @Test
  void theLastCallsOfAThreadAreKeptAndTheOldestOverwritten() throws IOException {
    FlightRecorder recorder = FlightRecorder.open(file);
    for (int i = 0; i < 100; i++) {
      recorder.end(begin(recorder, i), true);
    }
    int open = begin(recorder, 100);

    FlightLog log = FlightLog.read(file);
    assertThat(log.inside()).extracting(FlightLog.Call::rows).containsExactly(100L);
    assertThat(log.ended())
        .extracting(FlightLog.Call::rows)
        .containsExactly(85L, 86L, 87L, 88L, 89L, 90L, 91L, 92L, 93L, 94L, 95L, 96L, 97L, 98L, 99L);
    recorder.end(open, true);
  }

  @Test
  void aLongCallIsNotOverwrittenByManyShortOnes() throws Exception {
    FlightRecorder recorder = FlightRecorder.open(file);
    int build = begin(recorder, 1_000_000);
    try (ExecutorService pool = Executors.newVirtualThreadPerTaskExecutor()) {
      for (int i = 0; i < 50_000; i++) {
        pool.submit(() -> recorder.end(begin(recorder, 1), true));
      }
    }

    assertThat(FlightLog.read(file).inside())
        .extracting(FlightLog.Call::rows)
        .containsExactly(1_000_000L);
    recorder.end(build, true);
  }

  @Test
  void beyondTheSlotsCallsAreCountedAndNotNoted() throws IOException {
    FlightRecorder recorder = FlightRecorder.open(file);
    List<Integer> open = new ArrayList<>();
    for (int i = 0; i < FlightFormat.SLOTS + 7; i++) {
      open.add(begin(recorder, i));
    }

    FlightLog full = FlightLog.read(file);
    assertThat(full.inside()).hasSize(FlightFormat.SLOTS);
    assertThat(full.unrecorded()).isEqualTo(7);
    open.forEach(entry -> recorder.end(entry, true));
    assertThat(FlightLog.read(file).inside()).isEmpty();
  }

  @Test
  void readersSeeWholeEntriesWhileThreadsWrite() throws Exception {
    FlightRecorder recorder = FlightRecorder.open(file);
    int threads = 8;
    CountDownLatch stop = new CountDownLatch(1);
    try (ExecutorService pool =
        Executors.newThreadPerTaskExecutor(
            Thread.ofVirtual().name("a virtual thread, ", 0).factory())) {
      List<Future<?>> writers = new ArrayList<>();
      for (int t = 0; t < threads; t++) {
        long rows = 1_000_000L * t;
        writers.add(
            pool.submit(
                () -> {
                  for (long i = 0; stop.getCount() > 0 || i < 1_000; i++) {
                    recorder.end(begin(recorder, rows + i), i % 2 == 0);
                    Thread.yield();
                  }
                }));
      }
      for (int i = 0; i < 20; i++) {
        FlightLog log = FlightLog.read(file);
        assertThat(log.inside()).hasSizeLessThanOrEqualTo(threads);
        assertThat(log.ended())
            .allSatisfy(
                call -> {
                  assertThat(call.virtual()).isTrue();
                  assertThat(call.thread())
                      .isEqualTo("a virtual thread, " + call.rows() / 1_000_000);
                });
      }
      stop.countDown();
      for (Future<?> writer : writers) {
        writer.get();
      }
    }
    FlightLog log = FlightLog.read(file);
    assertThat(log.damaged()).isZero();
    assertThat(log.inside()).isEmpty();
    assertThat(log.ended()).hasSize(threads * FlightFormat.ENTRIES);
  }

  @Test
  void namesAreCutBetweenCharactersAndFreedOfControlCharacters() throws Exception {
    FlightRecorder recorder = FlightRecorder.open(file);
    Thread thread =
        Thread.ofPlatform()
            .name("x" + "ü".repeat(40))
            .start(
                () -> {
                  recorder.end(begin(recorder, 1), true);
                  Thread.currentThread().setName("a\u001b[31mb");
                  recorder.end(begin(recorder, 2), true);
                });
    thread.join();

    assertThat(FlightLog.read(file).ended())
        .extracting(FlightLog.Call::thread)
        .containsExactly("x" + "ü".repeat(31), "a\uFFFD[31mb");
  }

  @Test
  void moreBackendsThanTheFileHasRoomForAreNamedAnother() throws IOException {
    FlightRecorder recorder = FlightRecorder.open(file);
    for (int i = 0; i < 70; i++) {
      int code = recorder.backend("backend-" + i);
      assertThat(recorder.backend("backend-" + i)).isEqualTo(code);
      recorder.end(recorder.begin(Operation.ADD, code, 1, i, 0, FilterKind.NONE), true);
    }
    assertThat(FlightLog.read(file).ended().get(14).backend()).isEqualTo("another");
  }

  @Test
  void theFileOfAnEarlierRunIsSetAsideAndOneInUseOrOfAnotherKindIsLeftAlone() throws Exception {
    ChildJvm child =
        ChildJvm.start(folder, FlightCrashTest.Program.class, List.of(), file + "", "halt");
    assertThat(child.waitFor()).as(child.text()).isEqualTo(3);
    long before = FlightLog.read(file).pid();

    FlightRecorder ours = FlightRecorder.open(file);
    assertThat(FlightLog.read(folder.resolve("calls.flight.previous")).pid()).isEqualTo(before);
    assertThat(ours).isNotNull();

    Path own = Files.writeString(folder.resolve("own.txt"), "my own words, not calls");
    assertThatThrownBy(() -> FlightRecorder.open(own))
        .isInstanceOf(IOException.class)
        .hasMessage(own + " is there and is no flight file; it is left as it is");
    assertThat(own).hasContent("my own words, not calls");
    assertThatThrownBy(() -> FlightRecorder.open(folder)).hasMessageContaining("is no file");
    assertThatThrownBy(() -> FlightRecorder.open(folder.resolve("none/x")))
        .isInstanceOf(IOException.class);
  }

  @Test
  void whatIsNoFlightFileOrADamagedOneIsRefusedInOneLine() throws IOException {
    FlightRecorder recorder = FlightRecorder.open(file);
    recorder.end(begin(recorder, 1), true);
    byte[] bytes = Files.readAllBytes(file);
    ByteBuffer whole = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);

    refused(new byte[0], "is no flight file");
    refused("some text, longer than eight bytes".getBytes(), "is no flight file");
    refused(Arrays.copyOf(bytes, 1000), "is cut off: it ends in its header");
    refused(Arrays.copyOf(bytes, bytes.length - 1), "is cut off: it has 2101247 of 2101248 bytes");
    refused(Arrays.copyOf(bytes, bytes.length + 1), "is damaged: it has more than 2101248 bytes");
    byte[] pid = bytes.clone();
    pid[24] ^= 1;
    refused(pid, "is damaged: the checksum of its header is wrong");
    whole.putInt(8, 2);
    refused(bytes, "has format 2, this program reads format 1");
    whole.putInt(8, 1);
    whole.putLong(176, 65);
    refused(bytes, "is damaged: its header makes no sense");
  }

  private void refused(byte[] bytes, String complaint) throws IOException {
    Path copy = Files.write(folder.resolve("copy"), bytes);
    assertThatThrownBy(() -> FlightLog.read(copy))
        .isInstanceOf(FlightLog.UnreadableException.class)
        .hasMessage(copy + " " + complaint);
  }

  @Test
  void everyFlippedBitOfAnEntryIsNoticedAndTheOtherEntriesAreRead() throws IOException {
    FlightRecorder recorder = FlightRecorder.open(file);
    recorder.end(begin(recorder, 1), true);
    int open = begin(recorder, 2);
    byte[] bytes = Files.readAllBytes(file);
    int at = (int) FlightFormat.entryAt(open - 1);
    Path copy = folder.resolve("copy");
    long seed = Long.getLong("panvec.seed", System.nanoTime());
    Random random = new Random(seed);
    for (int bit = 0; bit < FlightFormat.ENTRY_BYTES * 8; bit += 1 + random.nextInt(5)) {
      byte[] damaged = bytes.clone();
      damaged[at + bit / 8] ^= (byte) (1 << bit % 8);
      FlightLog log = FlightLog.read(Files.write(copy, damaged));
      assertThat(log.damaged()).as("bit %d, seed %d", bit, seed).isEqualTo(1);
      assertThat(log.ended()).isEmpty();
      assertThat(log.inside()).extracting(FlightLog.Call::rows).containsExactly(2L);
    }
    recorder.end(open, true);
  }
}
