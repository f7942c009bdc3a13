package io.github.panvec.engine;

import io.github.panvec.Limits;
import io.github.panvec.SearchRequest;
import io.github.panvec.spi.HitSegments;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Map;
import java.util.function.LongUnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * An engine that knows rows by slot: a dense number that {@link ManagedIndex} gives out and never
 * uses twice. One small adapter per library; everything about ids, versions and locks is the
 * engine's.
 *
 * <p>Which calls may run together is said per method: "shared" beside other shared ones,
 * "exclusive" alone, "writer" beside shared ones but not beside another writer or exclusive one.
 * {@link ManagedIndex} sees to it.
 *
 * <p>Failures are thrown as {@link NativeStatus#exception} says.
 */
public interface SlotIndex extends AutoCloseable {

  /**
   * Gets ready for {@link #reserve} as far as that can be done beside searches. Writer. On failure
   * the index is as before.
   */
  void prepare(long capacity);

  /**
   * Makes room for {@code capacity} slots in all. Exclusive, so it is quick. On failure the index
   * is as before.
   */
  void reserve(long capacity);

  /**
   * Checks rows and writes them at slots that nobody can reach yet. Writer.
   *
   * @param rows {@code count * dimension} float32, native
   * @param firstRow number of the first row in the caller's batch, for messages
   * @throws io.github.panvec.InvalidVectorException naming row and component; the graph is as
   *     before
   */
  void stage(long firstSlot, MemorySegment rows, long count, long firstRow);

  /**
   * With so many live rows it is to be trained on them; {@link Long#MAX_VALUE} when it is trained
   * or learns nothing. Writer.
   */
  default long trainsAt() {
    return Long.MAX_VALUE;
  }

  /**
   * Trains on staged rows. Writer, and may take long; stops as {@code limits} say. On failure the
   * index is as before.
   *
   * @param liveSlots {@code count} int32, at least {@link #trainsAt} of them
   */
  default void trainOnSlots(MemorySegment liveSlots, long count, int threads, Limits limits) {}

  /**
   * Gets all staged slots below {@code end} ready to be linked. Writer, and may take long; stops as
   * {@code limits} say. On failure the rows can be staged again.
   */
  default void encode(long end, int threads, Limits limits) {}

  /**
   * Trains now, on rows that are not stored, unless it is trained or learns nothing. Writer, and
   * may take long; stops as {@code limits} say. On failure the index is as before.
   *
   * @param sample {@code count * dimension} float32, native
   * @param slots how many slots are linked
   * @return whether it trained
   * @throws IllegalArgumentException when there are too few rows
   */
  default boolean train(MemorySegment sample, long count, long slots, int threads, Limits limits) {
    return false;
  }

  /**
   * Takes over what {@code source}, an index of the same kind, has learnt, if it has: codes mean
   * the same in both then, whether float32 rows are kept or not. Writer, on an index without slots;
   * shared for {@code source}. Does nothing where nothing is learnt.
   */
  default void trainLike(SlotIndex source) {}

  /**
   * As {@link #stage}, with linked rows of another index of the same kind, bit for bit: rows, or
   * their codes where only those are left. Writer; shared for {@code source}.
   *
   * @param slots {@code count} int32, slots of {@code source}
   */
  void stageFrom(long firstSlot, SlotIndex source, MemorySegment slots, long count);

  /**
   * Whether the float32 rows have been dropped and codes alone remain. Changes from false to true,
   * once, in a {@link #link}. Shared.
   */
  default boolean rowsDropped() {
    return false;
  }

  /**
   * How many slots count as linked but are not in the structure yet: those that came before a
   * training. {@link #link}, also of 0 slots, works on them; searches find nothing until it is 0.
   * Writer.
   */
  default long backlog() {
    return 0;
  }

  /**
   * Whether {@link #link} may run beside shared calls, so that no search waits for it; else it is
   * exclusive.
   */
  default boolean linksBesideSearches() {
    return false;
  }

  /**
   * Links staged slots into the structure, those of the {@link #backlog} of a trained index first.
   * Exclusive, or a writer's: {@link #linksBesideSearches}. May return early, after {@code
   * sliceNanos}, once the int32 in {@code yield} is not zero.
   */
  Linked link(long firstSlot, long count, int threads, MemorySegment yield, long sliceNanos);

  /**
   * What {@link #link} did.
   *
   * @param slots how many slots are used up
   * @param failure why it stopped, or null
   */
  record Linked(long slots, @Nullable RuntimeException failure) {}

  /**
   * Refuses what this index cannot take of a request, before any search.
   *
   * @throws IllegalArgumentException saying what it can take
   */
  default void check(SearchRequest request) {}

  /**
   * What {@link #search} costs, in float32 rows that an exact scan could look at instead; from
   * measurement (docs/adr/0016-filter-paths.md). Never slow.
   *
   * @param candidates live slots that the filter leaves
   * @param slotCount all slots
   */
  double searchCost(long candidates, long slotCount, int k, SearchRequest request);

  /**
   * The nearest by the engine's own search. Shared. May come back with fewer than there are; the
   * engine then scans.
   *
   * @param filter bitmap by slot of at least {@code view.slotCount()} bits, or {@link
   *     MemorySegment#NULL}
   * @param query float32, native, as the user gave it
   * @param k at least 1
   * @param request for {@code efSearch} and its kin, and for its limits: the search stops as they
   *     say
   * @param hits where the hits go
   * @return how many hits
   */
  int search(
      SlotView view,
      MemorySegment filter,
      MemorySegment query,
      int k,
      SearchRequest request,
      HitSegments hits);

  /**
   * One slice of an exact scan over slots {@code from .. to}; see the header of the library.
   * Shared.
   *
   * @param hits carries the state from slice to slice
   * @param count hits after the slice before, 0 before the first
   * @param finish whether this is the last slice, which sorts
   * @return how many hits so far
   */
  int exact(
      SlotView view,
      long from,
      long to,
      MemorySegment filter,
      MemorySegment query,
      int k,
      int count,
      boolean finish,
      HitSegments hits);

  /**
   * As {@link #exact} over {@code slotCount} slots of a list of int32, all of them live. Shared.
   */
  int exactSlots(
      SlotView view,
      MemorySegment slots,
      long slotCount,
      MemorySegment query,
      int k,
      int count,
      boolean finish,
      HitSegments hits);

  /** Copies the stored row into {@code row}. Shared. */
  void row(long slot, MemorySegment row);

  /** What is saved of a slot index. */
  enum SavedFile {
    /** The structure, in the engine's own format, its labels the slots. */
    GRAPH("graph"),
    /** float32 rows by slot, where the graph has none. */
    ROWS("vectors");

    private final String fileName;

    SavedFile(String fileName) {
      this.fileName = fileName;
    }

    /** Its name in a snapshot. */
    String fileName() {
      return fileName;
    }
  }

  /** Writes one file piece by piece. For one thread; rows may be added meanwhile. */
  interface Saver extends AutoCloseable {
    /**
     * The next bytes, into {@code room}, native and of 1 MiB at least; how many, 0 at the end.
     * Shared.
     */
    long next(MemorySegment room);

    @Override
    void close();
  }

  /** The files that are to be saved. Shared, and with it {@link #saver} of each of them. */
  default List<SavedFile> savedFiles() {
    return List.of(SavedFile.GRAPH);
  }

  /**
   * Begins to write a file, of the first {@code slotCount} slots, all of them linked, as they are
   * now. Shared.
   */
  Saver saver(SavedFile file, long slotCount);

  /**
   * Makes the engine's own file of what {@link #saver} writes as {@link SavedFile#GRAPH}. Shared.
   *
   * @param ids the id of each slot, none of which is dead
   * @throws UnsupportedOperationException when there is no such file
   */
  default GraphExport exporter(long slotCount, LongUnaryOperator ids) {
    throw new UnsupportedOperationException("the engine has no files of its own");
  }

  /** At least the norm of every row: what {@link #open} needs besides the files. Shared. */
  double maxRowNorm();

  /**
   * Takes over what was saved, into an index of the same kind without slots. Exclusive. After a
   * failure nothing but {@link #close} is left.
   *
   * @param graph native, at an address that 8 divides
   * @param rows the same, or {@link MemorySegment#NULL}
   * @param asView whether it reads from these segments for as long as it lives, and is never
   *     written to, instead of copying them
   * @throws io.github.panvec.CorruptIndexException saying what is wrong with the file
   */
  void open(
      MemorySegment graph, MemorySegment rows, long slotCount, double maxRowNorm, boolean asView);

  /** Native memory held, in bytes. Shared. */
  long memoryBytes();

  /** Further numbers for {@link io.github.panvec.IndexStats#details()}. Shared. */
  Map<String, Object> details();

  /** Frees everything. Exclusive, once. */
  @Override
  void close();
}
