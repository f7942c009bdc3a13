package io.github.panvec.conformance;

import io.github.panvec.Hit;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;

/**
 * A small snapshot that a version of Panvec wrote once, and every later one has to open. Its rows
 * follow from a formula.
 *
 * @param kind of index, as it is named
 * @param folder holds the snapshot, and where codes stand in place of vectors its answers
 */
record Fixture(String kind, Metric metric, Path folder) {
  static final int DIMENSION = 8;
  private static final int ROWS = 40;
  private static final int QUERIES = 5;
  private static final int NEAREST = 6;

  /** Below the resources of the tests; a folder for each version that wrote some. */
  static final String FOLDER = "snapshots";

  /** The version that writes now. */
  static final String VERSION = "0.1";

  private static final String ANSWERS = "answers.txt";

  /** One of each kind of index. Under which metric depends on its name alone. */
  static List<Fixture> written(Path version) {
    return Subjects.all().stream()
        .filter(kind -> kind.capabilities().snapshots())
        .map(
            kind -> {
              List<Metric> metrics = kind.metrics();
              int turn = Math.floorMod(kind.toString().hashCode(), metrics.size());
              String name = kind.toString().replace(' ', '-');
              return new Fixture(kind.toString(), metrics.get(turn), version.resolve(name));
            })
        .toList();
  }

  SnapshotFolder snapshot() {
    return new SnapshotFolder(folder.resolve("saved"));
  }

  /** A row, or a query: eighths, so that every machine has the same. */
  private static float[] row(int number) {
    float[] row = new float[DIMENSION];
    for (int i = 0; i < DIMENSION; i++) {
      int value = (7 * number * number + 13 * i + 5 * number * i + 3 * i * i) % 101;
      row[i] = (value - 50) / 8f;
    }
    return row;
  }

  private static long id(int number) {
    return switch (number) {
      case 0 -> Long.MIN_VALUE;
      case 1 -> Long.MAX_VALUE;
      case 2 -> -1;
      default -> 7L * number - 21;
    };
  }

  /** What it holds: some rows were removed, and some replaced. */
  static TreeMap<Long, float[]> rows() {
    TreeMap<Long, float[]> rows = new TreeMap<>();
    for (int number = 0; number < ROWS; number++) {
      if (number % 8 != 5) {
        rows.put(id(number), row(number % 10 == 9 ? number + 200 : number));
      }
    }
    return rows;
  }

  static List<float[]> queries() {
    return Stream.iterate(300, number -> number + 1).limit(QUERIES).map(Fixture::row).toList();
  }

  /** Makes the index and saves it; the same on every machine, so on one thread. */
  void write() throws IOException {
    Files.createDirectories(folder);
    Subject subject = NumberedIndex.named(kind, null).subject();
    IndexSpec spec = subject.onOneThread(subject.spec(DIMENSION, metric));
    try (VectorIndex index = subject.create(spec)) {
      for (int number = 0; number < ROWS; number++) {
        index.add(id(number), row(number));
      }
      for (int number = 0; number < ROWS; number++) {
        if (number % 8 == 5) {
          index.remove(id(number));
        } else if (number % 10 == 9) {
          index.upsert(id(number), row(number + 200));
        }
      }
      index.save(snapshot().path());
      if (index.capabilities().codesOnly()) {
        Files.write(
            folder.resolve(ANSWERS),
            answers(index).stream().map(hit -> hit.id() + " " + hit.distance()).toList());
      }
    }
    // It says which process wrote; copies of a snapshot open without it.
    Files.delete(snapshot().path().resolve("lock"));
  }

  /** The hits of each query, nearest first. */
  static List<Hit> answers(VectorIndex index) {
    return queries().stream()
        .map(query -> index.search(SearchRequest.of(query, NEAREST)))
        .flatMap(result -> result.hits().stream())
        .toList();
  }

  /** What the index answered when it was saved. */
  List<Hit> savedAnswers() throws IOException {
    return Files.readAllLines(folder.resolve(ANSWERS)).stream()
        .map(line -> line.split(" "))
        .map(words -> new Hit(Long.parseLong(words[0]), Float.parseFloat(words[1])))
        .toList();
  }

  @Override
  public String toString() {
    return folder.getParent().getFileName() + " " + kind + " " + metric;
  }
}
