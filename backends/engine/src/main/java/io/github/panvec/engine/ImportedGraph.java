package io.github.panvec.engine;

import io.github.panvec.IndexSpec;
import io.github.panvec.snapshot.SnapshotContent;
import io.github.panvec.snapshot.SnapshotContents;
import io.github.panvec.spi.ForeignFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a foreign file holds, as the files of a saved {@link ManagedIndex}.
 *
 * @param spec with every parameter
 * @param backendVersion upstream version of the backend
 * @param ids by slot
 * @param dead slots that are not live
 * @param maxRowNorm at least the norm of every row, see {@link ImportedRows}
 * @param graph writes the graph file, its labels the slots
 * @param rows writes float32 rows by slot, or null where the graph has them
 */
public record ImportedGraph(
    IndexSpec spec,
    String backendVersion,
    long[] ids,
    BitSet dead,
    double maxRowNorm,
    SnapshotContent.Writer graph,
    SnapshotContent.@Nullable Writer rows) {

  /**
   * How many rows an index may have.
   *
   * @throws io.github.panvec.VectorIndexException when there are too many
   */
  public static int checkCount(ForeignFile file, long count) {
    if (count < 0 || count > Generation.MAX_SLOTS) {
      throw file.corrupt("it says it has " + Long.toUnsignedString(count) + " vectors");
    }
    return (int) count;
  }

  /**
   * A label as an id.
   *
   * @param label unsigned
   */
  public static long checkLabel(ForeignFile file, long label) {
    if (label < 0) {
      throw file.foreign(
          "its label " + Long.toUnsignedString(label) + " is larger than an id can be");
    }
    return label;
  }

  /**
   * As what is to be saved.
   *
   * @throws io.github.panvec.ForeignFileException when two live rows have one id
   */
  public SnapshotContents contents(ForeignFile file) {
    int[] order = order(file);
    List<SnapshotContent> files = new ArrayList<>();
    files.add(SnapshotContent.of(SlotIndex.SavedFile.GRAPH.fileName(), graph));
    if (rows != null) {
      files.add(SnapshotContent.of(SlotIndex.SavedFile.ROWS.fileName(), rows));
    }
    files.add(SnapshotContent.of(SnapshotFiles.IDS, sink -> sink.write(littleEndian(ids))));
    files.add(SnapshotContent.of(SnapshotFiles.ORDER, sink -> sink.write(littleEndian(order))));
    files.add(SnapshotContent.of(SnapshotFiles.LIVE, sink -> sink.write(littleEndian(live()))));
    return SnapshotFiles.contents(
        spec, backendVersion, order.length, ids.length - order.length, maxRowNorm, files);
  }

  /** Live slots in the order of their ids. */
  private int[] order(ForeignFile file) {
    long[] sorted = new long[ids.length - dead.cardinality()];
    int count = 0;
    for (int slot = 0; slot < ids.length; slot++) {
      if (!dead.get(slot)) {
        sorted[count++] = ids[slot];
      }
    }
    Arrays.sort(sorted);
    for (int i = 1; i < count; i++) {
      if (sorted[i] == sorted[i - 1]) {
        throw file.foreign("it has several vectors of id " + sorted[i]);
      }
    }
    int[] order = new int[count];
    for (int slot = 0; slot < ids.length; slot++) {
      if (!dead.get(slot)) {
        order[Arrays.binarySearch(sorted, ids[slot])] = slot;
      }
    }
    return order;
  }

  private long[] live() {
    long[] words = new long[(int) SnapshotFiles.words(ids.length)];
    for (int slot = 0; slot < ids.length; slot++) {
      if (!dead.get(slot)) {
        words[slot >>> 6] |= 1L << slot;
      }
    }
    return words;
  }

  private static MemorySegment littleEndian(long[] numbers) {
    MemorySegment bytes =
        Arena.ofAuto().allocate(Math.max(1L, numbers.length) * Long.BYTES, Long.BYTES);
    MemorySegment.copy(numbers, 0, bytes, SnapshotFiles.LONG, 0, numbers.length);
    return bytes.asSlice(0, (long) numbers.length * Long.BYTES);
  }

  private static MemorySegment littleEndian(int[] numbers) {
    MemorySegment bytes =
        Arena.ofAuto().allocate(Math.max(1L, numbers.length) * Integer.BYTES, Long.BYTES);
    MemorySegment.copy(numbers, 0, bytes, SnapshotFiles.INT, 0, numbers.length);
    return bytes.asSlice(0, (long) numbers.length * Integer.BYTES);
  }
}
