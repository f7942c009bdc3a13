package io.github.panvec.engine;

import io.github.panvec.Metric;
import io.github.panvec.spi.ForeignFile;
import java.lang.foreign.MemorySegment;
import java.util.Locale;

/** Checks rows of a foreign file, and makes them what an index stores. For one thread. */
public final class ImportedRows {
  /** A unit vector of float32 components is as far off as that: 2^-24 each, here of the square. */
  private static final double UNIT = 0x1p-23 * (1 + 1e-6);

  /** Farther off nobody has wanted it to be one: 16-bit floats and careless sums are within. */
  private static final double NEARLY_UNIT = 1e-2;

  /** As native code has it for COSINE, and above what rounding adds to other norms. */
  private static final double NORM_OF_UNITS = 1 + 1e-6;

  private static final double NORM_MARGIN = 1 + 1e-9;

  private final ForeignFile file;
  private final boolean scales;
  private final float[] row;
  private double maxNorm;

  /**
   * @param scales whether rows under COSINE may have any length, since the engine knows COSINE
   */
  public ImportedRows(ForeignFile file, int dimension, boolean scales) {
    this.file = file;
    this.scales = scales;
    this.row = new float[dimension];
    this.maxNorm = file.metric() == Metric.COSINE ? NORM_OF_UNITS : 0;
  }

  /** At least the norm of every row so far, where the metric makes use of that. */
  public double maxNorm() {
    return maxNorm;
  }

  /**
   * One row, in place.
   *
   * @param offset where it begins
   * @param id for messages
   */
  public void take(MemorySegment rows, long offset, long id) {
    MemorySegment.copy(rows, SnapshotFiles.FLOAT, offset, row, 0, row.length);
    for (int component = 0; component < row.length; component++) {
      if (!Float.isFinite(row[component])) {
        throw file.corrupt(
            "component " + component + " of the vector of id " + id + " is " + row[component]);
      }
    }
    switch (file.metric()) {
      case COSINE -> {
        if (scale(id)) {
          MemorySegment.copy(row, 0, rows, SnapshotFiles.FLOAT, offset, row.length);
        }
      }
      case DOT -> maxNorm = Math.max(maxNorm, Math.sqrt(square()) * NORM_MARGIN);
      case L2 -> {
        // Rows are as they are.
      }
    }
  }

  /** Makes it a unit vector; whether that changes it. */
  private boolean scale(long id) {
    double square = square();
    if (Math.abs(square - 1) <= UNIT) {
      return false;
    }
    if (square == 0) {
      throw file.foreign("the vector of id " + id + " is zero, which COSINE cannot take");
    }
    double norm = Math.sqrt(square);
    if (!scales && Math.abs(norm - 1) > NEARLY_UNIT) {
      throw file.foreign(
          String.format(
              Locale.ROOT,
              "the vector of id %d has length %s; under COSINE it would be a unit vector. Is the"
                  + " metric DOT or L2?",
              id,
              (float) norm));
    }
    for (int i = 0; i < row.length; i++) {
      row[i] = (float) (row[i] / norm);
    }
    return true;
  }

  /** The sum of the squares, in the order of the reference kernel. */
  private double square() {
    double[] sums = new double[8];
    for (int i = 0; i < row.length; i++) {
      sums[i & 7] += (double) row[i] * row[i];
    }
    return ((sums[0] + sums[4]) + (sums[2] + sums[6]))
        + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
  }
}
