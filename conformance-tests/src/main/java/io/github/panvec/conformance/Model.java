package io.github.panvec.conformance;

import io.github.panvec.Capabilities;
import io.github.panvec.DuplicateIdException;
import io.github.panvec.Hit;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.RangeResult;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What an index has to hold after the operations so far, a map, and by brute force what it has to
 * answer. Operations are given to the index through {@link #check}, which follows them.
 */
final class Model {
  /**
   * One thing that is wrong with a call.
   *
   * @param type what has to be thrown, or a subclass
   * @param words what the message has to contain
   */
  private record Flaw(Class<? extends RuntimeException> type, List<String> words) {
    boolean isAnsweredBy(RuntimeException thrown) {
      return type.isInstance(thrown)
          && Words.missing(String.valueOf(thrown.getMessage()), words).isEmpty();
    }

    @Override
    public String toString() {
      return type.getSimpleName() + (words.isEmpty() ? "" : " naming " + String.join(", ", words));
    }
  }

  private final Metric metric;
  private final int dimension;
  private final Capabilities capabilities;

  /** Live rows as they were given. */
  private final TreeMap<Long, float[]> rows = new TreeMap<>();

  /** Every id there was, for the last look. */
  private final Set<Long> seen = new HashSet<>();

  private boolean trained;

  Model(Metric metric, int dimension, Capabilities capabilities) {
    this.metric = metric;
    this.dimension = dimension;
    this.capabilities = capabilities;
  }

  /**
   * Makes a call and follows it.
   *
   * @return false when the index refused it, as it had to
   * @throws Mismatch when the answer is not the one that the contract asks for
   */
  boolean check(VectorIndex index, Operation operation) {
    for (long id : operation.written()) {
      seen.add(id);
    }
    List<Flaw> flaws = flaws(operation);
    Object answer;
    try {
      answer = operation.on(index);
    } catch (Mismatch mismatch) {
      throw mismatch;
    } catch (RuntimeException thrown) {
      if (!mayThrow(operation, thrown)
          && flaws.stream().noneMatch(flaw -> flaw.isAnsweredBy(thrown))) {
        throw new Mismatch(expectation(flaws, "no exception"), thrown.toString());
      }
      return false;
    }
    if (!flaws.isEmpty()) {
      throw new Mismatch(expectation(flaws, ""), JavaCode.answer(answer));
    }
    follow(index, operation, answer);
    return true;
  }

  /** Reads that show at once whether a call did what it should, or left all alone. */
  List<Operation> probes(Operation operation) {
    List<Operation> probes = new ArrayList<>();
    long[] written = operation.written();
    if (written.length > 0) {
      probes.add(new Operation.Size());
    }
    for (long id : written) {
      probes.add(new Operation.Contains(id));
    }
    if (written.length > 0 && !capabilities.codesOnly()) {
      probes.add(new Operation.Get(written[written.length - 1]));
    }
    return probes;
  }

  /** Reads that together show everything. */
  List<Operation> lastLook() {
    List<Operation> reads = new ArrayList<>();
    reads.add(new Operation.Size());
    for (long id : seen) {
      reads.add(new Operation.Contains(id));
      if (!capabilities.codesOnly()) {
        reads.add(new Operation.Get(id));
      }
    }
    return reads;
  }

  // ---- flaws of calls

  private static String expectation(List<Flaw> flaws, String none) {
    return flaws.isEmpty()
        ? none
        : flaws.stream().map(Flaw::toString).distinct().collect(Collectors.joining(" or "));
  }

  /** A sample may be too small, and how many vectors are enough is the backend's affair. */
  private static boolean mayThrow(Operation operation, RuntimeException thrown) {
    return operation instanceof Operation.Train && thrown instanceof IllegalArgumentException;
  }

  /** All that is wrong with a call; the index may complain about any of it. */
  private List<Flaw> flaws(Operation operation) {
    List<Flaw> flaws = new ArrayList<>();
    if (operation instanceof Operation.Add add) {
      refuseTaken(new long[] {add.id()}, rows.keySet(), flaws);
      refuseBad(add.vector(), "", flaws);
    } else if (operation instanceof Operation.Upsert upsert) {
      refuseBad(upsert.vector(), "", flaws);
    } else if (operation instanceof Operation.AddAll batch) {
      refuseBatch(batch, flaws);
    } else if (operation instanceof Operation.Get) {
      refuseWithoutVectors(flaws);
    } else if (operation instanceof Operation.Search search) {
      refuseBad(search.query(), "", flaws);
      refuseOptions(search.options(), flaws);
    } else if (operation instanceof Operation.BufferedSearch search) {
      refuseBad(search.query(), "", flaws);
      refuseOptions(search.options(), flaws);
    } else if (operation instanceof Operation.SearchRange search) {
      refuseBad(search.query(), "", flaws);
      refuseOptions(search.options(), flaws);
      if (Float.isNaN(search.radius()) || search.radius() < 0 && metric != Metric.DOT) {
        flaws.add(new Flaw(IllegalArgumentException.class, List.of("radius")));
      }
    } else if (operation instanceof Operation.SearchAll search) {
      refuseQueries(search, flaws);
      refuseOptions(search.options(), flaws);
    } else if (operation instanceof Operation.Train train
        && train.flatSample().length % dimension != 0) {
      flaws.add(new Flaw(InvalidVectorException.class, List.of()));
    }
    return flaws;
  }

  private static void refuseTaken(long[] ids, Set<Long> taken, List<Flaw> flaws) {
    Set<Long> before = new HashSet<>(taken);
    for (int row = 0; row < ids.length; row++) {
      if (!before.add(ids[row])) {
        List<String> words = List.of("row " + row, "id " + ids[row]);
        flaws.add(new Flaw(DuplicateIdException.class, words));
      }
    }
  }

  /** A vector that no index takes. */
  private void refuseBad(float[] vector, String where, List<Flaw> flaws) {
    if (vector.length != dimension) {
      flaws.add(
          new Flaw(
              InvalidVectorException.class,
              List.of(vector.length + " components", "" + dimension)));
      return;
    }
    for (int i = 0; i < dimension; i++) {
      if (!Float.isFinite(vector[i])) {
        String what = Float.isNaN(vector[i]) ? "NaN" : "infinite";
        List<String> words = List.of(where, "component " + i, what);
        flaws.add(new Flaw(InvalidVectorException.class, words));
      }
    }
    if (metric == Metric.COSINE && isZero(vector)) {
      flaws.add(new Flaw(InvalidVectorException.class, List.of(where, "zero")));
    }
  }

  private static boolean isZero(float[] vector) {
    for (float component : vector) {
      if (component != 0) {
        return false;
      }
    }
    return true;
  }

  private void refuseBatch(Operation.AddAll batch, List<Flaw> flaws) {
    long[] ids = batch.written();
    refuseTaken(ids, batch.replace() ? Set.of() : rows.keySet(), flaws);
    float[] vectors = batch.vectors();
    int needed = ids.length * dimension;
    if (vectors.length != needed) {
      List<String> words = List.of(needed + " components", "" + vectors.length);
      flaws.add(new Flaw(InvalidVectorException.class, words));
      return;
    }
    for (int row = 0; row < ids.length; row++) {
      refuseBad(row(vectors, row), "row " + row, flaws);
    }
  }

  private void refuseQueries(Operation.SearchAll search, List<Flaw> flaws) {
    float[] queries = search.flatQueries();
    if (queries.length % dimension != 0) {
      flaws.add(
          new Flaw(
              InvalidVectorException.class,
              List.of(queries.length + " components", "" + dimension)));
      return;
    }
    for (int q = 0; q < queries.length / dimension; q++) {
      refuseBad(row(queries, q), "query " + q, flaws);
    }
  }

  private void refuseOptions(Operation.Options options, List<Flaw> flaws) {
    if (options.k() < 1 || options.k() > capabilities.maxK()) {
      flaws.add(new Flaw(IllegalArgumentException.class, List.of("k", "" + options.k())));
    }
    if (options.exactness() == Operation.Exactness.EXACT) {
      refuseWithoutVectors(flaws);
    }
  }

  private void refuseWithoutVectors(List<Flaw> flaws) {
    if (capabilities.codesOnly()) {
      flaws.add(new Flaw(UnsupportedOperationException.class, List.of("float32 vectors")));
    }
  }

  private float[] row(float[] flat, int row) {
    return Arrays.copyOfRange(flat, row * dimension, (row + 1) * dimension);
  }

  // ---- answers

  private void follow(VectorIndex index, Operation operation, @Nullable Object answer) {
    if (operation instanceof Operation.Add add) {
      rows.put(add.id(), add.vector());
    } else if (operation instanceof Operation.Upsert upsert) {
      rows.put(upsert.id(), upsert.vector());
    } else if (operation instanceof Operation.AddAll batch) {
      float[] vectors = batch.vectors();
      long[] ids = batch.written();
      for (int row = 0; row < ids.length; row++) {
        rows.put(ids[row], row(vectors, row));
      }
    } else if (operation instanceof Operation.Remove remove) {
      requireEqual(rows.remove(remove.id()) != null, answer);
    } else if (operation instanceof Operation.RemoveAll remove) {
      int live = 0;
      for (long id : remove.written()) {
        live += rows.remove(id) != null ? 1 : 0;
      }
      requireEqual(live, answer);
    } else if (operation instanceof Operation.Compact) {
      requireEqual(0L, answer);
    } else if (operation instanceof Operation.Ids) {
      requireEqual(List.copyOf(rows.keySet()), answer);
    } else if (operation instanceof Operation.Size) {
      requireEqual((long) rows.size(), answer);
    } else if (operation instanceof Operation.Contains contains) {
      requireEqual(rows.containsKey(contains.id()), answer);
    } else if (operation instanceof Operation.Get get) {
      requireVector(get.id(), answer);
    } else if (operation instanceof Operation.Search search) {
      requireHits(search.query(), search.options(), (SearchResult) answer);
    } else if (operation instanceof Operation.SearchRange search) {
      requireWithin(search, (RangeResult) answer);
    } else if (operation instanceof Operation.BufferedSearch search) {
      requireHits(search.query(), search.options(), (SearchResult) answer);
      requireAsUnbuffered(index, search, (SearchResult) answer);
    } else if (operation instanceof Operation.SearchAll search) {
      requireResults(index, search, (List<?>) answer);
    } else if (operation instanceof Operation.Train train) {
      requireTrainedOnce(train, answer);
    }
  }

  private static void requireEqual(Object expected, @Nullable Object answer) {
    if (!expected.equals(answer)) {
      throw new Mismatch(expected.toString(), JavaCode.answer(answer));
    }
  }

  private void requireVector(long id, @Nullable Object answer) {
    float[] row = rows.get(id);
    Optional<float[]> expected =
        row == null ? Optional.empty() : Optional.of(Reference.stored(metric, row));
    if (!(answer instanceof Optional<?> came)
        || came.isPresent() != expected.isPresent()
        || expected.isPresent() && !Arrays.equals(expected.get(), (float[]) came.get())) {
      throw new Mismatch(JavaCode.answer(expected), JavaCode.answer(answer));
    }
  }

  private void requireHits(float[] query, Operation.Options options, SearchResult result) {
    List<Hit> nearest = Reference.nearest(metric, rows, query, options.k(), options::pass);
    boolean exact =
        options.exactness() == Operation.Exactness.EXACT
            || !capabilities.approximate() && !capabilities.codesOnly();
    if (exact && !result.hits().equals(nearest)) {
      throw new Mismatch(text(nearest), result.toString());
    }
    if (result.count() != nearest.size()) {
      throw new Mismatch(nearest.size() + " hits", result.count() + " hits: " + result);
    }
    requireRowsInOrder(Reference.stored(metric, query), options, result);
  }

  private void requireWithin(Operation.SearchRange search, RangeResult within) {
    Operation.Options options = search.options();
    SearchResult result = within.hits();
    requireRowsInOrder(Reference.stored(metric, search.query()), options, result);
    if (result.count() > 0 && result.distance(result.count() - 1) > search.radius()) {
      throw new Mismatch("hits within " + search.radius(), result.toString());
    }
    if (within.truncated() != (result.count() == options.k())) {
      throw new Mismatch("truncated at " + options.k() + " hits", within.toString());
    }
    if (!capabilities.codesOnly()) {
      List<Hit> nearest =
          Reference.nearest(metric, rows, search.query(), options.k(), options::pass).stream()
              .filter(hit -> hit.distance() <= search.radius())
              .toList();
      if (!result.hits().equals(nearest)) {
        throw new Mismatch(text(nearest), result.toString());
      }
    }
  }

  private void requireRowsInOrder(float[] query, Operation.Options options, SearchResult result) {
    Hit before = null;
    Set<Long> once = new HashSet<>();
    for (Hit hit : result.hits()) {
      float[] row = rows.get(hit.id());
      if (row == null || !options.pass(hit.id()) || !once.add(hit.id())) {
        String expected =
            "live ids" + (options.filter() == null ? "" : " that match") + ", once each";
        throw new Mismatch(expected, "id " + hit.id() + " in " + result);
      }
      if (!capabilities.codesOnly()) {
        float distance = Reference.distance(metric, query, Reference.stored(metric, row));
        if (Float.floatToRawIntBits(distance) != Float.floatToRawIntBits(hit.distance())) {
          throw new Mismatch("distance " + distance + " of id " + hit.id(), result.toString());
        }
      }
      if (before != null && !inOrder(before, hit)) {
        throw new Mismatch("hits by (distance, id)", result.toString());
      }
      before = hit;
    }
  }

  /** False also when a distance is NaN. */
  private static boolean inOrder(Hit a, Hit b) {
    return a.distance() < b.distance() || a.distance() == b.distance() && a.id() < b.id();
  }

  private static void requireAsUnbuffered(
      VectorIndex index, Operation.BufferedSearch search, SearchResult result) {
    SearchResult unbuffered = index.search(search.options().request(search.query()));
    if (!result.hits().equals(unbuffered.hits())) {
      throw new Mismatch(unbuffered + " as without a buffer", result.toString());
    }
  }

  private void requireResults(VectorIndex index, Operation.SearchAll search, List<?> results) {
    float[] queries = search.flatQueries();
    if (results.size() != queries.length / dimension) {
      String expected = queries.length / dimension + " results";
      throw new Mismatch(expected, results.size() + ": " + JavaCode.answer(results));
    }
    for (int q = 0; q < results.size(); q++) {
      SearchResult result = (SearchResult) results.get(q);
      float[] query = row(queries, q);
      try {
        requireHits(query, search.options(), result);
      } catch (Mismatch mismatch) {
        throw new Mismatch("for query " + q + " " + mismatch.expected(), mismatch.came());
      }
      SearchResult alone = index.search(search.options().request(query));
      if (!result.hits().equals(alone.hits())) {
        throw new Mismatch("for query " + q + " " + alone + " as alone", result.toString());
      }
    }
  }

  private void requireTrainedOnce(Operation.Train train, @Nullable Object answer) {
    boolean now = Boolean.TRUE.equals(answer);
    for (float component : train.flatSample()) {
      if (now && !Float.isFinite(component)) {
        throw new Mismatch("nothing learnt from " + component, "true");
      }
    }
    if (now && trained) {
      throw new Mismatch("false, for it is trained", "true");
    }
    trained |= now;
  }

  private static String text(List<Hit> hits) {
    return hits.stream()
        .map(hit -> hit.id() + ": " + hit.distance())
        .collect(Collectors.joining(", ", "[", "]"));
  }
}
