package io.github.panvec;

import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Optional;

/**
 * Vectors by id, and the nearest of them to a query.
 *
 * <p>Every backend keeps the same contract. Ids are any {@code long}. Vectors have the index's
 * dimension and finite components; input is never modified. Batches are all-or-nothing.
 *
 * <p><b>Threads.</b> Any number of threads may search together, also while others write; a search
 * sees one state of the index from start to end. Writers take turns. {@link #close()} waits for
 * calls in flight.
 *
 * <p><b>Errors.</b> Unchecked: {@link IllegalArgumentException} and its subclass {@link
 * InvalidVectorException} for what the caller passes, {@link IllegalStateException} after {@code
 * close()}, {@link VectorIndexException} and subclasses for everything else, with the native
 * library's own words. After any exception the index answers as it did before the call.
 *
 * <p><b>Training.</b> Indexes that learn from data answer by exact scan until they have; the write
 * that brings the number of vectors they wait for trains them, and takes accordingly long. What
 * they have learnt they keep, also when that write fails later on.
 */
public interface VectorIndex extends AutoCloseable {

  /** The spec with all parameters filled in. */
  IndexSpec spec();

  /** What its backend can do. */
  Capabilities capabilities();

  /** How many vectors are live. */
  long size();

  /** Whether {@code id} is live. */
  boolean contains(long id);

  /**
   * The stored float32 vector (COSINE: the unit vector), bit for bit; empty when {@code id} is not
   * live.
   *
   * @throws UnsupportedOperationException when the index keeps codes only ({@link
   *     Capabilities#codesOnly()})
   */
  Optional<float[]> get(long id);

  /**
   * Adds one vector.
   *
   * @throws DuplicateIdException when {@code id} is live
   * @throws InvalidVectorException when the vector has another length, a NaN or an infinity, or is
   *     zero under COSINE
   */
  default void add(long id, float[] vector) {
    addAll(new long[] {id}, vector);
  }

  /**
   * Adds {@code ids.length} vectors, all or none.
   *
   * @param vectors the rows one after another, {@code ids.length * dimension} floats
   * @throws DuplicateIdException when an id is live or comes twice, naming the row
   * @throws InvalidVectorException as {@link #add}, naming row and component
   * @throws IllegalArgumentException when the lengths do not fit together
   */
  default void addAll(long[] ids, float[] vectors) {
    addAll(MemorySegment.ofArray(ids), MemorySegment.ofArray(vectors));
  }

  /**
   * As {@link #addAll(long[], float[])} from segments, on or off the Java heap; native ones are
   * read in place.
   *
   * @param ids int64 in native byte order, 8 bytes a row
   * @param vectors float32 in native byte order, 4 * dimension bytes a row
   */
  void addAll(MemorySegment ids, MemorySegment vectors);

  /**
   * Adds the vector or replaces the one under {@code id}; searches see the old or the new one,
   * never neither.
   *
   * @throws InvalidVectorException as {@link #add}
   */
  void upsert(long id, float[] vector);

  /**
   * Removes; true when {@code id} was live. A search that begins after this returned does not see
   * it.
   */
  boolean remove(long id);

  /**
   * The {@code k} nearest to {@code query}, nearest first: min(k, {@link #size()}) hits.
   *
   * @throws InvalidVectorException as {@link #add}
   * @throws IllegalArgumentException when {@code k < 1} or above {@link Capabilities#maxK()}
   */
  default SearchResult search(float[] query, int k) {
    return search(SearchRequest.of(query, k));
  }

  /**
   * Searches as {@code request} says.
   *
   * @throws UnsupportedOperationException when {@link SearchRequest#exact()} is asked of an index
   *     that keeps codes only ({@link Capabilities#codesOnly()})
   */
  SearchResult search(SearchRequest request);

  /**
   * Searches into a reusable buffer; without a filter that leaves no garbage on the Java heap.
   *
   * @throws IllegalArgumentException when the buffer has another dimension or holds fewer than
   *     min(k, {@link #size()}) hits
   */
  void search(SearchRequest request, SearchBuffer buffer);

  /**
   * Searches for many queries: the same hits, bit for bit, as one {@link #search(SearchRequest)}
   * each, in the order of the queries. Backends with a parameter {@code threads} use up to so many
   * for each call.
   *
   * @param request its query is any number of queries, one after another; the filter and everything
   *     else hold for all of them
   * @throws InvalidVectorException as {@link #add}, naming the query; no hits are returned then
   */
  List<SearchResult> searchAll(SearchRequest request);

  /**
   * The {@code k} nearest to each query, see {@link #searchAll(SearchRequest)}.
   *
   * @param queries the queries one after another
   */
  default List<SearchResult> searchAll(float[] queries, int k) {
    return searchAll(SearchRequest.of(queries, k));
  }

  /**
   * Trains an index that learns from data (centroids, quantisers) at once, instead of by itself
   * when enough vectors have been added. It may take minutes; searches go on meanwhile, writers and
   * {@link #close()} wait. Vectors that are there already are encoded before it returns.
   *
   * @param sample vectors like those to come, one after another; not added
   * @return whether the index has learnt from this sample: false, and nothing happens, when it was
   *     trained before or is of a kind that learns nothing
   * @throws IllegalArgumentException when there are too few, saying how many it takes
   * @throws InvalidVectorException as {@link #addAll(long[], float[])}
   */
  default boolean train(float[] sample) {
    return train(MemorySegment.ofArray(sample));
  }

  /**
   * As {@link #train(float[])} from a segment, on or off the Java heap.
   *
   * @param sample float32 in native byte order, 4 * dimension bytes a vector
   */
  boolean train(MemorySegment sample);

  /** Numbers about the index now. */
  IndexStats stats();

  /**
   * Frees the native memory after waiting for calls in flight. A second call does nothing; other
   * calls then throw {@link IllegalStateException}.
   */
  @Override
  void close();
}
