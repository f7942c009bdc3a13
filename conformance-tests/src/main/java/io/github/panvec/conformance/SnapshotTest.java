package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.VectorIndex;
import io.github.panvec.Verify;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What was saved is there again, for every kind of index: in memory, mapped, from memory. */
class SnapshotTest extends ConformanceTest {
  private static final int DIMENSION = 19;

  @TempDir Path folder;

  static Stream<Subject> subjects() {
    return Subjects.all().stream().filter(subject -> subject.capabilities().snapshots());
  }

  private Path snapshot() {
    return folder.resolve("saved");
  }

  /** Rows of which some were replaced and some removed. */
  private Rows write(VectorIndex index, Metric metric) {
    Rows rows = Rows.gaussian(metric, DIMENSION, 1200);
    rows.addTo(index);
    index.removeAll(rows.every(5));
    for (long id : rows.every(5)) {
      rows.remove(id);
    }
    for (long id : rows.every(7)) {
      rows.put(id, rows.query());
      index.upsert(id, rows.byId.get(id));
    }
    for (long id : new long[] {Long.MIN_VALUE, Long.MAX_VALUE}) {
      rows.put(id, rows.query());
      index.add(id, rows.byId.get(id));
    }
    return rows;
  }

  private void assertAlike(VectorIndex saved, VectorIndex found, Rows rows) {
    assertThat(found.spec().metric()).isEqualTo(saved.spec().metric());
    assertThat(found.size()).isEqualTo(rows.byId.size());
    assertThat(found.ids()).isEqualTo(rows.ids());
    assertThat(found.contains(Long.MIN_VALUE)).isTrue();
    assertThat(found.contains(12_345)).isFalse();
    if (subject.keepsVectors()) {
      rows.assertUnchanged(found);
    }
    for (int i = 0; i < 20; i++) {
      SearchRequest request = SearchRequest.of(rows.query(), 10);
      assertSame(saved, found, request);
      assertSame(saved, found, request.filter(IdFilter.range(0, 300)));
      if (subject.keepsVectors()) {
        assertSame(saved, found, request.exact());
        float radius = saved.search(request.exact()).distance(5);
        assertThat(found.searchRange(request, radius).hits().hits())
            .isEqualTo(saved.searchRange(request, radius).hits().hits());
      }
    }
  }

  private static void assertSame(VectorIndex saved, VectorIndex found, SearchRequest request) {
    assertThat(found.search(request).hits()).isEqualTo(saved.search(request).hits());
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract({"snapshot.save-and-open", "snapshot.view"})
  void openedAndViewedItAnswersAlike(Metric metric) throws IOException {
    try (VectorIndex index = create(DIMENSION, metric)) {
      Rows rows = write(index, metric);
      SnapshotManifest manifest = index.save(snapshot());
      assertThat(manifest).isEqualTo(Panvec.describe(snapshot()));
      assertThat(manifest.backend()).isEqualTo(subject.backend());
      assertThat(manifest.metric()).isEqualTo(metric);
      assertThat(manifest.size()).isEqualTo(rows.byId.size());
      try (VectorIndex opened = Panvec.open(snapshot());
          VectorIndex view = Panvec.view(snapshot());
          VectorIndex quick = Panvec.view(snapshot(), Verify.SIZES);
          VectorIndex remote = Panvec.open(SnapshotSource.of(files()))) {
        for (VectorIndex found : List.of(opened, view, quick, remote)) {
          assertAlike(index, found, rows);
        }
        // It goes on as the other does.
        for (VectorIndex each : List.of(index, opened)) {
          each.remove(Long.MAX_VALUE);
          each.upsert(3, rows.byId.get(Long.MIN_VALUE));
        }
        rows.remove(Long.MAX_VALUE);
        rows.put(3, rows.byId.get(Long.MIN_VALUE));
        assertThat(opened.ids()).isEqualTo(rows.ids());
        opened.compact();
        assertThat(opened.ids()).isEqualTo(rows.ids());
        assertThat(view.contains(Long.MAX_VALUE)).isTrue();
      }
    }
  }

  private Map<String, MemorySegment> files() throws IOException {
    Map<String, MemorySegment> files = new TreeMap<>();
    for (Path path : regularFiles()) {
      String name = snapshot().relativize(path).toString().replace('\\', '/');
      files.put(name, MemorySegment.ofArray(Files.readAllBytes(path)));
    }
    return files;
  }

  private List<Path> regularFiles() throws IOException {
    try (Stream<Path> paths = Files.walk(snapshot())) {
      return paths.filter(Files::isRegularFile).sorted().toList();
    }
  }

  @Test
  @Contract("snapshot.save-and-open")
  void anEmptyIndexIsSavedToo() {
    Metric metric = any(Metric.COSINE);
    try (VectorIndex index = create(DIMENSION, metric)) {
      index.save(snapshot());
    }
    Rows rows = Rows.gaussian(metric, DIMENSION, 20);
    try (VectorIndex view = Panvec.view(snapshot());
        VectorIndex opened = Panvec.open(snapshot())) {
      assertThat(view.size()).isZero();
      assertThat(view.search(rows.query(), 3).count()).isZero();
      rows.addTo(opened);
      assertThat(opened.ids()).isEqualTo(rows.ids());
      assertThat(opened.search(rows.query(), 30).count()).isEqualTo(20);
    }
  }

  @Test
  @Contract("snapshot.read-only")
  void aViewRefusesEveryChange() {
    Metric metric = any(Metric.L2);
    try (VectorIndex index = create(DIMENSION, metric)) {
      Rows rows = write(index, metric);
      index.save(snapshot());
      float[] row = rows.query();
      try (VectorIndex view = Panvec.view(snapshot())) {
        List<Runnable> changes =
            List.of(
                () -> view.add(5000, row),
                () -> view.upsert(1, row),
                () -> view.addAll(new long[] {5000, 5001}, rows.queries(2)),
                () -> view.remove(1),
                () -> view.removeAll(1, 2),
                () -> view.train(rows.queries(400)),
                view::compact);
        for (Runnable change : changes) {
          assertThatThrownBy(change::run)
              .isInstanceOf(UnsupportedOperationException.class)
              .hasMessageContaining("read-only");
        }
        assertAlike(index, view, rows);
      }
    }
  }

  @Test
  @Contract("snapshot.generations")
  void laterSavesLeaveAViewOfAnEarlierOneAsItWas() throws IOException {
    Metric metric = any(Metric.L2);
    try (VectorIndex index = create(DIMENSION, metric)) {
      Rows rows = write(index, metric);
      index.save(snapshot());
      int files = regularFiles().size();
      List<VectorIndex> views = new ArrayList<>();
      List<Integer> sizes = new ArrayList<>();
      for (int round = 0; round < 4; round++) {
        views.add(Panvec.view(snapshot()));
        sizes.add(rows.byId.size());
        rows.put(9000 + round, rows.query());
        index.add(9000 + round, rows.byId.get(9000L + round));
        assertThat(index.save(snapshot()).generation()).isEqualTo(2 + round);
      }
      for (int round = 0; round < 4; round++) {
        try (VectorIndex view = views.get(round)) {
          assertThat(view.size()).isEqualTo(sizes.get(round).longValue());
          assertThat(view.contains(9000 + round)).isFalse();
          assertThat(view.search(rows.query(), 2000).count()).isEqualTo(sizes.get(round));
        }
      }
      index.save(snapshot());
      assertThat(regularFiles()).as("files when nobody reads an old one").hasSize(files);
    }
  }

  @Test
  @Contract("snapshot.one-state")
  void whatIsSavedBesideWritesIsOneState() throws Exception {
    Metric metric = any(Metric.L2);
    Rows rows = Rows.gaussian(metric, DIMENSION, 3000);
    float[] query = rows.query();
    try (VectorIndex index = rows.index(subject)) {
      long[] ids = rows.ids();
      int[] turn = {0};
      // A batch replaces the same hundred rows by one and the same row: half a batch would show.
      Readers.Step writer =
          () -> {
            int value = 1 + turn[0]++ % 50;
            long[] batch = new long[100];
            System.arraycopy(ids, 0, batch, 0, 100);
            float[][] same = new float[100][];
            Arrays.fill(same, TestVectors.scaled(query, value));
            index.upsertAll(batch, TestVectors.flat(same));
          };
      writer.run();
      Readers.whileRunning(
          List.of(writer),
          writers -> {
            for (int save = 0; save < 5; save++) {
              index.save(snapshot());
              assertThat(writers.goOn()).isTrue();
              try (VectorIndex opened = Panvec.open(snapshot())) {
                assertThat(opened.ids()).isEqualTo(ids);
                assertThat(hundredth(opened, query)).isEqualTo(first(opened, query));
              }
            }
          });
    }
  }

  private static float first(VectorIndex index, float[] query) {
    return index.search(request(query)).distance(0);
  }

  private static float hundredth(VectorIndex index, float[] query) {
    return index.search(request(query)).distance(99);
  }

  private static SearchRequest request(float[] query) {
    return SearchRequest.of(query, 100).filter(IdFilter.range(-10, 89));
  }

  @Test
  @Contract("snapshot.damage")
  void aFlippedBitIsNamedAndNothingIsTouched() throws IOException {
    Metric metric = any(Metric.L2);
    try (VectorIndex index = create(DIMENSION, metric)) {
      write(index, metric);
      index.save(snapshot());
    }
    for (Path file : regularFiles()) {
      byte[] bytes = Files.readAllBytes(file);
      String name = file.getFileName().toString();
      if (name.equals("lock") || name.equals("files") || bytes.length == 0) {
        continue;
      }
      byte[] damaged = bytes.clone();
      damaged[bytes.length / 2] ^= 4;
      Files.write(file, damaged);
      for (Runnable open :
          List.<Runnable>of(
              () -> Panvec.open(snapshot()).close(), () -> Panvec.view(snapshot()).close())) {
        assertThatThrownBy(open::run)
            .isInstanceOf(CorruptIndexException.class)
            .hasMessageContaining(name);
      }
      assertThat(Files.readAllBytes(file)).isEqualTo(damaged);
      Files.write(file, bytes);
    }
    Panvec.open(snapshot()).close();
  }
}
