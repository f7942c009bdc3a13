package io.github.panvec.bench.data;

import io.github.panvec.Metric;
import io.github.panvec.bench.Hints;
import io.github.panvec.bench.InputException;
import io.github.panvec.bench.Progress;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Finds a dataset by name or file. */
public final class Datasets {
  /** The set inside the jar. */
  public static final String EMBEDDED = "embedded";

  private static final String EMBEDDED_FOLDER = "/io/github/panvec/bench/glove-25k/";
  private static final int DRAWN_QUERIES = 1_000;

  private Datasets() {}

  /** Names that {@link #open} knows. */
  public static List<String> names() {
    List<String> names = new ArrayList<>(List.of(EMBEDDED));
    names.addAll(NamedDatasets.names());
    return List.copyOf(names);
  }

  /**
   * Opens a set.
   *
   * @param nameOrFile one of {@link #names()}; a .fvecs, .ivecs, .npy, .hdf5 or .h5 file; or a
   *     folder with base.npy and query.npy
   * @param arena how long files stay mapped
   * @param cache where sets by name are kept
   * @throws InputException when there is no such set, or the file breaks: what, which file, where
   */
  public static Dataset open(String nameOrFile, Arena arena, Path cache, Progress progress) {
    if (nameOrFile.equals(EMBEDDED)) {
      return embedded();
    }
    if (NamedDatasets.names().contains(nameOrFile)) {
      return NamedDatasets.open(nameOrFile, arena, cache, progress);
    }
    Path file = path(nameOrFile);
    if (Files.isDirectory(file)) {
      return folder(file, arena);
    }
    requireKnown(nameOrFile, file);
    return isHdf5(file) ? hdf5(file, arena) : files(file, arena);
  }

  /** What rows are wanted for, where a set or a file has both. */
  public enum Part {
    /** To be indexed: the base of a set by name, or {@code train} of an .hdf5 file. */
    BASE,
    /** To ask with: the queries of a set by name, or {@code test} of an .hdf5 file. */
    QUERIES
  }

  /**
   * All rows of one file.
   *
   * @param metric the one they are made for; null when the file does not say
   */
  public record Rows(VectorSet vectors, @Nullable Metric metric) {}

  /**
   * Opens rows, all of those that there are: of a file, whatever lies beside it, or that part of a
   * set.
   *
   * @param nameOrFile as for {@link #open}
   * @param arena how long files stay mapped
   * @param cache where sets by name are kept
   * @throws InputException as {@link #open}
   */
  public static Rows rows(
      String nameOrFile, Part part, Arena arena, Path cache, Progress progress) {
    if (names().contains(nameOrFile)) {
      Dataset set = open(nameOrFile, arena, cache, progress);
      return new Rows(part == Part.BASE ? set.base() : set.queries(), set.metric());
    }
    Path file = path(nameOrFile);
    if (Files.isDirectory(file)) {
      file = part == Part.BASE ? baseFile(file) : queryFile(file);
    }
    requireKnown(nameOrFile, file);
    return isHdf5(file)
        ? Hdf5Format.rows(file, part == Part.BASE ? "train" : "test", arena)
        : new Rows(vectors(file, arena), null);
  }

  private static boolean isHdf5(Path file) {
    return List.of("hdf5", "h5").contains(extension(file));
  }

  /** The file is there and, by its name, of a format that can be read. */
  private static void requireKnown(String nameOrFile, Path file) {
    String extension = extension(file);
    if (!Files.exists(file) && extension.isEmpty() && file.getNameCount() == 1) {
      throw new InputException(
          Hints.unknown("dataset", nameOrFile, names())
              + ", or a .fvecs, .ivecs, .npy or .hdf5 file");
    }
    if (!Files.exists(file)) {
      throw new InputException(file + ": no such file");
    }
    if (!List.of("npy", "fvecs", "ivecs", "hdf5", "h5").contains(extension)) {
      throw new InputException(file + ": is not one of .fvecs, .ivecs, .npy, .hdf5 (by its name)");
    }
  }

  private static Dataset embedded() {
    return new Dataset(
        EMBEDDED,
        "GloVe vectors of the 26,000 most frequent words, 100 dimensions, float16; 1,000 drawn as"
            + " queries",
        resource("base.npy"),
        resource("query.npy"),
        Metric.COSINE,
        resourceNames("base_names.txt"),
        resourceNames("query_names.txt"),
        null);
  }

  private static VectorSet resource(String name) {
    return NpyFormat.parse(
        EMBEDDED + "/" + name, MemorySegment.ofArray(resourceBytes(name)).asReadOnly());
  }

  private static List<String> resourceNames(String name) {
    return new String(resourceBytes(name), StandardCharsets.UTF_8).lines().toList();
  }

  private static byte[] resourceBytes(String name) {
    try (InputStream in =
        Objects.requireNonNull(Datasets.class.getResourceAsStream(EMBEDDED_FOLDER + name), name)) {
      return in.readAllBytes();
    } catch (IOException damaged) {
      throw new InputException(
          "the embedded " + name + " cannot be read: " + damaged.getMessage(), damaged);
    }
  }

  /** A folder with base.npy, query.npy and, if any, base_names.txt and query_names.txt. */
  static Dataset folder(Path folder, Arena arena) {
    return files(baseFile(folder), arena);
  }

  private static Path queryFile(Path folder) {
    Path queries = Objects.requireNonNull(sibling(baseFile(folder), "query"));
    if (!Files.exists(queries)) {
      throw new InputException(folder + ": holds no " + queries.getFileName());
    }
    return queries;
  }

  private static Path baseFile(Path folder) {
    Path base = folder.resolve("base.npy");
    if (Files.exists(base)) {
      return base;
    }
    try (var entries = Files.newDirectoryStream(folder, "*base.{fvecs,npy}")) {
      List<Path> found = new ArrayList<>();
      entries.forEach(found::add);
      if (found.size() == 1) {
        return found.get(0);
      }
    } catch (IOException unreadable) {
      throw new InputException(folder + ": cannot be read: " + unreadable.getMessage(), unreadable);
    }
    throw new InputException(folder + ": holds no base.npy, and no single *_base.fvecs");
  }

  private static Dataset hdf5(Path file, Arena arena) {
    Hdf5Format.Content content = Hdf5Format.open(file, arena);
    requireSameDimension(content.base(), file + "[test]", content.queries());
    return new Dataset(
        fileName(file),
        file + ", train and test",
        content.base(),
        content.queries(),
        content.metric(),
        null,
        null,
        content.neighbors());
  }

  /**
   * A file of rows with its siblings by the usual names, or alone: then queries are drawn from it.
   */
  private static Dataset files(Path file, Arena arena) {
    VectorSet rows = vectors(file, arena);
    Path queryFile = sibling(file, "query");
    if (queryFile == null || !Files.exists(queryFile)) {
      return drawn(file, rows);
    }
    VectorSet queries = vectors(queryFile, arena);
    requireSameDimension(rows, queryFile.toString(), queries);
    return new Dataset(
        fileName(file),
        file + ", queries from " + queryFile.getFileName(),
        rows,
        queries,
        null,
        names(file, rows.rows()),
        names(queryFile, queries.rows()),
        givenNeighbors(file, arena));
  }

  private static Dataset drawn(Path file, VectorSet rows) {
    if (rows.rows() < 2) {
      throw new InputException(
          file
              + ": has "
              + rows.rows()
              + " row; with no query file beside it, at least 2 are needed");
    }
    int[] drawn =
        SeededDraw.draw(Math.min(DRAWN_QUERIES, Math.max(1, rows.rows() / 10)), rows.rows());
    int[] rest = SeededDraw.rest(drawn, rows.rows());
    List<String> names = names(file, rows.rows());
    return new Dataset(
        fileName(file),
        file
            + ", of which "
            + drawn.length
            + " rows drawn by seed "
            + SeededDraw.SEED
            + " are the queries",
        rows.select(rest),
        rows.select(drawn),
        null,
        names == null ? null : pick(names, rest),
        names == null ? null : pick(names, drawn),
        null);
  }

  private static List<String> pick(List<String> names, int[] rows) {
    List<String> picked = new ArrayList<>(rows.length);
    for (int row : rows) {
      picked.add(names.get(row));
    }
    return picked;
  }

  private static VectorSet vectors(Path file, Arena arena) {
    return switch (extension(file)) {
      case "npy" -> NpyFormat.open(file, arena);
      case "ivecs" -> VecsFormat.open(file, VectorSet.Element.INT32, arena);
      default -> VecsFormat.open(file, VectorSet.Element.FLOAT32, arena);
    };
  }

  /**
   * {@code sift_base.fvecs} has the sibling {@code sift_query.fvecs}; null when the name does not
   * hold "base".
   */
  private static @Nullable Path sibling(Path file, String kind) {
    String name = fileName(file);
    int at = name.lastIndexOf("base");
    return at < 0
        ? null
        : file.resolveSibling(name.substring(0, at) + kind + name.substring(at + "base".length()));
  }

  private static int @Nullable [][] givenNeighbors(Path file, Arena arena) {
    Path truth = sibling(file, "groundtruth");
    if (truth == null || !extension(file).equals("fvecs")) {
      return null;
    }
    truth = truth.resolveSibling(fileName(truth).replaceFirst("\\.fvecs$", ".ivecs"));
    if (!Files.exists(truth)) {
      return null;
    }
    VectorSet rows = VecsFormat.open(truth, VectorSet.Element.INT32, arena);
    int[][] neighbors = new int[Math.min(rows.rows(), DRAWN_QUERIES)][rows.dimension()];
    for (int i = 0; i < neighbors.length; i++) {
      float[] row = rows.row(i);
      for (int j = 0; j < row.length; j++) {
        neighbors[i][j] = (int) row[j];
      }
    }
    return neighbors;
  }

  /** {@code X_names.txt} beside {@code X.npy}, one name a line. */
  private static @Nullable List<String> names(Path file, int rows) {
    String stem =
        fileName(file).substring(0, fileName(file).length() - extension(file).length() - 1);
    Path names = file.resolveSibling(stem + "_names.txt");
    if (!Files.exists(names)) {
      return null;
    }
    try {
      List<String> lines = Files.readAllLines(names, StandardCharsets.UTF_8);
      if (lines.size() != rows) {
        throw new InputException(
            names
                + ": has "
                + lines.size()
                + " lines, "
                + file.getFileName()
                + " has "
                + rows
                + " rows");
      }
      return lines;
    } catch (CharacterCodingException notText) {
      throw new InputException(names + ": is not UTF-8", notText);
    } catch (IOException unreadable) {
      throw new InputException(names + ": cannot be read: " + unreadable.getMessage(), unreadable);
    }
  }

  private static void requireSameDimension(VectorSet base, String queryFile, VectorSet queries) {
    if (base.dimension() != queries.dimension()) {
      throw new InputException(
          queryFile
              + ": its rows have dimension "
              + queries.dimension()
              + ", those of the base "
              + base.dimension());
    }
  }

  private static Path path(String text) {
    try {
      return Path.of(text);
    } catch (InvalidPathException notAPath) {
      throw new InputException(Hints.unknown("dataset", text, names()), notAPath);
    }
  }

  private static String fileName(Path file) {
    return String.valueOf(file.getFileName());
  }

  private static String extension(Path file) {
    String name = fileName(file);
    int dot = name.lastIndexOf('.');
    return dot < 0 ? "" : name.substring(dot + 1).toLowerCase(Locale.ROOT);
  }
}
