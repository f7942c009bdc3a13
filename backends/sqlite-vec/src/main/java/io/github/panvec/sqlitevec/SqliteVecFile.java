package io.github.panvec.sqlitevec;

import io.github.panvec.DuplicateIdException;
import io.github.panvec.IndexSpec;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Limits;
import io.github.panvec.Metric;
import io.github.panvec.snapshot.SnapshotContents;
import io.github.panvec.spi.ForeignFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A database with a table of vectors: one that Panvec exported, or anybody's with one {@code vec0}
 * table. Other tables and columns are left out.
 */
final class SqliteVecFile {
  /** In the header: "Pvec". */
  private static final long APPLICATION_ID = 0x50766563L;

  private static final long APPLICATION_ID_AT = 68;
  private static final long USER_VERSION_AT = 60;

  /** Of a statement that declares vectors. Matching takes the square of it. */
  private static final int MOST_SQL = 10_000;

  private static final Pattern VEC0 =
      Pattern.compile(
          "\\s*CREATE\\s+VIRTUAL\\s+TABLE\\s.*?\\sUSING\\s+vec0\\s*\\((.*)\\)\\s*;?\\s*",
          Pattern.CASE_INSENSITIVE | Pattern.DOTALL);
  private static final Pattern VECTORS =
      Pattern.compile(
          "\\s*[\"'`\\[]?(\\w+)[\"'`\\]]?\\s+(float|f32|int8|i8|bit)\\s*\\[\\s*(\\d{1,6})\\s*\\]\\s*(.*)",
          Pattern.CASE_INSENSITIVE | Pattern.DOTALL);
  private static final Pattern DISTANCE =
      Pattern.compile("distance_metric\\s*=\\s*(\\w+)", Pattern.CASE_INSENSITIVE);
  private static final Pattern TEXT_KEY =
      Pattern.compile(
          ".*\\btext\\s+primary\\s+key\\b.*", Pattern.CASE_INSENSITIVE | Pattern.DOTALL);

  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int MOST_DIMENSION = 8192;

  private final ForeignFile file;
  private final SqliteTables tables;
  private final Map<String, Long> rootPages = new HashMap<>();
  private final List<Vec0> vec0 = new ArrayList<>();

  /** A {@code vec0} table, its columns as they were declared. */
  private record Vec0(String name, String columns) {}

  /** Where a row lies in its chunk. */
  private record Place(long rowid, long offset) {}

  private SqliteVecFile(ForeignFile file) {
    this.file = file;
    tables = new SqliteTables(file);
    for (String suffix : List.of("-wal", "-journal")) {
      Path beside = file.path().resolveSibling(file.path().getFileName() + suffix);
      if (bytesOf(beside) > 0) {
        throw file.foreign(
            "part of it is in "
                + beside
                + "; close it, or run PRAGMA wal_checkpoint(TRUNCATE), first");
      }
    }
  }

  private static long bytesOf(Path beside) {
    try {
      return Files.exists(beside) ? Files.size(beside) : 0;
    } catch (IOException unknown) {
      return 1;
    }
  }

  /** Holds a database in memory, which goes with the process that imports. */
  static SnapshotContents contents(ForeignFile file) {
    SqliteVecFile read = new SqliteVecFile(file);
    return read.tables.number(APPLICATION_ID_AT) == APPLICATION_ID
        ? read.exported()
        : read.foreign();
  }

  /** Of Panvec's own: the same tables, checked and copied. */
  private SnapshotContents exported() {
    long version = tables.number(USER_VERSION_AT);
    int metric = (int) (version >> 16 & 0xFF);
    int dimension = (int) (version & 0xFFFF);
    if (metric >= Metric.values().length || dimension < 1 || dimension > MOST_DIMENSION) {
      throw file.corrupt("its user_version is " + version);
    }
    if (Metric.values()[metric] != file.metric()) {
      throw file.foreign("its metric is " + Metric.values()[metric] + ", not " + file.metric());
    }
    IndexSpec spec = file.spec(dimension, Map.of(), Map.of());
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment all = file.reader().take(1, file.reader().left());
      MemorySegment copy = arena.allocate(all.byteSize(), Long.BYTES).copyFrom(all);
      return SqliteVecIndex.contents(
          spec, SqliteVecConnection.openCopy(spec, copy, file.path().toString()));
    }
  }

  private SnapshotContents foreign() {
    tables.rows(1, (rowid, values) -> noteTable(values));
    if (vec0.size() != 1) {
      throw file.foreign(
          "it has "
              + (vec0.isEmpty() ? "no table of vec0" : "several tables of vec0: " + names())
              + "; one is read");
    }
    Vec0 table = vec0.get(0);
    int dimension = checkColumns(table);
    IndexSpec spec = file.spec(dimension, Map.of(), Map.of());
    SqliteVecConnection made = SqliteVecConnection.openWriter(spec, null, 0);
    boolean done = false;
    try {
      addAll(table, dimension, made, spec.metric());
      done = true;
      return SqliteVecIndex.contents(spec, made);
    } finally {
      if (!done) {
        made.close();
      }
    }
  }

  private String names() {
    return String.join(", ", vec0.stream().map(Vec0::name).toList());
  }

  /** A row of sqlite_schema: type, name, table, first page, SQL. */
  private void noteTable(List<?> values) {
    if (values.size() < 5
        || !(values.get(0) instanceof String type)
        || !(values.get(1) instanceof String name)
        || !type.equals("table")) {
      return;
    }
    if (values.get(3) instanceof Long page && page > 0) {
      rootPages.put(name, page);
    }
    if (values.get(4) instanceof String sql && sql.length() <= MOST_SQL) {
      Matcher declared = VEC0.matcher(sql);
      if (declared.matches()) {
        vec0.add(new Vec0(name, declared.group(1)));
      }
    }
  }

  /** The dimension. */
  private int checkColumns(Vec0 table) {
    int dimension = 0;
    for (String column : table.columns().split(",")) {
      if (TEXT_KEY.matcher(column).matches()) {
        throw file.foreign("the keys of its table " + table.name() + " are texts");
      }
      Matcher vectors = VECTORS.matcher(column);
      if (!vectors.matches()) {
        continue;
      }
      if (dimension != 0) {
        throw file.foreign("its table " + table.name() + " has several vectors in a row");
      }
      if (!vectors.group(2).toLowerCase(Locale.ROOT).startsWith("f")) {
        throw file.foreign("the vectors of its table " + table.name() + " are not of float32");
      }
      dimension = Integer.parseInt(vectors.group(3));
      checkMetric(table, vectors.group(4));
    }
    if (dimension < 1 || dimension > MOST_DIMENSION) {
      throw file.foreign("its table " + table.name() + " has vectors of dimension " + dimension);
    }
    return dimension;
  }

  private void checkMetric(Vec0 table, String options) {
    Matcher named = DISTANCE.matcher(options);
    String metric = named.find() ? named.group(1).toUpperCase(Locale.ROOT) : "L2";
    if (!metric.equals(file.metric().name())) {
      throw file.foreign(
          "the metric of its table " + table.name() + " is " + metric + ", not " + file.metric());
    }
  }

  // ------------------------------------------------------------------------------------------ rows

  private void addAll(Vec0 table, int dimension, SqliteVecConnection made, Metric metric) {
    Map<Long, List<Place>> places = new HashMap<>();
    tables.rows(
        root(table.name() + "_rowids"),
        (rowid, values) -> {
          long chunk = whole(values, 2, "the place of id " + rowid);
          long offset = whole(values, 3, "the place of id " + rowid);
          places.computeIfAbsent(chunk, none -> new ArrayList<>()).add(new Place(rowid, offset));
        });
    tables.rows(
        root(table.name() + "_vector_chunks00"),
        (rowid, values) -> {
          List<Place> some = places.remove(whole(values, 0, "the number of a chunk"));
          if (some != null) {
            addChunk(some, values.size() > 1 ? values.get(1) : null, dimension, made, metric);
          }
        });
    if (!places.isEmpty()) {
      throw file.corrupt("it has no chunk " + places.keySet().iterator().next());
    }
  }

  private long root(String table) {
    Long page = rootPages.get(table);
    if (page == null) {
      throw file.corrupt("it has no table " + table);
    }
    return page;
  }

  private long whole(List<?> values, int column, String what) {
    if (values.size() > column && values.get(column) instanceof Long number) {
      return number;
    }
    throw file.corrupt(what + " is no number");
  }

  private void addChunk(
      List<Place> places,
      @Nullable Object vectors,
      int dimension,
      SqliteVecConnection made,
      Metric metric) {
    long rowBytes = (long) dimension * Float.BYTES;
    if (!(vectors instanceof MemorySegment bytes)) {
      throw file.corrupt("a chunk has no vectors");
    }
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment ids = arena.allocate((long) places.size() * Long.BYTES, Long.BYTES);
      MemorySegment rows = arena.allocate(places.size() * rowBytes, Long.BYTES);
      for (int i = 0; i < places.size(); i++) {
        Place place = places.get(i);
        if (place.offset() < 0 || place.offset() >= bytes.byteSize() / rowBytes) {
          throw file.corrupt("the vector of id " + place.rowid() + " is not in its chunk");
        }
        ids.setAtIndex(ValueLayout.JAVA_LONG, i, place.rowid());
        for (int c = 0; c < dimension; c++) {
          float component = bytes.get(FLOAT, place.offset() * rowBytes + (long) c * Float.BYTES);
          rows.set(ValueLayout.JAVA_FLOAT, i * rowBytes + (long) c * Float.BYTES, component);
        }
      }
      made.addAll(ids, rows, places.size(), false, Limits.NONE, null, "the import");
    } catch (InvalidVectorException | DuplicateIdException refused) {
      throw file.corrupt(
          "it has a vector that " + metric + " cannot take: " + refused.getMessage());
    }
  }
}
