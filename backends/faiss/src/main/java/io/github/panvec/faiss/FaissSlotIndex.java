package io.github.panvec.faiss;

import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_backlog;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_code_bytes;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_compiled_simd_level;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_create;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_encode;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_exact;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_exact_slots;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_is_trained;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_keeps_rows;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_link;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_max_level;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_max_row_norm;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_memory_bytes;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_nlist;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_open;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_prepare;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_reserve;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_row;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_save_begin;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_save_end;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_save_next;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_search;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_stage;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_stage_from;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_train;
import static io.github.panvec.bindings.faiss.PanvecFaiss.panvec_faiss_train_like;

import io.github.panvec.Limits;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.bindings.faiss.PanvecFaiss;
import io.github.panvec.engine.GraphExport;
import io.github.panvec.engine.NativeSlotIndex;
import io.github.panvec.engine.NativeStatus;
import io.github.panvec.engine.SearchCost;
import io.github.panvec.engine.SlotIndex;
import io.github.panvec.engine.SlotView;
import io.github.panvec.spi.HitSegments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongUnaryOperator;

/** One index of libpanvec_faiss: one method per function of its header. */
final class FaissSlotIndex extends NativeSlotIndex {
  private final Metric metric;
  private final FaissParameters parameters;

  FaissSlotIndex(Metric metric, int dimension, FaissParameters parameters) {
    super(
        dimension,
        (handle, error, capacity) ->
            panvec_faiss_create(
                metric.ordinal(),
                dimension,
                parameters.type().ordinal(),
                parameters.m(),
                parameters.efConstruction(),
                parameters.pqM(),
                parameters.pqBits(),
                parameters.keepVectors() ? 1 : 0,
                parameters.seed(),
                handle,
                error,
                capacity),
        PanvecFaiss::panvec_faiss_free);
    this.metric = metric;
    this.parameters = parameters;
  }

  private boolean isTrained() {
    return panvec_faiss_is_trained(handle()) != 0;
  }

  @Override
  public void check(SearchRequest request) {
    parameters.checkNprobe(request.nprobeOr(1));
  }

  @Override
  public long trainsAt() {
    return parameters.type().trains() && !isTrained() ? parameters.trainingRows() : Long.MAX_VALUE;
  }

  @Override
  public void trainOnSlots(MemorySegment liveSlots, long count, int threads, Limits limits) {
    train(MemorySegment.NULL, liveSlots, count, parameters.nlist(count, count), threads, limits);
  }

  @Override
  public void encode(long end, int threads, Limits limits) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      int status =
          panvec_faiss_encode(
              handle(), end, threads, limits.flag(), limits.nanosLeft(), error, ERROR_BYTES);
      NativeStatus.check(status, error, limits, "the build");
    }
  }

  @Override
  public boolean train(MemorySegment sample, long count, long slots, int threads, Limits limits) {
    if (!parameters.type().trains() || isTrained()) {
      return false;
    }
    int nlist = parameters.nlist(Math.max(slots, count), count);
    long least = parameters.leastTrainingRows(nlist);
    if (count < least) {
      throw new IllegalArgumentException(
          parameters.type()
              + " needs at least "
              + least
              + " vectors to train on ("
              + parameters.trainingNeeds(nlist)
              + "), not "
              + count);
    }
    train(sample, MemorySegment.NULL, count, nlist, threads, limits);
    return true;
  }

  @Override
  public void trainLike(SlotIndex source) {
    if (!parameters.type().trains() || !((FaissSlotIndex) source).isTrained()) {
      return;
    }
    MemorySegment like = handleOf(source);
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      NativeStatus.check(panvec_faiss_train_like(handle(), like, error, ERROR_BYTES), error);
    }
  }

  private void train(
      MemorySegment sample,
      MemorySegment slots,
      long count,
      int nlist,
      int threads,
      Limits limits) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment badRow = scratch.allocate(ValueLayout.JAVA_LONG);
      MemorySegment badComponent = scratch.allocate(ValueLayout.JAVA_INT);
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      int status =
          panvec_faiss_train(
              handle(),
              nlist,
              sample,
              slots,
              count,
              threads,
              limits.flag(),
              limits.nanosLeft(),
              badRow,
              badComponent,
              error,
              ERROR_BYTES);
      if (status == NativeStatus.STOPPED) {
        NativeStatus.check(status, error, limits, "training");
      }
      checkRows(status, sample, badRow, badComponent, 0, error);
    }
  }

  @Override
  public boolean rowsDropped() {
    return !parameters.keepVectors() && panvec_faiss_keeps_rows(handle()) == 0;
  }

  @Override
  public long backlog() {
    return isTrained() ? panvec_faiss_backlog(handle()) : 0;
  }

  @Override
  protected int prepare(long capacity, MemorySegment error) {
    return panvec_faiss_prepare(handle(), capacity, error, ERROR_BYTES);
  }

  @Override
  protected int reserve(long capacity, MemorySegment error) {
    return panvec_faiss_reserve(handle(), capacity, error, ERROR_BYTES);
  }

  @Override
  protected int stage(
      long firstSlot,
      MemorySegment rows,
      long count,
      MemorySegment badRow,
      MemorySegment badComponent,
      MemorySegment error) {
    return panvec_faiss_stage(
        handle(), firstSlot, rows, count, badRow, badComponent, error, ERROR_BYTES);
  }

  @Override
  protected int stageFrom(
      long firstSlot, MemorySegment source, MemorySegment slots, long count, MemorySegment error) {
    return panvec_faiss_stage_from(handle(), firstSlot, source, slots, count, error, ERROR_BYTES);
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
    return panvec_faiss_link(
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
    return panvec_faiss_search(
        handle(),
        view.slotCount(),
        view.deadPages(),
        view.idPages(),
        filter,
        query,
        k,
        request.efSearchOr(parameters.efSearch()),
        request.nprobeOr(parameters.nprobe(panvec_faiss_nlist(handle()))),
        request.refineFactorOr(parameters.refineFactor()),
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
    return panvec_faiss_exact(
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
    return panvec_faiss_exact_slots(
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
    return panvec_faiss_row(handle(), slot, row, error, ERROR_BYTES);
  }

  @Override
  public List<SavedFile> savedFiles() {
    FaissType type = parameters.type();
    boolean inGraph = !type.trains() || !type.isLossy() && isTrained() && backlog() == 0;
    boolean rowsApart = !inGraph && panvec_faiss_keeps_rows(handle()) != 0;
    return rowsApart ? List.of(SavedFile.GRAPH, SavedFile.ROWS) : List.of(SavedFile.GRAPH);
  }

  @Override
  protected int saveBegin(int file, long slotCount, MemorySegment saver, MemorySegment error) {
    return panvec_faiss_save_begin(handle(), file, slotCount, saver, error, ERROR_BYTES);
  }

  @Override
  protected int saveNext(
      MemorySegment saver, MemorySegment room, MemorySegment written, MemorySegment error) {
    return panvec_faiss_save_next(saver, room, room.byteSize(), written, error, ERROR_BYTES);
  }

  @Override
  protected void saveEnd(MemorySegment saver) {
    panvec_faiss_save_end(saver);
  }

  @Override
  protected int open(
      MemorySegment graph,
      MemorySegment rows,
      long slotCount,
      double maxRowNorm,
      int asView,
      MemorySegment error) {
    return panvec_faiss_open(
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
    return new FaissExport(metric, dimension(), slotCount, ids);
  }

  @Override
  public double maxRowNorm() {
    return panvec_faiss_max_row_norm(handle());
  }

  @Override
  public boolean linksBesideSearches() {
    return parameters.type() == FaissType.HNSW;
  }

  @Override
  public double searchCost(long candidates, long slotCount, int k, SearchRequest request) {
    FaissType type = parameters.type();
    boolean filtered = request.idFilter() != null;
    int kept = Math.max(request.efSearchOr(parameters.efSearch()), k);
    if (type.isGraph()) {
      return SearchCost.ofGraph(dimension(), kept, filtered, candidates, slotCount);
    }
    int lists = Math.max(1, panvec_faiss_nlist(handle()));
    int probed = type.hasLists() ? request.nprobeOr(parameters.nprobe(lists)) : 1;
    long ranked = (long) k * request.refineFactorOr(parameters.refineFactor());
    return SearchCost.ofLists(
        filtered ? type.codes() : null, lists, probed, candidates, slotCount, ranked);
  }

  @Override
  public long memoryBytes() {
    return panvec_faiss_memory_bytes(handle());
  }

  @Override
  public Map<String, Object> details() {
    Map<String, Object> details = new TreeMap<>();
    FaissType type = parameters.type();
    details.put("faissSimdLevel", panvec_faiss_compiled_simd_level().getString(0));
    if (type.isGraph()) {
      details.put("maxLevel", panvec_faiss_max_level(handle()));
    }
    if (type.trains()) {
      details.put("trained", isTrained());
    }
    if (type.hasLists()) {
      details.put("nlist", panvec_faiss_nlist(handle()));
    }
    if (type.isPq()) {
      details.put("pqM", parameters.pqM());
    }
    if (type.isLossy()) {
      details.put("codeBytes", panvec_faiss_code_bytes(handle()));
    }
    return details;
  }
}
