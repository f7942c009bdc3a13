package io.github.panvec.engine;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.IndexSpec;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.snapshot.SnapshotContent;
import io.github.panvec.snapshot.SnapshotContents;
import io.github.panvec.snapshot.SnapshotReader;
import io.github.panvec.snapshot.SnapshotSink;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The files of a saved index, little-endian. Slots are numbered without gaps; dead ones are among
 * them.
 *
 * <ul>
 *   <li>{@code graph}: the structure, in the engine's own format
 *   <li>{@code vectors}: float32 rows by slot, where the graph has none and they are kept
 *   <li>{@code ids}: int64 by slot
 *   <li>{@code order}: int32 live slots, in the order of their ids
 *   <li>{@code live}: a bit for each slot, in words of 64; bits beyond the last slot are 0
 * </ul>
 */
final class SnapshotFiles {
  static final String IDS = "ids";
  static final String ORDER = "order";
  static final String LIVE = "live";
  static final ValueLayout.OfInt INT =
      ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  static final ValueLayout.OfLong LONG =
      ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

  /** Depend on the machine, not on the index. */
  private static final List<String> NOT_SAVED = List.of("threads");

  private static final String MAX_ROW_NORM = "maxRowNorm";

  /** How much is asked of a saver at a time: it holds the graph lock for that long. */
  private static final long PIECE_BYTES = 4L << 20;

  private SnapshotFiles() {}

  // ------------------------------------------------------------------------------------- writing

  /**
   * What is saved of one version; its holder keeps it until that is done.
   *
   * @param sortedIds the live ids, ascending
   * @param savers of the slots' files; they stay the caller's to close
   */
  static SnapshotContents contents(
      Engine engine,
      Version version,
      long[] sortedIds,
      Map<SlotIndex.SavedFile, SlotIndex.Saver> savers) {
    Generation home = version.home();
    IndexSpec spec = engine.spec();
    List<SnapshotContent> files = new ArrayList<>();
    savers.forEach(
        (file, saver) ->
            files.add(SnapshotContent.of(file.fileName(), sink -> writeNative(saver, home, sink))));
    files.add(SnapshotContent.of(IDS, sink -> writeIds(version, sink)));
    files.add(SnapshotContent.of(ORDER, sink -> writeOrder(sortedIds, version, sink)));
    files.add(SnapshotContent.of(LIVE, sink -> writeLive(version, sink)));
    return contents(
        spec,
        engine.backendVersion(),
        version.liveCount(),
        version.slotCount() - version.liveCount(),
        home.maxRowNorm(),
        files);
  }

  /** What these files are, for the manifest. */
  static SnapshotContents contents(
      IndexSpec spec,
      String backendVersion,
      long size,
      long dead,
      double maxRowNorm,
      List<SnapshotContent> files) {
    Map<String, Object> parameters = new HashMap<>(spec.parameters());
    NOT_SAVED.forEach(parameters::remove);
    return new SnapshotContents(
        spec.backend(),
        backendVersion,
        spec.metric(),
        spec.dimension(),
        parameters,
        size,
        dead,
        Map.of(MAX_ROW_NORM, Double.toString(maxRowNorm)),
        files);
  }

  private static void writeNative(SlotIndex.Saver saver, Generation home, SnapshotSink sink) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment room = scratch.allocate(PIECE_BYTES, Long.BYTES);
      long bytes = home.next(saver, room);
      while (bytes > 0) {
        sink.write(room.asSlice(0, bytes));
        bytes = home.next(saver, room);
      }
    }
  }

  /** Writes the engine's own file instead of the graph file. */
  static void export(
      SlotIndex.Saver saver, Generation home, GraphExport export, SnapshotSink sink) {
    try (Arena scratch = Arena.ofConfined()) {
      export.before(sink::write);
      MemorySegment room = scratch.allocate(PIECE_BYTES, Long.BYTES);
      long bytes = home.next(saver, room);
      while (bytes > 0) {
        MemorySegment piece = room.asSlice(0, bytes);
        export.pass(piece);
        sink.write(piece);
        bytes = home.next(saver, room);
      }
      export.after(sink::write);
    }
  }

  private static void writeIds(Version version, SnapshotSink sink) {
    SlotIds ids = version.home().ids();
    for (long first = 0; first < version.slotCount(); first += Pages.SLOTS) {
      long count = Math.min(Pages.SLOTS, version.slotCount() - first);
      sink.write(ids.page(Pages.page(first)).asSlice(0, count * Long.BYTES));
    }
  }

  private static void writeOrder(long[] sortedIds, Version version, SnapshotSink sink) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment part = scratch.allocate(Pages.ID_PAGE_BYTES / 2, Long.BYTES);
      for (int first = 0; first < sortedIds.length; first += Pages.SLOTS) {
        int count = Math.min(Pages.SLOTS, sortedIds.length - first);
        for (int i = 0; i < count; i++) {
          part.setAtIndex(INT, i, version.home().find(sortedIds[first + i], version));
        }
        sink.write(part.asSlice(0, (long) count * Integer.BYTES));
      }
    }
  }

  private static void writeLive(Version version, SnapshotSink sink) {
    long words = words(version.slotCount());
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment part = scratch.allocate(Pages.ID_PAGE_BYTES, Long.BYTES);
      for (long first = 0; first < words; first += Pages.SLOTS) {
        long count = Math.min(Pages.SLOTS, words - first);
        for (long i = 0; i < count; i++) {
          long live = ~version.deadWord(first + i) & existing(first + i, version.slotCount());
          part.setAtIndex(LONG, i, live);
        }
        sink.write(part.asSlice(0, count * Long.BYTES));
      }
    }
  }

  /** How many words have a bit for each slot. */
  static long words(long slotCount) {
    return (slotCount + 63) >>> 6;
  }

  /** The bits of a word that stand for slots. */
  private static long existing(long word, long slotCount) {
    long slots = slotCount - (word << 6);
    return slots >= 64 ? -1 : (1L << slots) - 1;
  }

  // ------------------------------------------------------------------------------------- reading

  /**
   * What was saved, its sizes checked.
   *
   * @param rows {@link MemorySegment#NULL} when there is no such file
   * @param dead slots that are not live, ascending
   */
  record Saved(
      SnapshotReader reader,
      long slotCount,
      double maxRowNorm,
      MemorySegment graph,
      MemorySegment rows,
      MemorySegment ids,
      MemorySegment order,
      int[] dead) {

    /** That a file is not what it should be. */
    CorruptIndexException corrupt(String name, String what) {
      return reader.corrupt(name, what);
    }
  }

  /**
   * Reads what is small, and where the rest is.
   *
   * @param arena for copies of files that native code cannot read where they are
   * @throws CorruptIndexException naming the file when the files do not fit together
   */
  static Saved read(SnapshotReader reader, Arena arena) {
    SnapshotManifest manifest = reader.manifest();
    long slotCount = manifest.size() + manifest.dead();
    if (slotCount < 0 || slotCount > Generation.MAX_SLOTS) {
      throw reader.corrupt("manifest.json", "it says there are " + slotCount + " rows");
    }
    MemorySegment ids = sized(reader, IDS, slotCount * Long.BYTES, arena);
    MemorySegment order = sized(reader, ORDER, manifest.size() * Integer.BYTES, arena);
    MemorySegment live = sized(reader, LIVE, words(slotCount) * Long.BYTES, arena);
    String rows = SlotIndex.SavedFile.ROWS.fileName();
    return new Saved(
        reader,
        slotCount,
        maxRowNorm(reader),
        readable(reader.file(SlotIndex.SavedFile.GRAPH.fileName()), arena),
        reader.has(rows) ? readable(reader.file(rows), arena) : MemorySegment.NULL,
        ids,
        order,
        dead(reader, live, slotCount));
  }

  private static double maxRowNorm(SnapshotReader reader) {
    Object noted = reader.manifest().details().get(MAX_ROW_NORM);
    try {
      double norm = noted instanceof String text ? Double.parseDouble(text) : Double.NaN;
      if (norm >= 0) {
        return norm;
      }
    } catch (NumberFormatException notANumber) {
      // The same as any other value that it cannot have.
    }
    throw reader.corrupt("manifest.json", "its " + MAX_ROW_NORM + " is " + noted);
  }

  private static int[] dead(SnapshotReader reader, MemorySegment live, long slotCount) {
    int[] dead = new int[Math.toIntExact(reader.manifest().dead())];
    int count = 0;
    for (long word = 0; word < words(slotCount); word++) {
      long bits = live.getAtIndex(LONG, word);
      long missing = ~bits & existing(word, slotCount);
      if ((bits & ~existing(word, slotCount)) != 0
          || count + Long.bitCount(missing) > dead.length) {
        throw reader.corrupt(LIVE, "it does not have as many bits as there are vectors");
      }
      for (; missing != 0; missing &= missing - 1) {
        dead[count++] = (int) ((word << 6) + Long.numberOfTrailingZeros(missing));
      }
    }
    if (count != dead.length) {
      throw reader.corrupt(LIVE, "it does not have as many bits as there are vectors");
    }
    return dead;
  }

  private static MemorySegment sized(SnapshotReader reader, String name, long bytes, Arena arena) {
    MemorySegment file = reader.file(name);
    if (file.byteSize() != bytes) {
      throw reader.corrupt(
          name,
          "it has "
              + file.byteSize()
              + " bytes; "
              + bytes
              + " are needed for what the manifest says");
    }
    return readable(file, arena);
  }

  /** The same bytes where native code can read them as numbers. */
  private static MemorySegment readable(MemorySegment file, Arena arena) {
    boolean aligned = file.isNative() && file.address() % Long.BYTES == 0;
    return aligned ? file : arena.allocate(file.byteSize(), Long.BYTES).copyFrom(file);
  }
}
