package io.github.panvec;

import io.github.panvec.spi.HitSegments;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/**
 * Room for one query and its hits outside the Java heap, to be used again and again: a search into
 * a buffer allocates nothing on the heap, unless it is filtered.
 *
 * <pre>{@code
 * SearchBuffer buffer = SearchBuffer.allocate(384, 10);
 * SearchRequest request = SearchRequest.of(buffer.query(), 10);
 * for (float[] query : queries) {
 *   buffer.setQuery(query);
 *   index.search(request, buffer);
 *   for (int i = 0; i < buffer.count(); i++) {
 *     use(buffer.id(i), buffer.distance(i));
 *   }
 * }
 * }</pre>
 *
 * <p>One thread uses a buffer at a time. Its few kilobytes are freed when it is no longer
 * reachable; there is nothing to close.
 */
public final class SearchBuffer {
  private final int dimension;
  private final int capacity;
  private final MemorySegment query;
  private final HitSegments hits;
  private int count;
  private SearchPath path = SearchPath.SCAN;

  private SearchBuffer(int dimension, int capacity) {
    this.dimension = dimension;
    this.capacity = capacity;
    // Not a shared arena: that one costs two atomic operations a segment and call.
    Arena arena = Arena.ofAuto();
    query = arena.allocate(ValueLayout.JAVA_FLOAT, dimension);
    hits = HitSegments.allocate(arena, capacity);
  }

  /**
   * A buffer for queries of {@code dimension} components and up to {@code maxK} hits.
   *
   * @throws IllegalArgumentException when either is below 1
   */
  public static SearchBuffer allocate(int dimension, int maxK) {
    if (dimension < 1 || maxK < 1) {
      throw new IllegalArgumentException(
          "dimension and maxK must be at least 1, not " + dimension + " and " + maxK);
    }
    return new SearchBuffer(dimension, maxK);
  }

  /** Where to write the query: {@code dimension} floats in native byte order. */
  public MemorySegment query() {
    return query;
  }

  /**
   * Copies a query in.
   *
   * @throws IllegalArgumentException when its length is not the dimension
   */
  public void setQuery(float[] vector) {
    if (vector.length != dimension) {
      throw new IllegalArgumentException(
          "query has " + vector.length + " components, the buffer " + dimension);
    }
    MemorySegment.copy(vector, 0, query, ValueLayout.JAVA_FLOAT, 0, dimension);
  }

  /** Components of a query. */
  public int dimension() {
    return dimension;
  }

  /** The most hits it can hold. */
  public int capacity() {
    return capacity;
  }

  /** Hits of the last search into this buffer. */
  public int count() {
    return count;
  }

  /** Id of hit {@code rank} of the last search, 0 being the nearest. */
  public long id(int rank) {
    return hits.ids().getAtIndex(ValueLayout.JAVA_LONG, Objects.checkIndex(rank, count));
  }

  /** Distance of hit {@code rank} of the last search, 0 being the nearest. */
  public float distance(int rank) {
    return hits.distances().getAtIndex(ValueLayout.JAVA_FLOAT, Objects.checkIndex(rank, count));
  }

  /** The hits of the last search, copied. */
  public SearchResult toResult() {
    return hits.toResult(count, path);
  }

  /** For backends: where the hits go; {@link #capacity()} of them. */
  public HitSegments hits() {
    return hits;
  }

  /** For backends: how many hits the search wrote. */
  public void setCount(int count) {
    this.count = Objects.checkIndex(count, capacity + 1);
  }

  /** How the last search came to its hits. */
  public SearchPath path() {
    return path;
  }

  /** For backends: how the search came to its hits. */
  public void setPath(SearchPath path) {
    this.path = Objects.requireNonNull(path, "path");
  }

  /**
   * For backends in Java: puts a hit in its place by (distance, id) among those that are there, of
   * which the last is dropped when there are {@code k} already.
   *
   * @throws IndexOutOfBoundsException when there are fewer than {@code k}, but no room
   */
  public void insert(long id, float distance, int k) {
    int rank = count;
    while (rank > 0 && isBefore(id, distance, rank - 1)) {
      rank--;
    }
    if (rank == k) {
      return;
    }
    setCount(Math.min(count + 1, k));
    long behind = count - rank - 1;
    move(hits.ids(), Long.BYTES, rank, behind);
    move(hits.distances(), Float.BYTES, rank, behind);
    hits.ids().setAtIndex(ValueLayout.JAVA_LONG, rank, id);
    hits.distances().setAtIndex(ValueLayout.JAVA_FLOAT, rank, distance);
  }

  private boolean isBefore(long id, float distance, int rank) {
    return distance < distance(rank) || (distance == distance(rank) && id < id(rank));
  }

  private static void move(MemorySegment hits, long bytes, long rank, long behind) {
    MemorySegment.copy(hits, rank * bytes, hits, (rank + 1) * bytes, behind * bytes);
  }
}
