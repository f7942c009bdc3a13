package io.github.panvec;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Instant;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One search: a query, how many hits, and options. Immutable.
 *
 * <pre>{@code
 * index.search(SearchRequest.of(query, 10).filter(IdFilter.in(changedToday)).efSearch(256));
 * }</pre>
 *
 * <p>The query is referenced, not copied: its components are read when the search runs, and never
 * changed. A program that searches often without garbage keeps one request over {@link
 * SearchBuffer#query()} and writes each query there.
 */
public final class SearchRequest {
  private final MemorySegment query;
  private final int k;
  private final @Nullable IdFilter filter;
  private final boolean exact;
  private final int efSearch;
  private final int nprobe;
  private final int refineFactor;
  private final Limits limits;

  private SearchRequest(
      MemorySegment query,
      int k,
      @Nullable IdFilter filter,
      boolean exact,
      int efSearch,
      int nprobe,
      int refineFactor,
      Limits limits) {
    this.query = query;
    this.k = k;
    this.filter = filter;
    this.exact = exact;
    this.efSearch = efSearch;
    this.nprobe = nprobe;
    this.refineFactor = refineFactor;
    this.limits = limits;
  }

  /**
   * The {@code k} nearest to {@code query}.
   *
   * @param query one component per dimension, all finite; for {@link VectorIndex#searchAll} any
   *     number of queries, one after another
   * @throws IllegalArgumentException when {@code k < 1}
   */
  public static SearchRequest of(float[] query, int k) {
    return of(MemorySegment.ofArray(query), k);
  }

  /**
   * The {@code k} nearest to {@code query}; a native segment is read in place.
   *
   * @param query float32 in native byte order, 4 * dimension bytes
   * @throws IllegalArgumentException when {@code k < 1}
   */
  public static SearchRequest of(MemorySegment query, int k) {
    Objects.requireNonNull(query, "query");
    if (k < 1) {
      throw new IllegalArgumentException("k must be at least 1, not " + k);
    }
    return new SearchRequest(query, k, null, false, 0, 0, 0, Limits.NONE);
  }

  /** Only ids that pass {@code filter}. */
  public SearchRequest filter(IdFilter filter) {
    Objects.requireNonNull(filter, "filter");
    return new SearchRequest(query, k, filter, exact, efSearch, nprobe, refineFactor, limits);
  }

  /** The true {@code k} nearest, by scanning every row. */
  public SearchRequest exact() {
    return new SearchRequest(query, k, filter, true, efSearch, nprobe, refineFactor, limits);
  }

  /**
   * How many candidates the walk over a graph keeps, instead of the index's {@code efSearch}; it is
   * raised to k. Backends that are exact anyway take no notice.
   *
   * @throws IllegalArgumentException when {@code efSearch < 1}
   */
  public SearchRequest efSearch(int efSearch) {
    return new SearchRequest(
        query, k, filter, exact, atLeastOne("efSearch", efSearch), nprobe, refineFactor, limits);
  }

  /**
   * How many inverted lists the search looks into, instead of the index's {@code nprobe}. Indexes
   * without inverted lists take no notice.
   *
   * @throws IllegalArgumentException when {@code nprobe < 1}; the search throws it when there are
   *     fewer lists
   */
  public SearchRequest nprobe(int nprobe) {
    return new SearchRequest(
        query, k, filter, exact, efSearch, atLeastOne("nprobe", nprobe), refineFactor, limits);
  }

  /**
   * How many times k candidates of a search over lossy codes are ranked again by their float32
   * vectors, instead of the index's {@code refineFactor}. Indexes without codes take no notice.
   *
   * @throws IllegalArgumentException when {@code refineFactor < 1}
   */
  public SearchRequest refineFactor(int refineFactor) {
    return new SearchRequest(
        query,
        k,
        filter,
        exact,
        efSearch,
        nprobe,
        atLeastOne("refineFactor", refineFactor),
        limits);
  }

  /**
   * Ends the search with {@link DeadlineExceededException} when it is not done by then, within
   * milliseconds. The moment is turned into the JVM's monotonic time here: later steps of the wall
   * clock do not move it.
   */
  public SearchRequest deadline(Instant deadline) {
    return limited(limits.until(deadline));
  }

  /** Ends the search with {@link CancelledException} when {@code cancellation} is cancelled. */
  public SearchRequest cancelledBy(Cancellation cancellation) {
    return limited(limits.cancelledBy(cancellation));
  }

  private SearchRequest limited(Limits limits) {
    return new SearchRequest(query, k, filter, exact, efSearch, nprobe, refineFactor, limits);
  }

  /**
   * The same search for another query.
   *
   * @param query as for {@link #of(MemorySegment, int)}
   */
  public SearchRequest query(MemorySegment query) {
    Objects.requireNonNull(query, "query");
    return new SearchRequest(query, k, filter, exact, efSearch, nprobe, refineFactor, limits);
  }

  private static int atLeastOne(String name, int value) {
    if (value < 1) {
      throw new IllegalArgumentException(name + " must be at least 1, not " + value);
    }
    return value;
  }

  /** The query, or queries: float32 in native byte order, on or off the Java heap. */
  public MemorySegment query() {
    return query;
  }

  /** The most hits wanted, at least 1. */
  public int k() {
    return k;
  }

  /** The filter, or null. */
  public @Nullable IdFilter idFilter() {
    return filter;
  }

  /** Whether every row is to be scanned. */
  public boolean isExact() {
    return exact;
  }

  /** The request's own {@code efSearch}, or {@code byDefault} when it has none. */
  public int efSearchOr(int byDefault) {
    return efSearch == 0 ? byDefault : efSearch;
  }

  /** The request's own {@code nprobe}, or {@code byDefault} when it has none. */
  public int nprobeOr(int byDefault) {
    return nprobe == 0 ? byDefault : nprobe;
  }

  /** The request's own {@code refineFactor}, or {@code byDefault} when it has none. */
  public int refineFactorOr(int byDefault) {
    return refineFactor == 0 ? byDefault : refineFactor;
  }

  /** For backends: when to stop. */
  public Limits limits() {
    return limits;
  }

  /** Components of the query, or of all queries together. */
  public long dimension() {
    return query.byteSize() / ValueLayout.JAVA_FLOAT.byteSize();
  }
}
