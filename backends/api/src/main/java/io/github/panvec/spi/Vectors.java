package io.github.panvec.spi;

import io.github.panvec.IndexSpec;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Checks of what callers pass, worded once for all backends. Native backends check values on the
 * copy that is stored, and say with {@link #invalid} what they found; those in Java {@link #read}.
 */
public final class Vectors {
  private static final int MAX_QUERIES = Integer.MAX_VALUE - 64;

  private Vectors() {}

  /** Refuses a single vector of another length. */
  public static void checkDimension(String what, long components, int dimension) {
    if (components != dimension) {
      throw new InvalidVectorException(
          what + " has " + components + " components, the index " + dimension);
    }
  }

  /** Refuses segments that do not hold the same number of whole rows; returns that number. */
  public static long checkBatch(MemorySegment ids, MemorySegment vectors, int dimension) {
    if (ids.byteSize() % Long.BYTES != 0) {
      throw new IllegalArgumentException(
          "ids has " + ids.byteSize() + " bytes, which is not a multiple of 8");
    }
    long count = ids.byteSize() / Long.BYTES;
    long expected =
        Math.multiplyExact(Math.multiplyExact(count, (long) dimension), (long) Float.BYTES);
    if (vectors.byteSize() != expected) {
      throw new InvalidVectorException(
          count
              + " ids of dimension "
              + dimension
              + " need "
              + expected / Float.BYTES
              + " components, not "
              + length(vectors));
    }
    return count;
  }

  /** For messages: components, or bytes where those are no whole floats. */
  private static String length(MemorySegment floats) {
    return floats.byteSize() % Float.BYTES == 0
        ? floats.byteSize() / Float.BYTES + " components"
        : floats.byteSize() + " bytes";
  }

  /** How many whole rows there are; refuses a part of one. */
  public static long countRows(String what, MemorySegment rows, int dimension) {
    long rowBytes = (long) dimension * Float.BYTES;
    if (rows.byteSize() % rowBytes != 0) {
      throw new InvalidVectorException(
          what + " has " + length(rows) + ", which is no multiple of the index's " + dimension);
    }
    return rows.byteSize() / rowBytes;
  }

  /** How many queries a batch has. */
  public static int countQueries(MemorySegment queries, IndexSpec spec) {
    long count = countRows("queries", queries, spec.dimension());
    if (count > MAX_QUERIES) {
      throw new IllegalArgumentException(
          "a batch holds at most " + MAX_QUERIES + " queries, not " + count);
    }
    return (int) count;
  }

  /** Refuses queries of another length, or a k beyond the backend's. */
  public static void checkRequest(SearchRequest request, int queries, IndexSpec spec, int maxK) {
    if (request.query().byteSize() != (long) queries * spec.dimension() * Float.BYTES) {
      throw new InvalidVectorException(
          "query has " + length(request.query()) + ", the index " + spec.dimension());
    }
    if (request.k() > maxK) {
      throw new IllegalArgumentException("k must be from 1 to " + maxK + ", not " + request.k());
    }
  }

  /** Refuses a radius that is NaN, or negative where distances are not. */
  public static void checkRadius(float radius, Metric metric) {
    if (Float.isNaN(radius) || (radius < 0 && metric != Metric.DOT)) {
      throw new IllegalArgumentException(
          "radius must be "
              + (metric == Metric.DOT ? "a number" : "at least 0 under " + metric)
              + ", not "
              + radius);
    }
  }

  /** Refuses a buffer of another dimension or with too little room. */
  public static void checkBuffer(SearchBuffer buffer, IndexSpec spec, long hits) {
    if (buffer.dimension() != spec.dimension()) {
      throw new IllegalArgumentException(
          "the buffer is for dimension "
              + buffer.dimension()
              + ", the index has "
              + spec.dimension());
    }
    if (buffer.capacity() < hits) {
      throw new IllegalArgumentException(
          "the buffer holds " + buffer.capacity() + " hits, this search may have " + hits);
    }
  }

  /**
   * What is wrong with a row that a native library refused.
   *
   * @param rows the rows that it was given
   * @param row which of them
   * @param component the component that is NaN or infinite, or -1 when the whole vector is zero
   * @param firstRow number of the first of {@code rows} in the caller's batch
   */
  public static InvalidVectorException invalid(
      MemorySegment rows, long row, int component, int dimension, long firstRow) {
    float value =
        component < 0
            ? 0
            : rows.getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, row * dimension + component);
    return invalid("row " + (firstRow + row), component, value);
  }

  private static InvalidVectorException invalid(String vector, int component, float value) {
    return new InvalidVectorException(
        component < 0
            ? vector + ": the vector is zero, which COSINE cannot take"
            : vector
                + (": component " + component)
                + (Float.isNaN(value) ? " is NaN" : " is infinite"));
  }

  /**
   * Copies one of several vectors, as it is given, into {@code vector}.
   *
   * @param what names them in messages: {@code row} or {@code query}
   * @param vectors float32 in native byte order, one vector after another, at any alignment
   * @param index which of them
   * @param vector as long as the dimension
   * @throws InvalidVectorException when a component is NaN or infinite, or the vector zero under
   *     {@code COSINE}
   */
  public static void read(
      String what, MemorySegment vectors, long index, float[] vector, Metric metric) {
    long offset = index * vector.length * Float.BYTES;
    MemorySegment.copy(vectors, ValueLayout.JAVA_FLOAT_UNALIGNED, offset, vector, 0, vector.length);
    boolean zero = true;
    for (int component = 0; component < vector.length; component++) {
      float value = vector[component];
      zero &= value == 0;
      if (!Float.isFinite(value)) {
        throw invalid(what + " " + index, component, value);
      }
    }
    if (zero && metric == Metric.COSINE) {
      throw invalid(what + " " + index, -1, 0);
    }
  }
}
