package io.github.panvec.engine;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.github.panvec.SearchRequest;
import io.github.panvec.spi.HitSegments;
import io.github.panvec.spi.Vectors;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;

/**
 * One index of a native library with slots: arenas, arguments and status codes. The libraries have
 * the same functions under other names ({@code panvec_hnswlib_stage}, {@code panvec_faiss_stage});
 * a subclass forwards each abstract method to the one of its library and adds what is its own.
 *
 * <p>Abstract methods return the native status and leave the error text in {@code error}, {@link
 * #ERROR_BYTES} long.
 */
public abstract class NativeSlotIndex implements SlotIndex {
  protected static final int ERROR_BYTES = HitSegments.ERROR_BYTES;

  /** Makes the native index and stores its address. */
  protected interface Create {
    int apply(MemorySegment handle, MemorySegment error, int errorCapacity);
  }

  private final Arena arena = Arena.ofShared();
  private final int dimension;

  /**
   * Freed with the arena; passed to every call, so that the JVM would rather refuse a close than
   * free it under a call.
   */
  private final MemorySegment handle;

  /**
   * @param free takes the address of the native index
   */
  protected NativeSlotIndex(int dimension, Create create, Consumer<MemorySegment> free) {
    this.dimension = dimension;
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment address = scratch.allocate(ValueLayout.ADDRESS);
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      NativeStatus.check(create.apply(address, error, ERROR_BYTES), error);
      handle =
          address
              .get(ValueLayout.ADDRESS, 0)
              .reinterpret(
                  arena, segment -> free.accept(MemorySegment.ofAddress(segment.address())));
    } catch (RuntimeException | Error failure) {
      arena.close();
      throw failure;
    }
  }

  /** Components of a row. */
  protected final int dimension() {
    return dimension;
  }

  /** The native index. */
  protected final MemorySegment handle() {
    return handle;
  }

  protected abstract int prepare(long capacity, MemorySegment error);

  protected abstract int reserve(long capacity, MemorySegment error);

  /**
   * @param badRow int64
   * @param badComponent int32
   */
  protected abstract int stage(
      long firstSlot,
      MemorySegment rows,
      long count,
      MemorySegment badRow,
      MemorySegment badComponent,
      MemorySegment error);

  protected abstract int stageFrom(
      long firstSlot, MemorySegment source, MemorySegment slots, long count, MemorySegment error);

  /**
   * @param linked int64
   */
  protected abstract int link(
      long firstSlot,
      long count,
      int threads,
      MemorySegment yield,
      long sliceNanos,
      MemorySegment linked,
      MemorySegment error);

  /**
   * With the limits of {@code request}.
   *
   * @param count int32
   */
  protected abstract int search(
      SlotView view,
      MemorySegment filter,
      MemorySegment query,
      int k,
      SearchRequest request,
      HitSegments hits,
      MemorySegment count);

  /**
   * @param count int32, in and out
   */
  protected abstract int exact(
      SlotView view,
      long from,
      long to,
      MemorySegment filter,
      MemorySegment query,
      int k,
      int finish,
      HitSegments hits,
      MemorySegment count);

  /**
   * @param count int32, in and out
   */
  protected abstract int exactSlots(
      SlotView view,
      MemorySegment slots,
      long slotCount,
      MemorySegment query,
      int k,
      int finish,
      HitSegments hits,
      MemorySegment count);

  protected abstract int row(long slot, MemorySegment row, MemorySegment error);

  /**
   * @param saver pointer, out
   */
  protected abstract int saveBegin(
      int file, long slotCount, MemorySegment saver, MemorySegment error);

  /**
   * @param written int64
   */
  protected abstract int saveNext(
      MemorySegment saver, MemorySegment room, MemorySegment written, MemorySegment error);

  protected abstract void saveEnd(MemorySegment saver);

  protected abstract int open(
      MemorySegment graph,
      MemorySegment rows,
      long slotCount,
      double maxRowNorm,
      int asView,
      MemorySegment error);

  @Override
  public final void prepare(long capacity) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      NativeStatus.check(prepare(capacity, error), error);
    }
  }

  @Override
  public final void reserve(long capacity) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      NativeStatus.check(reserve(capacity, error), error);
    }
  }

  @Override
  public final void stage(long firstSlot, MemorySegment rows, long count, long firstRow) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment badRow = scratch.allocate(JAVA_LONG);
      MemorySegment badComponent = scratch.allocate(JAVA_INT);
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      int status = stage(firstSlot, rows, count, badRow, badComponent, error);
      checkRows(status, rows, badRow, badComponent, firstRow, error);
    }
  }

  @Override
  public final void stageFrom(long firstSlot, SlotIndex source, MemorySegment slots, long count) {
    MemorySegment from = handleOf(source);
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      NativeStatus.check(stageFrom(firstSlot, from, slots, count, error), error);
    }
  }

  /** The native index of {@code other}, which must be one of this library too. */
  protected final MemorySegment handleOf(SlotIndex other) {
    if (getClass() != other.getClass()) {
      throw new IllegalArgumentException(
          "an index of " + getClass().getName() + " cannot take rows of " + other.getClass());
    }
    return ((NativeSlotIndex) other).handle;
  }

  /** Returns when the status of a call that took rows is OK. */
  protected final void checkRows(
      int status,
      MemorySegment rows,
      MemorySegment badRow,
      MemorySegment badComponent,
      long firstRow,
      MemorySegment error) {
    if (status == NativeStatus.INVALID_VECTOR) {
      throw Vectors.invalid(
          rows, badRow.get(JAVA_LONG, 0), badComponent.get(JAVA_INT, 0), dimension, firstRow);
    }
    NativeStatus.check(status, error);
  }

  @Override
  public final Linked link(
      long firstSlot, long count, int threads, MemorySegment yield, long sliceNanos) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment linked = scratch.allocate(JAVA_LONG);
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      int status = link(firstSlot, count, threads, yield, sliceNanos, linked, error);
      return new Linked(
          linked.get(JAVA_LONG, 0),
          status == NativeStatus.OK ? null : NativeStatus.exception(status, error.getString(0)));
    }
  }

  @Override
  public final int search(
      SlotView view,
      MemorySegment filter,
      MemorySegment query,
      int k,
      SearchRequest request,
      HitSegments hits) {
    MemorySegment count = hits.outputs();
    int status = search(view, filter, query, k, request, hits, count);
    NativeStatus.check(status, hits.error(), request.limits(), "the search");
    return count.get(JAVA_INT, 0);
  }

  @Override
  public final int exact(
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
    NativeStatus.check(
        exact(view, from, to, filter, query, k, finish ? 1 : 0, hits, state), hits.error());
    return state.get(JAVA_INT, 0);
  }

  @Override
  public final int exactSlots(
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
    NativeStatus.check(
        exactSlots(view, slots, slotCount, query, k, finish ? 1 : 0, hits, state), hits.error());
    return state.get(JAVA_INT, 0);
  }

  @Override
  public final void row(long slot, MemorySegment row) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      NativeStatus.check(row(slot, row, error), error);
    }
  }

  @Override
  public final Saver saver(SavedFile file, long slotCount) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment address = scratch.allocate(ValueLayout.ADDRESS);
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      NativeStatus.check(saveBegin(file.ordinal(), slotCount, address, error), error);
      return new NativeSaver(address.get(ValueLayout.ADDRESS, 0));
    }
  }

  private final class NativeSaver implements Saver {
    private final MemorySegment saver;

    NativeSaver(MemorySegment saver) {
      this.saver = saver;
    }

    @Override
    public long next(MemorySegment room) {
      try (Arena scratch = Arena.ofConfined()) {
        MemorySegment written = scratch.allocate(JAVA_LONG);
        MemorySegment error = scratch.allocate(ERROR_BYTES);
        NativeStatus.check(saveNext(saver, room, written, error), error);
        return written.get(JAVA_LONG, 0);
      }
    }

    @Override
    public void close() {
      saveEnd(saver);
    }
  }

  @Override
  public final void open(
      MemorySegment graph, MemorySegment rows, long slotCount, double maxRowNorm, boolean asView) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment error = scratch.allocate(ERROR_BYTES);
      NativeStatus.check(open(graph, rows, slotCount, maxRowNorm, asView ? 1 : 0, error), error);
    }
  }

  @Override
  public final void close() {
    arena.close();
  }
}
