package io.github.panvec.bench.data;

import io.github.panvec.Metric;
import io.github.panvec.bench.InputException;
import io.jhdf.HdfFile;
import io.jhdf.api.Attribute;
import io.jhdf.api.Dataset;
import io.jhdf.exceptions.HdfException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * The HDF5 files of ann-benchmarks: {@code train}, {@code test}, {@code neighbors}, and the
 * attribute {@code distance}.
 */
final class Hdf5Format {
  private static final ValueLayout.OfFloat FLOAT =
      ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
  private static final int SLICE_BYTES = 16 << 20;
  private static final int MAX_GIVEN_QUERIES = 1_000;

  /**
   * @param metric what {@code distance} says; null when it says nothing or something that no index
   *     here measures
   * @param neighbors true neighbours of the first queries, nearest first; null when there are none
   */
  record Content(
      VectorSet base, VectorSet queries, @Nullable Metric metric, int @Nullable [][] neighbors) {}

  private Hdf5Format() {}

  /** Reads from an open file; says beforehand which part comes next. */
  @FunctionalInterface
  private interface Reading<T> {
    T from(HdfFile hdf, String[] part);
  }

  /**
   * Reads the rows into native memory, slice by slice.
   *
   * @throws InputException when the file is missing, damaged, or lacks one of the two sets
   */
  static Content open(Path file, Arena arena) {
    return read(
        file,
        (hdf, part) -> {
          VectorSet base = read(file, hdf, part, "train", arena);
          VectorSet queries = read(file, hdf, part, "test", arena);
          Metric metric = metric(hdf, part);
          part[0] = "its dataset \"neighbors\"";
          return new Content(base, queries, metric, neighbors(hdf));
        });
  }

  /**
   * Reads one of the two sets alone.
   *
   * @param name {@code train} or {@code test}
   * @throws InputException when the file is missing, damaged, or lacks the set
   */
  static Datasets.Rows rows(Path file, String name, Arena arena) {
    return read(
        file,
        (hdf, part) -> {
          VectorSet rows = read(file, hdf, part, name, arena);
          return new Datasets.Rows(rows, metric(hdf, part));
        });
  }

  private static <T> T read(Path file, Reading<T> reading) {
    if (!Files.isRegularFile(file)) {
      throw new InputException(file + ": no such file");
    }
    String[] part = {"its superblock"};
    try (HdfFile hdf = new HdfFile(file)) {
      requireWhole(file, hdf);
      part[0] = "its list of datasets";
      hdf.getChildren();
      return reading.from(hdf, part);
    } catch (InputException plain) {
      throw plain;
    } catch (RuntimeException damaged) {
      // jHDF checks little: whatever a damaged file leads it into is the file's fault.
      throw new InputException(
          file
              + ": no readable HDF5 file: of its "
              + file.toFile().length()
              + " bytes "
              + part[0]
              + " cannot be read: "
              + firstLine(damaged),
          damaged);
    }
  }

  /** jHDF reads what is missing at the end of a cut file as if it were there. */
  private static void requireWhole(Path file, HdfFile hdf) {
    long stated = hdf.getHdfBackingStorage().getSuperblock().getEndOfFileAddress();
    long found = file.toFile().length();
    if (found < stated) {
      throw new InputException(
          file + ": cut off at byte " + found + ": its superblock states " + stated + " bytes");
    }
  }

  private static VectorSet read(Path file, HdfFile hdf, String[] part, String name, Arena arena) {
    part[0] = "its dataset \"" + name + "\"";
    if (!(hdf.getChildren().get(name) instanceof Dataset dataset)) {
      throw new InputException(
          file + ": has no dataset \"" + name + "\" (it has " + hdf.getChildren().keySet() + ")");
    }
    String source = file + "[" + name + "]";
    int[] shape = dataset.getDimensions();
    if (shape.length != 2 || shape[0] < 1 || shape[1] < 1) {
      throw new InputException(
          source + ": its shape " + Arrays.toString(shape) + " is not [rows, dimension]");
    }
    Class<?> type = dataset.getJavaType();
    if (type != float.class && type != double.class) {
      throw new InputException(source + ": holds " + type + "; float32 and float64 can be read");
    }
    int dimension = shape[1];
    MemorySegment rows = arena.allocate(4L * shape[0] * dimension, 64);
    int slice = Math.max(1, SLICE_BYTES / (4 * dimension));
    for (int from = 0; from < shape[0]; from += slice) {
      int count = Math.min(slice, shape[0] - from);
      copy(
          dataset.getData(new long[] {from, 0}, new int[] {count, dimension}),
          rows,
          (long) from * dimension);
    }
    return new VectorSet(
        source, rows, 0, 4L * dimension, VectorSet.Element.FLOAT32, shape[0], dimension);
  }

  private static void copy(Object slice, MemorySegment rows, long at) {
    if (slice instanceof float[][] floats) {
      for (int i = 0; i < floats.length; i++) {
        MemorySegment.copy(
            floats[i], 0, rows, FLOAT, 4 * (at + (long) i * floats[i].length), floats[i].length);
      }
      return;
    }
    double[][] doubles = (double[][]) slice;
    for (int i = 0; i < doubles.length; i++) {
      for (int j = 0; j < doubles[i].length; j++) {
        rows.set(FLOAT, 4 * (at + (long) i * doubles[i].length + j), (float) doubles[i][j]);
      }
    }
  }

  private static @Nullable Metric metric(HdfFile hdf, String[] part) {
    part[0] = "its attribute \"distance\"";
    Attribute attribute = hdf.getAttribute("distance");
    if (attribute == null) {
      return null;
    }
    return switch (attribute.getData().toString().toLowerCase(Locale.ROOT)) {
      case "euclidean", "l2" -> Metric.L2;
      case "angular", "cosine" -> Metric.COSINE;
      case "dot", "ip", "inner_product" -> Metric.DOT;
      default -> null;
    };
  }

  private static int @Nullable [][] neighbors(HdfFile hdf) {
    if (!(hdf.getChildren().get("neighbors") instanceof Dataset dataset)
        || dataset.getDimensions().length != 2
        || dataset.getJavaType() != int.class) {
      return null;
    }
    int[] shape = dataset.getDimensions();
    int count = Math.min(shape[0], MAX_GIVEN_QUERIES);
    return (int[][]) dataset.getData(new long[] {0, 0}, new int[] {count, shape[1]});
  }

  /** What went wrong at the bottom; what is above it only says again that something did. */
  private static String firstLine(Throwable thrown) {
    Throwable root = thrown;
    while (root.getCause() != null && root.getCause() != root) {
      root = root.getCause();
    }
    String message = String.valueOf(root.getMessage()).lines().findFirst().orElse("");
    return root instanceof HdfException
        ? message
        : root.getClass().getSimpleName() + (root.getMessage() == null ? "" : ": " + message);
  }
}
