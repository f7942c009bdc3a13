package io.github.panvec.hnswlib;

import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_create;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_exact;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_exact_slots;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_link;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_max_level;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_max_row_norm;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_memory_bytes;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_open;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_prepare;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_reserve;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_row;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_save_begin;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_save_end;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_save_next;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_search;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_stage;
import static io.github.panvec.bindings.hnswlib.PanvecHnswlib.panvec_hnswlib_stage_from;

import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.bindings.hnswlib.PanvecHnswlib;
import io.github.panvec.engine.GraphExport;
import io.github.panvec.engine.NativeSlotIndex;
import io.github.panvec.engine.SearchCost;
import io.github.panvec.engine.SlotView;
import io.github.panvec.spi.HitSegments;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.function.LongUnaryOperator;

/** One graph of libpanvec_hnswlib: one method per function of its header. */
final class HnswlibSlotIndex extends NativeSlotIndex {
  private final int m;
  private final int efSearch;

  /**
   * @param efSearch for requests that have none
   */
  HnswlibSlotIndex(
      Metric metric, int dimension, int m, int efConstruction, int efSearch, long seed) {
    super(
        dimension,
        (handle, error, capacity) ->
            panvec_hnswlib_create(
                metric.ordinal(), dimension, m, efConstruction, seed, handle, error, capacity),
        PanvecHnswlib::panvec_hnswlib_free);
    this.m = m;
    this.efSearch = efSearch;
  }

  @Override
  protected int prepare(long capacity, MemorySegment error) {
    return panvec_hnswlib_prepare(handle(), capacity, error, ERROR_BYTES);
  }

  @Override
  protected int reserve(long capacity, MemorySegment error) {
    return panvec_hnswlib_reserve(handle(), capacity, error, ERROR_BYTES);
  }

  @Override
  protected int stage(
      long firstSlot,
      MemorySegment rows,
      long count,
      MemorySegment badRow,
      MemorySegment badComponent,
      MemorySegment error) {
    return panvec_hnswlib_stage(
        handle(), firstSlot, rows, count, badRow, badComponent, error, ERROR_BYTES);
  }

  @Override
  protected int stageFrom(
      long firstSlot, MemorySegment source, MemorySegment slots, long count, MemorySegment error) {
    return panvec_hnswlib_stage_from(handle(), firstSlot, source, slots, count, error, ERROR_BYTES);
  }

  @Override
  protected int link(
      long firstSlot,
      long count,
      int threads,
      MemorySegment yield,
      long sliceNanos,
      MemorySegment linked,
      MemorySegment error) {
    return panvec_hnswlib_link(
        handle(), firstSlot, count, threads, yield, sliceNanos, linked, error, ERROR_BYTES);
  }

  @Override
  protected int search(
      SlotView view,
      MemorySegment filter,
      MemorySegment query,
      int k,
      SearchRequest request,
      HitSegments hits,
      MemorySegment count) {
    return panvec_hnswlib_search(
        handle(),
        view.slotCount(),
        view.deadPages(),
        view.idPages(),
        filter,
        query,
        k,
        request.efSearchOr(efSearch),
        request.limits().flag(),
        request.limits().nanosLeft(),
        hits.ids(),
        hits.distances(),
        count,
        hits.error(),
        ERROR_BYTES);
  }

  @Override
  protected int exact(
      SlotView view,
      long from,
      long to,
      MemorySegment filter,
      MemorySegment query,
      int k,
      int finish,
      HitSegments hits,
      MemorySegment count) {
    return panvec_hnswlib_exact(
        handle(),
        from,
        to,
        view.deadPages(),
        view.idPages(),
        filter,
        query,
        k,
        finish,
        hits.ids(),
        hits.distances(),
        count,
        hits.error(),
        ERROR_BYTES);
  }

  @Override
  protected int exactSlots(
      SlotView view,
      MemorySegment slots,
      long slotCount,
      MemorySegment query,
      int k,
      int finish,
      HitSegments hits,
      MemorySegment count) {
    return panvec_hnswlib_exact_slots(
        handle(),
        slots,
        slotCount,
        view.idPages(),
        query,
        k,
        finish,
        hits.ids(),
        hits.distances(),
        count,
        hits.error(),
        ERROR_BYTES);
  }

  @Override
  protected int row(long slot, MemorySegment row, MemorySegment error) {
    return panvec_hnswlib_row(handle(), slot, row, error, ERROR_BYTES);
  }

  @Override
  protected int saveBegin(int file, long slotCount, MemorySegment saver, MemorySegment error) {
    return panvec_hnswlib_save_begin(handle(), file, slotCount, saver, error, ERROR_BYTES);
  }

  @Override
  protected int saveNext(
      MemorySegment saver, MemorySegment room, MemorySegment written, MemorySegment error) {
    return panvec_hnswlib_save_next(saver, room, room.byteSize(), written, error, ERROR_BYTES);
  }

  @Override
  protected void saveEnd(MemorySegment saver) {
    panvec_hnswlib_save_end(saver);
  }

  @Override
  protected int open(
      MemorySegment graph,
      MemorySegment rows,
      long slotCount,
      double maxRowNorm,
      int asView,
      MemorySegment error) {
    return panvec_hnswlib_open(
        handle(),
        graph,
        graph.byteSize(),
        rows,
        rows.byteSize(),
        slotCount,
        maxRowNorm,
        asView,
        error,
        ERROR_BYTES);
  }

  @Override
  public GraphExport exporter(long slotCount, LongUnaryOperator ids) {
    return new HnswlibExport(dimension(), m, slotCount, ids);
  }

  @Override
  public double maxRowNorm() {
    return panvec_hnswlib_max_row_norm(handle());
  }

  @Override
  public boolean linksBesideSearches() {
    return true;
  }

  @Override
  public double searchCost(long candidates, long slotCount, int k, SearchRequest request) {
    boolean filtered = request.idFilter() != null;
    int kept = Math.max(request.efSearchOr(efSearch), k);
    return SearchCost.ofGraph(dimension(), kept, filtered, candidates, slotCount);
  }

  @Override
  public long memoryBytes() {
    return panvec_hnswlib_memory_bytes(handle());
  }

  @Override
  public Map<String, Object> details() {
    return Map.of("maxLevel", panvec_hnswlib_max_level(handle()));
  }
}
