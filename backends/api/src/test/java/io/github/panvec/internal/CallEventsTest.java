package io.github.panvec.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import io.github.panvec.spi.BackgroundWork;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import jdk.jfr.EventType;
import jdk.jfr.FlightRecorder;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import jdk.jfr.consumer.RecordingStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CallEventsTest {
  private static final String PREFIX = "io.github.panvec.";
  private static final IndexSpec SPEC = IndexSpec.of("scan", 1, Metric.L2);

  private final ClassLoader loader = Thread.currentThread().getContextClassLoader();
  @TempDir private Path folder;

  @BeforeEach
  void onlyScan() {
    Backends.onlyScan();
  }

  @AfterEach
  void restore() {
    Thread.currentThread().setContextClassLoader(loader);
    ScanBackend.mischief = request -> {};
  }

  private List<RecordedEvent> recorded(Consumer<VectorIndex> calls) throws IOException {
    Path file = folder.resolve("events.jfr");
    try (Recording recording = new Recording();
        VectorIndex index = Panvec.create(SPEC)) {
      for (String name : List.of("Add", "Search", "Train", "Compact")) {
        recording.enable(PREFIX + name);
      }
      recording.start();
      calls.accept(index);
      recording.stop();
      recording.dump(file);
    }
    return RecordingFile.readAllEvents(file).stream()
        .filter(event -> event.getEventType().getName().startsWith(PREFIX))
        .sorted(Comparator.comparing(RecordedEvent::getEndTime))
        .toList();
  }

  private static void assertSearch(
      RecordedEvent event, String operation, long rows, int k, String filter, String path) {
    assertThat(event.getEventType().getName()).isEqualTo(PREFIX + "Search");
    assertThat(event.getString("backend")).isEqualTo("scan");
    assertThat(event.getString("operation")).isEqualTo(operation);
    assertThat(event.getLong("rows")).isEqualTo(rows);
    assertThat(event.getInt("k")).isEqualTo(k);
    assertThat(event.getString("filter")).isEqualTo(filter);
    assertThat(event.getString("path")).isEqualTo(path);
    assertThat(event.getBoolean("returned")).isTrue();
    assertThat(event.getDuration().toNanos()).isPositive();
  }

  @Test
  void searchesTellFilterPathAndK() throws IOException {
    SearchRequest request = SearchRequest.of(new float[] {1}, 4);
    SearchRequest two = SearchRequest.of(new float[] {1, 2}, 6);
    List<RecordedEvent> events =
        recorded(
            index -> {
              index.addAll(new long[] {1, 2, 3}, new float[] {1, 2, 3});
              index.search(new float[] {1}, 3);
              index.search(request.filter(IdFilter.notIn(2)));
              index.search(request.exact().filter(IdFilter.range(1, 2)));
              index.search(request, SearchBuffer.allocate(1, 4));
              index.searchAll(two);
              index.searchAll(two.query(two.query().asSlice(0, 4)));
              index.searchRange(new float[] {1}, 0.5f, 8);
            });

    assertThat(events).hasSize(8);
    assertThat(events.get(0).getEventType().getName()).isEqualTo(PREFIX + "Add");
    assertThat(events.get(0).getLong("rows")).isEqualTo(3);
    assertSearch(events.get(1), "search", 1, 3, "none", "WALK");
    assertSearch(events.get(2), "search", 1, 4, "not", "WALK");
    assertSearch(events.get(3), "search", 1, 4, "range", "SCAN");
    assertSearch(events.get(4), "search", 1, 4, "none", "WALK");
    assertSearch(events.get(5), "searchAll", 2, 6, "none", "MIXED");
    assertSearch(events.get(6), "searchAll", 1, 6, "none", "WALK");
    assertSearch(events.get(7), "searchRange", 1, 8, "none", "SCAN");
    assertThat(events.get(1).getEventType().getCategoryNames()).containsExactly("Panvec");
    assertThat(events.get(1).getEventType().getLabel()).isEqualTo("Search Vectors");
  }

  @Test
  void writesTrainingsAndCompactionsTellTheirRows() throws IOException {
    List<RecordedEvent> events =
        recorded(
            index -> {
              index.add(1, new float[] {1});
              index.upsertAll(new long[] {1, 2}, new float[] {3, 4});
              index.train(new float[] {1, 2, 3});
              index.compact();
              BackgroundWork.compact(index.spec(), 9, index::compact);
            });

    assertThat(events)
        .extracting(
            event -> event.getEventType().getName().substring(PREFIX.length()),
            event -> event.getString("operation"),
            event -> event.getLong("rows"))
        .containsExactlyInAnyOrder(
            tuple("Add", "add", 1L),
            tuple("Add", "upsert", 2L),
            tuple("Train", "train", 3L),
            tuple("Compact", "compact", 2L),
            tuple("Compact", "compact", 2L),
            tuple("Compact", "compact", 9L));
  }

  @Test
  void aCallThatThrowsIsRecordedAsSuch() throws IOException {
    ScanBackend.mischief =
        request -> {
          throw new UnsupportedOperationException("on purpose");
        };
    List<RecordedEvent> events =
        recorded(
            index -> {
              SearchRequest request = SearchRequest.of(new float[] {1}, 4);
              assertThatThrownBy(() -> index.search(request)).hasMessage("on purpose");
              SearchBuffer buffer = SearchBuffer.allocate(1, 4);
              assertThatThrownBy(() -> index.search(request, buffer)).hasMessage("on purpose");
            });

    assertThat(events)
        .hasSize(2)
        .allSatisfy(
            event -> {
              assertThat(event.getBoolean("returned")).isFalse();
              assertThat(event.getString("path")).isNull();
            });
  }

  @Test
  void aStreamReceivesThem() throws InterruptedException {
    CountDownLatch received = new CountDownLatch(1);
    try (RecordingStream stream = new RecordingStream();
        VectorIndex index = Panvec.create(SPEC)) {
      stream.enable(PREFIX + "Search");
      stream.onEvent(PREFIX + "Search", event -> received.countDown());
      stream.startAsync();
      index.search(new float[] {1}, 3);
      stream.stop();
      assertThat(received.await(1, TimeUnit.MINUTES)).isTrue();
    }
  }

  @Test
  void nothingIsEnabledWhileNothingRecords() {
    assertThat(CallEvents.INSTANCE).isInstanceOf(JfrEvents.class);
    for (Operation operation : Operation.values()) {
      assertThat(CallEvents.INSTANCE.enabled(operation)).as("%s", operation).isFalse();
    }
    assertThat(FlightRecorder.getFlightRecorder().getEventTypes())
        .extracting(EventType::getName)
        .filteredOn(name -> name.startsWith(PREFIX))
        .containsExactlyInAnyOrder(
            PREFIX + "Add",
            PREFIX + "Search",
            PREFIX + "Train",
            PREFIX + "Compact",
            PREFIX + "Save");
  }

  /** Run in a JVM of its own. */
  public static final class WithoutJfr {
    public static void main(String[] args) {
      Backends.onlyScan();
      try (VectorIndex index = Panvec.create(SPEC)) {
        index.add(1, new float[] {1});
        System.out.println(CallEvents.INSTANCE.getClass().getSimpleName());
        System.out.println(index.search(new float[] {1}, 3));
      }
    }
  }

  @Test
  void aRuntimeWithoutJfrSearchesAllTheSame() throws Exception {
    ChildJvm child = ChildJvm.start(folder, WithoutJfr.class, List.of("--limit-modules=java.base"));
    assertThat(child.waitFor()).as(child.text()).isZero();
    assertThat(child.text().lines()).containsExactly("None", "[1: 0.0]");
  }
}
