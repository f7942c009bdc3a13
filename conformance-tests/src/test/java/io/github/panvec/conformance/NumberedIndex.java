package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.VectorIndex;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * A kind of index, in memory or in a file, whose rows all follow from a number: which of its states
 * is found, and whether it is whole, can be told.
 *
 * @param file where it lives, or null
 */
record NumberedIndex(Subject subject, @Nullable Path file) {
  private static final int DIMENSION = 8;
  private static final int ROWS = 90;

  /** The id {@code MARK + n} is there in state n, and no other beyond it. */
  private static final long MARK = 1_000_000;

  /** One that {@link Subject#toString()} is the name of. */
  static NumberedIndex named(String name, @Nullable Path file) {
    return new NumberedIndex(
        Subjects.all().stream()
            .filter(each -> each.toString().equals(name))
            .findFirst()
            .orElseThrow(),
        file);
  }

  /**
   * Those whose saved files differ most, by backend; for a few seconds, the first of each backend.
   */
  static List<String> kinds() {
    return List.of(
        "hnswlib default",
        "usearch f32",
        "faiss hnsw",
        "sqlite-vec default",
        "usearch i8",
        "faiss flat",
        "faiss ivf_flat trained early",
        "faiss pq trained early");
  }

  IndexSpec spec() {
    IndexSpec spec = subject.spec(DIMENSION, metric());
    return file == null ? spec : spec.with("path", file);
  }

  private Metric metric() {
    return subject.any(Metric.L2);
  }

  private static float[] row(int number, long id) {
    return TestVectors.gaussian(new Random(31L * number + id), DIMENSION);
  }

  private static long[] ids(int number) {
    return LongStream.concat(LongStream.range(0, ROWS + number % 5), LongStream.of(MARK + number))
        .toArray();
  }

  /** Makes of any state the state of that number. */
  static void write(VectorIndex index, int number) {
    long[] ids = ids(number);
    float[][] rows = LongStream.of(ids).mapToObj(id -> row(number, id)).toArray(float[][]::new);
    index.upsertAll(ids, TestVectors.flat(rows));
    long[] others =
        LongStream.of(index.ids()).filter(id -> Arrays.binarySearch(ids, id) < 0).toArray();
    index.removeAll(others);
  }

  /** The number of the state that an index is in; fails where it is in none. */
  static int number(VectorIndex index) {
    long[] found = index.ids();
    int number = (int) (found[found.length - 1] - MARK);
    assertThat(found).isEqualTo(ids(number));
    Metric metric = index.spec().metric();
    for (long id : found) {
      assertThat(index.get(id).orElseThrow())
          .as("row %d of state %d", id, number)
          .isEqualTo(Reference.stored(metric, row(number, id)));
    }
    // By the engine, too: the nearest row of a row is that row.
    assertThat(index.search(row(number, 7), 3).id(0)).isEqualTo(7);
    return number;
  }
}
