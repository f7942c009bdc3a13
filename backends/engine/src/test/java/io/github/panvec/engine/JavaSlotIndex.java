package io.github.panvec.engine;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Limits;
import io.github.panvec.NativeMemoryException;
import io.github.panvec.SearchRequest;
import io.github.panvec.spi.HitSegments;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Slots on the Java heap, one number each, that fail when told to: tests the engine without a
 * native library.
 */
final class JavaSlotIndex implements SlotIndex {
  private static final int SAVED_AT_ONCE = 1000;

  private final List<Float> rows = new ArrayList<>();
  private long linked;

  /** The next {@link #link} stops after this many slots; negative: it does not fail. */
  long failAfter = -1;

  /** How many hits a walk finds at most. */
  int walkFinds = Integer.MAX_VALUE;

  /** The slots of {@link #trainOnSlots}. */
  final List<Integer> trainedOn = new ArrayList<>();

  boolean closed;

  /** What {@link #linksBesideSearches} answers. */
  boolean beside;

  /** Runs in the midst of each {@link #link}. */
  Runnable whileLinking = () -> {};

  /** It trains by itself with so many slots; 0: it learns nothing. */
  long trainAt;

  /** What the next training, encoding or catching up throws, if anything. */
  RuntimeException failure;

  /** Which of them, for example {@code "train"}. */
  String failIn = "";

  /** What was called, in order. */
  final List<String> calls = new ArrayList<>();

  /** The first slots of the slices that were scanned, in order. */
  final List<Long> scanned = new ArrayList<>();

  /** The rows are dropped by the end of so many slices; 0: never. */
  int rowsDroppedAfter;

  /** The limits of walks. */
  final List<Limits> walkLimits = Collections.synchronizedList(new ArrayList<>());

  /** The threads that searched. */
  final Set<Thread> searchers = ConcurrentHashMap.newKeySet();

  /** Runs after rows have been copied here from another index, when no lock is held. */
  Runnable beforeNext = () -> {};

  /** Runs before each piece of a file that is saved. */
  Runnable duringSave = () -> {};

  /** How many savers are open. */
  int savers;

  private boolean copied;

  private boolean trained;
  private long encoded;
  private long backlog;

  private boolean waitsForTraining() {
    return trainAt > 0 && !trained;
  }

  private void call(String name) {
    calls.add(name);
    String kind = name.split(" ")[0];
    if (kind.equals(failIn)) {
      failIn = "";
      throw failure;
    }
  }

  @Override
  public long trainsAt() {
    return waitsForTraining() ? trainAt : Long.MAX_VALUE;
  }

  @Override
  public void trainOnSlots(MemorySegment liveSlots, long count, int threads, Limits limits) {
    call("train " + count);
    for (long i = 0; i < count; i++) {
      trainedOn.add(liveSlots.getAtIndex(ValueLayout.JAVA_INT, i));
    }
    trained = true;
  }

  @Override
  public void encode(long end, int threads, Limits limits) {
    if (copied) {
      copied = false;
      beforeNext.run();
    }
    if (trained) {
      call("encode " + end);
      encoded = end;
    }
  }

  @Override
  public boolean train(MemorySegment sample, long count, long slots, int threads, Limits limits) {
    if (trainAt == 0 || trained) {
      return false;
    }
    call("train " + (sample.isNative() ? "native " : "heap ") + count);
    trained = true;
    return true;
  }

  @Override
  public void trainLike(SlotIndex source) {
    JavaSlotIndex other = (JavaSlotIndex) source;
    trainAt = other.trainAt;
    trained = other.trained;
  }

  @Override
  public void stageFrom(long firstSlot, SlotIndex source, MemorySegment from, long count) {
    call("copy " + count);
    for (int i = 0; i < count; i++) {
      int slot = from.getAtIndex(ValueLayout.JAVA_INT, i);
      rows.set((int) firstSlot + i, ((JavaSlotIndex) source).rows.get(slot));
    }
    copied = true;
  }

  @Override
  public double searchCost(long candidates, long slotCount, int k, SearchRequest request) {
    return 8.0 * k;
  }

  @Override
  public long backlog() {
    return trained ? backlog : 0;
  }

  @Override
  public void prepare(long capacity) {}

  @Override
  public void reserve(long capacity) {
    while (rows.size() < capacity) {
      rows.add(Float.NaN);
    }
  }

  @Override
  public void stage(long firstSlot, MemorySegment staged, long count, long firstRow) {
    for (int i = 0; i < count; i++) {
      float value = staged.getAtIndex(ValueLayout.JAVA_FLOAT, i);
      if (Float.isNaN(value)) {
        throw new InvalidVectorException("row " + (firstRow + i));
      }
      rows.set((int) firstSlot + i, value);
    }
  }

  @Override
  public boolean linksBesideSearches() {
    return beside;
  }

  @Override
  public Linked link(
      long firstSlot, long count, int threads, MemorySegment yield, long sliceNanos) {
    whileLinking.run();
    if (firstSlot != linked) {
      throw new IllegalStateException("slot " + firstSlot + " is not the next, " + linked + " is");
    }
    if (failAfter >= 0) {
      long slots = Math.min(failAfter, count);
      failAfter = -1;
      linked += slots;
      return new Linked(slots, new NativeMemoryException("enough"));
    }
    if (waitsForTraining()) {
      backlog += count;
      linked += count;
      return new Linked(count, null);
    }
    if (trained && backlog > 0) {
      try {
        call("link-old " + backlog);
      } catch (RuntimeException failed) {
        return new Linked(0, failed);
      }
      if (encoded < backlog) {
        throw new IllegalStateException("not encoded yet");
      }
      backlog -= Math.min(backlog, 5);
      return new Linked(0, null);
    }
    // In several slices, as a native library does when readers wait.
    long slots = Math.min(count, 3);
    linked += slots;
    return new Linked(slots, null);
  }

  @Override
  public int search(
      SlotView view,
      MemorySegment filter,
      MemorySegment query,
      int k,
      SearchRequest request,
      HitSegments hits) {
    walkLimits.add(request.limits());
    if (backlog > 0) {
      return 0;
    }
    return nearest(view, 0, view.slotCount(), filter, query, Math.min(k, walkFinds), hits);
  }

  @Override
  public boolean rowsDropped() {
    return rowsDroppedAfter > 0 && scanned.size() >= rowsDroppedAfter;
  }

  @Override
  public int exact(
      SlotView view,
      long from,
      long to,
      MemorySegment filter,
      MemorySegment query,
      int k,
      int count,
      boolean finish,
      HitSegments hits) {
    if (rowsDroppedAfter > 0) {
      scanned.add(from);
      assertThat(count).as("hits of the slices before").isEqualTo(from == 0 ? 0 : k);
    }
    return nearest(view, from, to, filter, query, k, hits);
  }

  private int nearest(
      SlotView view,
      long from,
      long to,
      MemorySegment filter,
      MemorySegment query,
      int k,
      HitSegments hits) {
    searchers.add(Thread.currentThread());
    if (Float.isNaN(query.get(ValueLayout.JAVA_FLOAT, 0))) {
      throw new InvalidVectorException("component 0 is NaN");
    }
    Version version = (Version) view;
    int found = 0;
    for (long slot = from; slot < to && found < k; slot++) {
      if (version.isLive(slot) && passes(filter, slot)) {
        hits.ids().setAtIndex(ValueLayout.JAVA_LONG, found, idOf(view, slot));
        hits.distances().setAtIndex(ValueLayout.JAVA_FLOAT, found, rows.get((int) slot));
        found++;
      }
    }
    return found;
  }

  private static boolean passes(MemorySegment filter, long slot) {
    return filter.address() == 0
        || (filter.getAtIndex(ValueLayout.JAVA_LONG, slot >>> 6) >>> slot & 1) != 0;
  }

  private static long idOf(SlotView view, long slot) {
    long page =
        view.idPages()
            .reinterpret(Long.BYTES * (Pages.page(slot) + 1L))
            .getAtIndex(ValueLayout.JAVA_LONG, Pages.page(slot));
    return MemorySegment.ofAddress(page)
        .reinterpret(Pages.ID_PAGE_BYTES)
        .getAtIndex(ValueLayout.JAVA_LONG, slot & Pages.SLOT_MASK);
  }

  @Override
  public int exactSlots(
      SlotView view,
      MemorySegment slots,
      long slotCount,
      MemorySegment query,
      int k,
      int count,
      boolean finish,
      HitSegments hits) {
    for (int i = 0; i < Math.min(k, slotCount); i++) {
      int slot = slots.getAtIndex(ValueLayout.JAVA_INT, i);
      hits.ids().setAtIndex(ValueLayout.JAVA_LONG, i, idOf(view, slot));
    }
    return (int) Math.min(k, slotCount);
  }

  @Override
  public void row(long slot, MemorySegment row) {
    row.set(ValueLayout.JAVA_FLOAT, 0, rows.get((int) slot));
  }

  @Override
  public Saver saver(SavedFile file, long slotCount) {
    assertThat(file).isEqualTo(SavedFile.GRAPH);
    assertThat(slotCount).isLessThanOrEqualTo(linked);
    return new Saver() {
      private int next;

      @Override
      public long next(MemorySegment room) {
        duringSave.run();
        int first = next;
        while (next < slotCount && next < first + SAVED_AT_ONCE) {
          room.setAtIndex(SnapshotFiles.FLOAT, next - first, rows.get(next++));
        }
        return (next - first) * 4L;
      }

      @Override
      public void close() {
        savers--;
      }

      private Saver opened() {
        savers++;
        return this;
      }
    }.opened();
  }

  @Override
  public double maxRowNorm() {
    return 7.25;
  }

  @Override
  public void open(
      MemorySegment graph, MemorySegment vectors, long slotCount, double norm, boolean asView) {
    if (norm != 7.25 || graph.byteSize() != 4 * slotCount || !vectors.equals(MemorySegment.NULL)) {
      throw new CorruptIndexException("it has " + graph.byteSize() + " bytes, norm " + norm);
    }
    for (long slot = 0; slot < slotCount; slot++) {
      rows.add(graph.getAtIndex(SnapshotFiles.FLOAT, slot));
    }
    linked = slotCount;
  }

  @Override
  public long memoryBytes() {
    return rows.size() * 4L;
  }

  @Override
  public Map<String, Object> details() {
    return Map.of();
  }

  @Override
  public void close() {
    closed = true;
  }
}
