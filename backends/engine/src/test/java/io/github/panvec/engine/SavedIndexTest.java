package io.github.panvec.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Capabilities;
import io.github.panvec.CorruptIndexException;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.VectorIndex;
import io.github.panvec.Verify;
import io.github.panvec.snapshot.SnapshotReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the engine makes of files; the files' own fate is tested where they are written. */
@Timeout(60)
class SavedIndexTest {
  @TempDir private Path folder;
  private final List<JavaSlotIndex> made = new ArrayList<>();

  private final Engine engine =
      new Engine(
          IndexSpec.of("java", 1, Metric.L2).with("m", 16).with("threads", 2),
          new Capabilities(EnumSet.allOf(Metric.class), 1, Integer.MAX_VALUE, true, false, false),
          "1.2",
          () -> {
            made.add(new JavaSlotIndex());
            return made.get(made.size() - 1);
          },
          1,
          0);

  private Path snapshot() {
    return folder.resolve("saved");
  }

  private VectorIndex open(SnapshotSource source) {
    try (SnapshotReader reader = SnapshotReader.open(source, Verify.FULL)) {
      return ManagedIndex.open(engine, reader);
    }
  }

  private VectorIndex view(SnapshotSource source) {
    return ManagedIndex.view(engine, SnapshotReader.open(source, Verify.SIZES));
  }

  /** Rows that were added, replaced and removed, on several pages. */
  private static TreeMap<Long, Float> write(VectorIndex index, long seed) {
    Random random = new Random(seed);
    TreeMap<Long, Float> model = new TreeMap<>();
    long[] first = LongStream.range(-20_000, 50_000).map(id -> id * 3).toArray();
    float[] rows = new float[first.length];
    for (int i = 0; i < first.length; i++) {
      rows[i] = random.nextInt(1_000_000);
      model.put(first[i], rows[i]);
    }
    index.addAll(first, rows);
    for (long id : new long[] {Long.MIN_VALUE, Long.MAX_VALUE, -60_000, 0}) {
      index.upsert(id, new float[] {id % 1000});
      model.put(id, (float) (id % 1000));
    }
    for (int i = 0; i < 3000; i++) {
      long id = (random.nextInt(70_000) - 20_000) * 3L;
      assertThat(index.remove(id)).isEqualTo(model.remove(id) != null);
    }
    return model;
  }

  private static void assertHolds(VectorIndex index, TreeMap<Long, Float> model) {
    assertThat(index.size()).isEqualTo(model.size());
    assertThat(index.ids()).containsExactly(model.keySet().stream().mapToLong(i -> i).toArray());
    for (long id = -60_030; id < 150_030; id += 7) {
      Float value = model.get(id);
      assertThat(index.get(id).map(row -> row[0])).isEqualTo(java.util.Optional.ofNullable(value));
      assertThat(index.contains(id)).isEqualTo(value != null);
    }
    SearchRequest all = SearchRequest.of(new float[1], 1_000_000).exact();
    assertThat(index.search(all).count()).isEqualTo(model.size());
    IdFilter some = IdFilter.in(model.firstKey(), model.lastKey(), 2L);
    assertThat(index.search(all.filter(some)).ids())
        .containsExactlyInAnyOrder(model.firstKey(), model.lastKey());
  }

  @Test
  void whatIsSavedIsOpenedAndViewed() {
    TreeMap<Long, Float> model;
    try (ManagedIndex index = new ManagedIndex(engine)) {
      model = write(index, 7);
      SnapshotManifest manifest = index.save(snapshot());
      assertThat(manifest.size()).isEqualTo(model.size());
      assertThat(manifest.size() + manifest.dead())
          .isEqualTo(index.stats().size() + index.stats().dead());
      assertThat(manifest.parameters()).containsExactly(Map.entry("m", 16L));
      assertThat(manifest.backendVersion()).isEqualTo("1.2");
      assertThat(manifest.files())
          .extracting(SnapshotManifest.Entry::name)
          .containsExactly("graph", "ids", "order", "live");
      assertThat(made.get(0).savers).isZero();
    }
    try (VectorIndex view = view(SnapshotSource.of(snapshot()));
        VectorIndex opened = open(SnapshotSource.of(snapshot()))) {
      assertHolds(view, model);
      assertHolds(opened, model);
      // An opened index goes on where the saved one was.
      opened.upsert(0, new float[] {4});
      opened.add(1, new float[] {5});
      assertThat(opened.remove(Long.MAX_VALUE)).isTrue();
      model.put(0L, 4f);
      model.put(1L, 5f);
      model.remove(Long.MAX_VALUE);
      opened.compact();
      assertHolds(opened, model);
      opened.save(snapshot());
      assertThat(view.contains(Long.MAX_VALUE)).isTrue();
    }
    try (VectorIndex again = open(SnapshotSource.of(snapshot()))) {
      assertHolds(again, model);
      assertThat(again.stats().dead()).isZero();
    }
    assertThat(made).allMatch(slots -> slots.closed);
  }

  @Test
  void anEmptyIndexIsSavedToo() {
    try (ManagedIndex index = new ManagedIndex(engine)) {
      index.save(snapshot());
    }
    try (VectorIndex view = view(SnapshotSource.of(snapshot()));
        VectorIndex opened = open(SnapshotSource.of(snapshot()))) {
      assertThat(view.size()).isZero();
      assertThat(view.search(new float[1], 3).count()).isZero();
      assertThat(opened.ids()).isEmpty();
      opened.add(1, new float[1]);
      assertThat(opened.size()).isEqualTo(1);
    }
  }

  @Test
  void oneStateIsSavedWhateverIsWrittenMeanwhile() {
    try (ManagedIndex index = new ManagedIndex(engine)) {
      TreeMap<Long, Float> model = write(index, 8);
      AtomicInteger pieces = new AtomicInteger();
      made.get(0).duringSave =
          () -> {
            // Under the graph lock, as a search would be: on another thread.
            Thread writer =
                new Thread(
                    () -> {
                      int piece = pieces.getAndIncrement();
                      index.removeAll(piece * 3L, Long.MIN_VALUE, Long.MAX_VALUE);
                    });
            writer.start();
            try {
              writer.join();
            } catch (InterruptedException interrupted) {
              throw new AssertionError(interrupted);
            }
          };
      index.save(snapshot());
      assertThat(pieces.get()).isGreaterThan(10);
      assertThat(index.contains(Long.MIN_VALUE)).isFalse();
      try (VectorIndex opened = open(SnapshotSource.of(snapshot()))) {
        assertHolds(opened, model);
      }
    }
  }

  @Test
  void aViewIsNotWrittenTo() {
    try (ManagedIndex index = new ManagedIndex(engine)) {
      index.add(1, new float[] {2});
      index.save(snapshot());
    }
    VectorIndex view = view(SnapshotSource.of(snapshot()));
    List<Runnable> writes =
        List.of(
            () -> view.add(2, new float[1]),
            () -> view.upsert(1, new float[1]),
            () -> view.remove(1),
            view::compact,
            () -> view.train(new float[10]));
    for (Runnable write : writes) {
      assertThatThrownBy(write::run)
          .isInstanceOf(UnsupportedOperationException.class)
          .hasMessageContaining("read-only");
    }
    assertThat(view.get(1)).isPresent();
    view.save(folder.resolve("copy"));
    view.close();
    view.close();
    assertThatThrownBy(() -> view.get(1)).isInstanceOf(IllegalStateException.class);
    try (VectorIndex copy = open(SnapshotSource.of(folder.resolve("copy")))) {
      assertThat(copy.size()).isEqualTo(1);
    }
  }

  @Test
  void aSnapshotInMemoryNeedNotBeAligned() {
    TreeMap<Long, Float> model;
    try (ManagedIndex index = new ManagedIndex(engine)) {
      model = write(index, 9);
      index.save(snapshot());
    }
    try (VectorIndex view = view(SnapshotSource.of(inMemory(1)));
        VectorIndex opened = open(SnapshotSource.of(inMemory(0)))) {
      assertHolds(view, model);
      assertHolds(opened, model);
    }
  }

  private Map<String, MemorySegment> inMemory(int offset) {
    Map<String, MemorySegment> files = new HashMap<>();
    try (var paths = Files.walk(snapshot())) {
      for (Path path : (Iterable<Path>) paths.filter(Files::isRegularFile)::iterator) {
        byte[] bytes = Files.readAllBytes(path);
        byte[] shifted = new byte[bytes.length + offset];
        System.arraycopy(bytes, 0, shifted, offset, bytes.length);
        String name = snapshot().relativize(path).toString().replace('\\', '/');
        files.put(name, MemorySegment.ofArray(shifted).asSlice(offset));
      }
      return files;
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  @Test
  void filesThatDoNotFitTogetherAreRefusedByName() {
    try (ManagedIndex index = new ManagedIndex(engine)) {
      index.addAll(new long[] {1, 2, 3}, new float[] {1, 2, 3});
      index.save(snapshot());
    }
    // As after damage that left the checksums right, or that nobody looked at.
    try (SnapshotReader reader = SnapshotReader.open(SnapshotSource.of(snapshot()), Verify.FULL)) {
      assertThat(reader.manifest().files()).hasSize(4);
    }
    Map<String, MemorySegment> files = inMemory(0);
    files.get("1/ids").setAtIndex(SnapshotFiles.LONG, 2, 1L);
    assertRefused(files, "1/ids");
    files = inMemory(0);
    files.get("1/live").setAtIndex(SnapshotFiles.LONG, 0, 3L);
    assertRefused(files, "1/live");
    files = inMemory(0);
    files.get("1/live").setAtIndex(SnapshotFiles.LONG, 0, 15L);
    assertRefused(files, "1/live");
    assertThat(made).allMatch(slots -> slots.closed);
    files = inMemory(0);
    files.get("1/order").setAtIndex(SnapshotFiles.INT, 1, 77);
    try (SnapshotReader reader = SnapshotReader.open(SnapshotSource.of(files), Verify.SIZES);
        VectorIndex view = ManagedIndex.view(engine, reader)) {
      assertThatThrownBy(() -> view.get(2))
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageContaining("order");
    }
  }

  @Test
  void aViewOfWhatWasDamagedIsNotSavedAsIfItWereWell() throws IOException {
    try (ManagedIndex index = new ManagedIndex(engine)) {
      write(index, 5);
      index.save(snapshot());
    }
    Path graph = snapshot().resolve("1/graph");
    byte[] bytes = Files.readAllBytes(graph);
    bytes[bytes.length - 1] ^= 1;
    Files.write(graph, bytes);
    try (VectorIndex view = view(SnapshotSource.of(snapshot()))) {
      for (Path target : List.of(snapshot(), folder.resolve("copy"))) {
        assertThatThrownBy(() -> view.save(target))
            .isInstanceOf(CorruptIndexException.class)
            .hasMessageContaining(graph.toString());
      }
      assertThatThrownBy(() -> view.export(folder.resolve("exported")))
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageContaining(graph.toString());
    }
    assertThat(folder.resolve("exported")).doesNotExist();
    assertThat(Panvec.describe(snapshot()).generation()).isEqualTo(1);
    bytes[bytes.length - 1] ^= 1;
    Files.write(graph, bytes);
    try (VectorIndex view = view(SnapshotSource.of(snapshot()))) {
      view.save(snapshot());
    }
    assertThat(Panvec.describe(snapshot()).generation()).isEqualTo(2);
  }

  private void assertRefused(Map<String, MemorySegment> files, String name) {
    try (SnapshotReader reader = SnapshotReader.open(SnapshotSource.of(files), Verify.SIZES)) {
      assertThatThrownBy(() -> ManagedIndex.open(engine, reader))
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageContaining(name);
    }
  }
}
