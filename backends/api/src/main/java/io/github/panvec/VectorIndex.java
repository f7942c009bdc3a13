package io.github.panvec;

import io.github.panvec.spi.Vectors;
import java.lang.foreign.MemorySegment;
import java.nio.file.CopyOption;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
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
 * <p><b>Time.</b> A request may carry a deadline or a {@link Cancellation}, and so may {@link
 * WriteOptions}: searches, builds, training and compaction then end within milliseconds with {@link
 * DeadlineExceededException} or {@link CancelledException}. One that has passed already does so at
 * once.
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
  default boolean contains(long id) {
    return get(id).isPresent();
  }

  /**
   * The stored float32 vector (COSINE: the unit vector), bit for bit; empty when {@code id} is not
   * live.
   *
   * @throws UnsupportedOperationException when the index keeps codes only ({@link
   *     Capabilities#codesOnly()})
   */
  default Optional<float[]> get(long id) {
    return getAll(id).get(0);
  }

  /**
   * {@link #get} for each of {@code ids}, in their order: of one state of the index.
   *
   * @throws UnsupportedOperationException as {@link #get}
   */
  List<Optional<float[]>> getAll(long... ids);

  /** The ids of all live vectors, ascending: of one state of the index. */
  long[] ids();

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
  default void addAll(MemorySegment ids, MemorySegment vectors) {
    addAll(ids, vectors, WriteOptions.defaults());
  }

  /**
   * As {@link #addAll(MemorySegment, MemorySegment)}, with a listener, a deadline or a
   * cancellation. What ends early adds nothing.
   */
  void addAll(MemorySegment ids, MemorySegment vectors, WriteOptions options);

  /**
   * Adds the vector or replaces the one under {@code id}; searches see the old or the new one,
   * never neither.
   *
   * @throws InvalidVectorException as {@link #add}
   */
  default void upsert(long id, float[] vector) {
    upsertAll(new long[] {id}, vector);
  }

  /**
   * Adds or replaces {@code ids.length} vectors, all or none: searches see all the old ones or all
   * the new ones.
   *
   * @param vectors the rows one after another, {@code ids.length * dimension} floats
   * @throws DuplicateIdException when an id comes twice, naming the row
   * @throws InvalidVectorException as {@link #addAll(long[], float[])}
   * @throws IllegalArgumentException when the lengths do not fit together
   */
  default void upsertAll(long[] ids, float[] vectors) {
    upsertAll(MemorySegment.ofArray(ids), MemorySegment.ofArray(vectors), WriteOptions.defaults());
  }

  /** As {@link #upsertAll(long[], float[])}, see {@link #addAll(MemorySegment, MemorySegment)}. */
  void upsertAll(MemorySegment ids, MemorySegment vectors, WriteOptions options);

  /**
   * Removes; true when {@code id} was live. A search that begins after this returned does not see
   * it.
   */
  default boolean remove(long id) {
    return removeAll(id) == 1;
  }

  /**
   * Removes all that are live of {@code ids}, at once; duplicates are allowed.
   *
   * @return how many were live
   */
  int removeAll(long... ids);

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
   * Everything within {@code radius} of the query, nearest first, up to {@link SearchRequest#k()}
   * hits: exact, by a scan.
   *
   * @param request query, limit, filter, deadline and cancellation
   * @param radius the largest distance, included; below 0 only under DOT
   * @throws IllegalArgumentException when {@code radius} is NaN, or negative under L2 or COSINE
   * @throws InvalidVectorException as {@link #search(SearchRequest)}
   */
  default RangeResult searchRange(SearchRequest request, float radius) {
    Vectors.checkRadius(radius, spec().metric());
    return RangeResult.within(radius, search(request.exact()), request.k(), false);
  }

  /**
   * Everything within {@code radius} of the query, see {@link #searchRange(SearchRequest, float)}.
   *
   * @param limit the most hits wanted, at least 1
   */
  default RangeResult searchRange(float[] query, float radius, int limit) {
    return searchRange(SearchRequest.of(query, limit), radius);
  }

  /**
   * Evaluates a filter for this index, so that searches with the result need not. It is valid for
   * good: vectors that come later are evaluated, each once and also when they were removed
   * meanwhile, by the first search that meets them, and all of them once more after a compaction.
   * Any number of threads may use it. It takes a bit for each row, which is freed when it is no
   * longer reachable. In another index, and where filters cost nothing to evaluate, it is as good
   * as {@code filter} itself.
   */
  default IdFilter prepare(IdFilter filter) {
    Objects.requireNonNull(filter, "filter");
    size();
    return filter;
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
  default boolean train(MemorySegment sample) {
    return train(sample, WriteOptions.defaults());
  }

  /**
   * As {@link #train(MemorySegment)}, with a deadline or a cancellation. What ends while it learns
   * has learnt nothing; what ends while vectors that are there already are encoded has, and the
   * next write, or another {@code train}, goes on with them. Answers are the same either way.
   */
  boolean train(MemorySegment sample, WriteOptions options);

  /** {@link #compact(WriteOptions)} without options. */
  default void compact() {
    compact(WriteOptions.defaults());
  }

  /**
   * Gives back what removed and replaced vectors take, and returns when that is done. Answers stay
   * the same. Reads and writes go on meanwhile; an index in memory is built anew beside the old
   * one, so that up to twice the memory is needed for the time. Backends with a parameter {@code
   * compactAt} do it by themselves too, in the background. Does nothing where removed vectors take
   * nothing.
   *
   * <p>At its end it waits for searches that began before and still read the old rows: for those
   * with a slow predicate also beyond a deadline.
   *
   * @throws CancelledException or {@link DeadlineExceededException} as {@code options} say; answers
   *     are as before
   */
  default void compact(WriteOptions options) {
    size();
    options.limits().check("the compaction");
  }

  /**
   * Saves one state of the index, the one at the time of the call; searches and writes go on
   * meanwhile. The directory is created, or gets a new generation of the snapshot that it holds:
   * whatever happens, it holds the old one or the new one, complete. Both are there for a while,
   * and longer if somebody reads the old one. Any number of saves, to the same directory or others,
   * one after another.
   *
   * @param directory new or empty, or saved to before; its parent must exist
   * @return what was written
   * @throws IndexBusyException when another save to the directory is going on, here or in another
   *     process
   * @throws ForeignFileException when the path is a file, or a directory that holds something else;
   *     nothing in it is touched
   * @throws CorruptIndexException when the directory holds a snapshot whose manifest is damaged
   * @throws ReadOnlyIndexException when the directory cannot be written to
   * @throws IndexIoException when the operating system refuses something else, on a full disk for
   *     example
   * @throws UnsupportedOperationException when the backend has no snapshots
   */
  default SnapshotManifest save(Path directory) {
    Objects.requireNonNull(directory, "directory");
    throw new UnsupportedOperationException(spec().backend() + " has no snapshots");
  }

  /**
   * Writes one state of the index to a file of the engine's own format, with your ids and without
   * removed vectors, for programs that use the engine without Panvec: Python's faiss, usearch and
   * hnswlib, or SQLite's shell with sqlite-vec. Searches and writes go on meanwhile. Where vectors
   * were removed the index is built anew beside this one first, which needs as much memory again.
   * Under COSINE the file holds the unit vectors.
   *
   * <p>The file is there complete or not at all.
   *
   * @param file new, in a directory that exists
   * @param options {@link java.nio.file.StandardCopyOption#REPLACE_EXISTING} for a file that may
   *     exist
   * @throws IllegalArgumentException when the format has no place for one of the ids, naming it:
   *     negative ones have none but in sqlite-vec's
   * @throws IllegalStateException when the index has yet to learn from data, or is closed
   * @throws ForeignFileException when the file exists and is not to be replaced
   * @throws ReadOnlyIndexException when its directory cannot be written to
   * @throws IndexIoException when the operating system refuses something else, on a full disk for
   *     example
   * @throws UnsupportedOperationException when the backend has no files of its own
   */
  default void export(Path file, CopyOption... options) {
    Objects.requireNonNull(file, "file");
    throw new UnsupportedOperationException(spec().backend() + " has no files of its own");
  }

  /** Numbers about the index now. */
  IndexStats stats();

  /**
   * Frees the native memory after waiting for calls in flight. A second call does nothing; other
   * calls then throw {@link IllegalStateException}.
   */
  @Override
  void close();
}
