package io.github.panvec.hnswlib;

import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_create;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_exact;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_exact_slots;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_free;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_link;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_max_level;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_memory_bytes;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_prepare;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_reserve;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_row;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_search;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_stage;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.panvec.Metric;
import io.github.panvec.engine.NativeStatus;
import io.github.panvec.engine.SlotIndex;
import io.github.panvec.engine.SlotView;
import io.github.panvec.engine.Vectors;
import io.github.panvec.spi.HitSegments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;

/**
 * One graph of libpanvec_hnswlib: arenas, arguments and status codes, one method per function of
 * its header.
 */
final class HnswlibSlotIndex implements SlotIndex {
  private static final int ERROR_BYTES = HitSegments.ERROR_BYTES;

  private final Arena arena = Arena.ofShared();
  private final int dimension;

  /**
   * Freed with the arena; passed to every call, so that the JVM would rather refuse a close than
   * free it under a call.
   */
  private final MemorySegment graph;

  HnswlibSlotIndex(Metric metric, int dimension, int m, int efConstruction, long seed) {
    this.dimension = dimension;
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment handle = scratch.allocate(ValueLayout.ADDRESS);
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      NativeStatus.check(
          panvec_hnswlib_create(
              metric.ordinal(), dimension, m, efConstruction, seed, handle, error, ERROR_BYTES),
          error);
      graph =
          handle
              .get(ValueLayout.ADDRESS, 0)
              .reinterpret(
                  arena,
                  segment -> panvec_hnswlib_free(MemorySegment.ofAddress(segment.address())));
    } catch (RuntimeException | Error failure) {
      arena.close();
      throw failure;
    }
  }

  @Override
  public void prepare(long capacity) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      NativeStatus.check(panvec_hnswlib_prepare(graph, capacity, error, ERROR_BYTES), error);
    }
  }

  @Override
  public void reserve(long capacity) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      NativeStatus.check(panvec_hnswlib_reserve(graph, capacity, error, ERROR_BYTES), error);
    }
  }

  @Override
  public void stage(long firstSlot, MemorySegment rows, long count, long firstRow) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment badRow = scratch.allocate(JAVA_LONG);
      MemorySegment badComponent = scratch.allocate(JAVA_INT);
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      int status =
          panvec_hnswlib_stage(
              graph, firstSlot, rows, count, badRow, badComponent, error, ERROR_BYTES);
      if (status == NativeStatus.INVALID_VECTOR) {
        throw Vectors.invalid(
            rows, badRow.get(JAVA_LONG, 0), badComponent.get(JAVA_INT, 0), dimension, firstRow);
      }
      NativeStatus.check(status, error);
    }
  }

  @Override
  public Linked link(
      long firstSlot, long count, int threads, MemorySegment yield, long sliceNanos) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment linked = scratch.allocate(JAVA_LONG);
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      int status =
          panvec_hnswlib_link(
              graph, firstSlot, count, threads, yield, sliceNanos, linked, error, ERROR_BYTES);
      return new Linked(
          linked.get(JAVA_LONG, 0),
          status == NativeStatus.OK ? null : NativeStatus.exception(status, error.getString(0)));
    }
  }

  @Override
  public int search(
      SlotView view,
      MemorySegment filter,
      MemorySegment query,
      int k,
      int efSearch,
      HitSegments hits) {
    MemorySegment count = hits.outputs();
    int status =
        panvec_hnswlib_search(
            graph,
            view.slotCount(),
            view.deadPages(),
            view.idPages(),
            filter,
            query,
            k,
            efSearch,
            hits.ids(),
            hits.distances(),
            count,
            hits.error(),
            ERROR_BYTES);
    NativeStatus.check(status, hits.error());
    return count.get(JAVA_INT, 0);
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
    MemorySegment state = hits.outputs();
    state.set(JAVA_INT, 0, count);
    int status =
        panvec_hnswlib_exact(
            graph,
            from,
            to,
            view.deadPages(),
            view.idPages(),
            filter,
            query,
            k,
            finish ? 1 : 0,
            hits.ids(),
            hits.distances(),
            state,
            hits.error(),
            ERROR_BYTES);
    NativeStatus.check(status, hits.error());
    return state.get(JAVA_INT, 0);
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
    MemorySegment state = hits.outputs();
    state.set(JAVA_INT, 0, count);
    int status =
        panvec_hnswlib_exact_slots(
            graph,
            slots,
            slotCount,
            view.idPages(),
            query,
            k,
            finish ? 1 : 0,
            hits.ids(),
            hits.distances(),
            state,
            hits.error(),
            ERROR_BYTES);
    NativeStatus.check(status, hits.error());
    return state.get(JAVA_INT, 0);
  }

  @Override
  public void row(long slot, MemorySegment row) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      NativeStatus.check(panvec_hnswlib_row(graph, slot, row, error, ERROR_BYTES), error);
    }
  }

  @Override
  public long memoryBytes() {
    return panvec_hnswlib_memory_bytes(graph);
  }

  @Override
  public Map<String, Object> details() {
    return Map.of("maxLevel", panvec_hnswlib_max_level(graph));
  }

  @Override
  public void close() {
    arena.close();
  }
}
