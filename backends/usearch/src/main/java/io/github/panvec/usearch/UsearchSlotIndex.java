package io.github.panvec.usearch;

import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_code_bytes;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_code_kernel;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_create;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_exact;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_exact_slots;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_expect_threads;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_link;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_max_level;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_max_row_norm;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_memory_bytes;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_open;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_prepare;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_reserve;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_row;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_save_begin;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_save_end;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_save_next;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_search;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_stage;
import static io.github.panvec.bindings.usearch.PanvecUsearch.panvec_usearch_stage_from;

import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.bindings.usearch.PanvecUsearch;
import io.github.panvec.engine.GraphExport;
import io.github.panvec.engine.NativeSlotIndex;
import io.github.panvec.engine.SearchCost;
import io.github.panvec.engine.SlotView;
import io.github.panvec.spi.HitSegments;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.function.LongUnaryOperator;

/** One index of libpanvec_usearch: one method per function of its header. */
final class UsearchSlotIndex extends NativeSlotIndex {
  /** By quantization. */
  private static final int[] BYTES_OF_COMPONENTS = {4, 2, 2, 1};

  private final int metric;
  private final int quantization;
  private final int efSearch;
  private final int refineFactor;
  private final int m;
  private final List<SavedFile> savedFiles;

  /**
   * @param efSearch for requests that have none
   * @param refineFactor for requests that have none
   * @param threads the most that {@link #link} will be given
   */
  UsearchSlotIndex(
      Metric metric,
      int dimension,
      int quantization,
      int m,
      int efConstruction,
      int efSearch,
      int refineFactor,
      boolean keepVectors,
      int threads) {
    super(
        dimension,
        (handle, error, capacity) ->
            panvec_usearch_create(
                metric.ordinal(),
                dimension,
                quantization,
                m,
                efConstruction,
                keepVectors ? 1 : 0,
                handle,
                error,
                capacity),
        PanvecUsearch::panvec_usearch_free);
    this.metric = metric.ordinal();
    this.quantization = quantization;
    this.efSearch = efSearch;
    this.refineFactor = refineFactor;
    this.m = m;
    panvec_usearch_expect_threads(handle(), threads);
    // What the graph file holds is what the graph ranks: the codes, where there are any.
    boolean hasRowsBeside = keepVectors && quantization != 0;
    this.savedFiles =
        hasRowsBeside ? List.of(SavedFile.GRAPH, SavedFile.ROWS) : List.of(SavedFile.GRAPH);
  }

  @Override
  protected int prepare(long capacity, MemorySegment error) {
    return panvec_usearch_prepare(handle(), capacity, error, ERROR_BYTES);
  }

  @Override
  protected int reserve(long capacity, MemorySegment error) {
    return panvec_usearch_reserve(handle(), capacity, error, ERROR_BYTES);
  }

  @Override
  protected int stage(
      long firstSlot,
      MemorySegment rows,
      long count,
      MemorySegment badRow,
      MemorySegment badComponent,
      MemorySegment error) {
    return panvec_usearch_stage(
        handle(), firstSlot, rows, count, badRow, badComponent, error, ERROR_BYTES);
  }

  @Override
  protected int stageFrom(
      long firstSlot, MemorySegment source, MemorySegment slots, long count, MemorySegment error) {
    return panvec_usearch_stage_from(handle(), firstSlot, source, slots, count, error, ERROR_BYTES);
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
    return panvec_usearch_link(
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
    return panvec_usearch_search(
        handle(),
        view.slotCount(),
        view.deadPages(),
        view.idPages(),
        filter,
        query,
        k,
        request.efSearchOr(efSearch),
        request.refineFactorOr(refineFactor),
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
    return panvec_usearch_exact(
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
    return panvec_usearch_exact_slots(
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
    return panvec_usearch_row(handle(), slot, row, error, ERROR_BYTES);
  }

  @Override
  public List<SavedFile> savedFiles() {
    return savedFiles;
  }

  @Override
  protected int saveBegin(int file, long slotCount, MemorySegment saver, MemorySegment error) {
    return panvec_usearch_save_begin(handle(), file, slotCount, saver, error, ERROR_BYTES);
  }

  @Override
  protected int saveNext(
      MemorySegment saver, MemorySegment room, MemorySegment written, MemorySegment error) {
    return panvec_usearch_save_next(saver, room, room.byteSize(), written, error, ERROR_BYTES);
  }

  @Override
  protected void saveEnd(MemorySegment saver) {
    panvec_usearch_save_end(saver);
  }

  @Override
  protected int open(
      MemorySegment graph,
      MemorySegment rows,
      long slotCount,
      double maxRowNorm,
      int asView,
      MemorySegment error) {
    return panvec_usearch_open(
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
    long codeBytes = (long) dimension() * BYTES_OF_COMPONENTS[quantization];
    return new UsearchExport(codeBytes, m, slotCount, ids);
  }

  @Override
  public double maxRowNorm() {
    return panvec_usearch_max_row_norm(handle());
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
    return panvec_usearch_memory_bytes(handle());
  }

  @Override
  public Map<String, Object> details() {
    return Map.of(
        "maxLevel",
        panvec_usearch_max_level(handle()),
        "codeBytes",
        panvec_usearch_code_bytes(handle()),
        "codeKernel",
        panvec_usearch_code_kernel(metric, quantization).getString(0));
  }
}
