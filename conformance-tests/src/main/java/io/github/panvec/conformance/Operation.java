package io.github.panvec.conformance;

import io.github.panvec.IdFilter;
import io.github.panvec.RangeResult;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongUnaryOperator;
import java.util.function.UnaryOperator;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/**
 * One call of a {@link VectorIndex}, good or bad: whether it has to be refused follows from what is
 * in it and from what the index holds, see {@link Model}.
 */
sealed interface Operation {

  /**
   * Makes the call and returns what it returns, null for void. The index gets copies of all input.
   *
   * @throws Mismatch when the index changed its input
   */
  @Nullable Object on(VectorIndex index);

  /** The call as a Java expression, on a variable {@code index}. */
  String toJava();

  /** Operations with less in them that may show the same fault, those with least first. */
  default List<Operation> smaller() {
    return List.of();
  }

  /** The same call about other ids and vectors. */
  Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors);

  /** The ids that the call may change. */
  default long[] written() {
    return new long[0];
  }

  private static void requireUnchanged(float[] given, float[] now) {
    if (!Arrays.equals(given, now)) {
      throw new Mismatch("input unchanged", JavaCode.floats(now) + " in the caller's array");
    }
  }

  private static float[] flat(List<float[]> rows) {
    float[] flat = new float[rows.stream().mapToInt(row -> row.length).sum()];
    int at = 0;
    for (float[] row : rows) {
      System.arraycopy(row, 0, flat, at, row.length);
      at += row.length;
    }
    return flat;
  }

  /** Halves, then without each one. */
  private static <T> List<List<T>> shorter(List<T> list) {
    List<List<T>> shorter = new ArrayList<>();
    int half = list.size() / 2;
    if (half > 1) {
      shorter.add(list.subList(0, half));
      shorter.add(list.subList(half, list.size()));
    }
    for (int i = 0; i < list.size(); i++) {
      List<T> without = new ArrayList<>(list);
      without.remove(i);
      shorter.add(without);
    }
    return shorter;
  }

  /** A row of a batch. Its length is the dimension, or the batch has to be refused. */
  record Row(long id, float[] vector) {}

  /** {@link VectorIndex#add}. */
  record Add(long id, float[] vector) implements Operation {
    @Override
    public @Nullable Object on(VectorIndex index) {
      float[] copy = vector.clone();
      index.add(id, copy);
      requireUnchanged(vector, copy);
      return null;
    }

    @Override
    public String toJava() {
      return "index.add(" + JavaCode.id(id) + ", " + JavaCode.floats(vector) + ")";
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return new Add(ids.applyAsLong(id), vectors.apply(vector));
    }

    @Override
    public long[] written() {
      return new long[] {id};
    }
  }

  /** {@link VectorIndex#addAll(long[], float[])}, or {@code upsertAll}, which replaces. */
  record AddAll(List<Row> rows, boolean replace) implements Operation {
    float[] vectors() {
      return flat(rows.stream().map(Row::vector).toList());
    }

    @Override
    public @Nullable Object on(VectorIndex index) {
      float[] given = vectors();
      long[] ids = written();
      if (replace) {
        index.upsertAll(ids, given);
      } else {
        index.addAll(ids, given);
      }
      requireUnchanged(vectors(), given);
      if (!Arrays.equals(written(), ids)) {
        throw new Mismatch("input unchanged", JavaCode.ids(ids) + " in the caller's array");
      }
      return null;
    }

    @Override
    public String toJava() {
      String ids = JavaCode.ids(written());
      String call = replace ? "upsertAll" : "addAll";
      return "index." + call + "(new long[] {" + ids + "}, " + JavaCode.floats(vectors()) + ")";
    }

    @Override
    public List<Operation> smaller() {
      List<Operation> smaller = new ArrayList<>();
      if (rows.size() == 1) {
        Row only = rows.get(0);
        smaller.add(
            replace ? new Upsert(only.id(), only.vector()) : new Add(only.id(), only.vector()));
      }
      shorter(rows).forEach(fewer -> smaller.add(new AddAll(fewer, replace)));
      return smaller;
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return new AddAll(
          rows.stream()
              .map(row -> new Row(ids.applyAsLong(row.id()), vectors.apply(row.vector())))
              .toList(),
          replace);
    }

    @Override
    public long[] written() {
      return rows.stream().mapToLong(Row::id).toArray();
    }
  }

  /** {@link VectorIndex#upsert}. */
  record Upsert(long id, float[] vector) implements Operation {
    @Override
    public @Nullable Object on(VectorIndex index) {
      float[] copy = vector.clone();
      index.upsert(id, copy);
      requireUnchanged(vector, copy);
      return null;
    }

    @Override
    public String toJava() {
      return "index.upsert(" + JavaCode.id(id) + ", " + JavaCode.floats(vector) + ")";
    }

    @Override
    public List<Operation> smaller() {
      return List.of(new Add(id, vector));
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return new Upsert(ids.applyAsLong(id), vectors.apply(vector));
    }

    @Override
    public long[] written() {
      return new long[] {id};
    }
  }

  /** {@link VectorIndex#remove}. */
  record Remove(long id) implements Operation {
    @Override
    public @Nullable Object on(VectorIndex index) {
      return index.remove(id);
    }

    @Override
    public String toJava() {
      return "index.remove(" + JavaCode.id(id) + ")";
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return new Remove(ids.applyAsLong(id));
    }

    @Override
    public long[] written() {
      return new long[] {id};
    }
  }

  /** {@link VectorIndex#removeAll}. */
  record RemoveAll(List<Long> ids) implements Operation {
    @Override
    public @Nullable Object on(VectorIndex index) {
      return index.removeAll(written());
    }

    @Override
    public String toJava() {
      return "index.removeAll(" + JavaCode.ids(written()) + ")";
    }

    @Override
    public List<Operation> smaller() {
      List<Operation> smaller = new ArrayList<>();
      if (ids.size() == 1) {
        smaller.add(new Remove(ids.get(0)));
      }
      shorter(ids).forEach(fewer -> smaller.add(new RemoveAll(fewer)));
      return smaller;
    }

    @Override
    public Operation map(LongUnaryOperator others, UnaryOperator<float[]> vectors) {
      return new RemoveAll(ids.stream().map(others::applyAsLong).toList());
    }

    @Override
    public long[] written() {
      return ids.stream().mapToLong(Long::longValue).toArray();
    }
  }

  /** {@link VectorIndex#compact()}; returns how many rows are dead then. */
  record Compact() implements Operation {
    @Override
    public @Nullable Object on(VectorIndex index) {
      index.compact();
      return index.stats().dead();
    }

    @Override
    public String toJava() {
      return "index.compact()";
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return this;
    }
  }

  /** {@link VectorIndex#ids}, as a list. */
  record Ids() implements Operation {
    @Override
    public @Nullable Object on(VectorIndex index) {
      return LongStream.of(index.ids()).boxed().toList();
    }

    @Override
    public String toJava() {
      return "Arrays.toString(index.ids())";
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return this;
    }
  }

  /** {@link VectorIndex#get}. */
  record Get(long id) implements Operation {
    @Override
    public @Nullable Object on(VectorIndex index) {
      return index.get(id);
    }

    @Override
    public String toJava() {
      return "index.get(" + JavaCode.id(id) + ")";
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return new Get(ids.applyAsLong(id));
    }
  }

  /** {@link VectorIndex#contains}. */
  record Contains(long id) implements Operation {
    @Override
    public @Nullable Object on(VectorIndex index) {
      return index.contains(id);
    }

    @Override
    public String toJava() {
      return "index.contains(" + JavaCode.id(id) + ")";
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return new Contains(ids.applyAsLong(id));
    }
  }

  /** {@link VectorIndex#size}. */
  record Size() implements Operation {
    @Override
    public @Nullable Object on(VectorIndex index) {
      return index.size();
    }

    @Override
    public String toJava() {
      return "index.size()";
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return this;
    }
  }

  /** How a search is to be made: all but its query. */
  record Options(int k, Exactness exactness, @Nullable IdFilter filter) {
    SearchRequest request(float[] queries) {
      SearchRequest request = SearchRequest.of(queries, k);
      request = exactness == Exactness.EXACT ? request.exact() : request;
      return filter == null ? request : request.filter(filter);
    }

    /** Whether the filter, if any, lets an id pass. */
    boolean pass(long id) {
      return filter == null || filter.test(id);
    }

    String toJava(float[] queries) {
      return "SearchRequest.of("
          + JavaCode.floats(queries)
          + ", "
          + JavaCode.count(k)
          + ")"
          + (filter == null ? "" : ".filter(" + JavaCode.filter(filter) + ")")
          + (exactness == Exactness.EXACT ? ".exact()" : "");
    }

    List<Options> smaller() {
      List<Options> smaller = new ArrayList<>();
      if (filter != null) {
        smaller.add(new Options(k, exactness, null));
      }
      for (int less : new int[] {1, 2, 3, 5, k / 2, k - 1}) {
        if (less >= 1 && less < k) {
          smaller.add(new Options(less, exactness, filter));
        }
      }
      if (filter != null) {
        List<Long> ids = Filters.ids(filter).boxed().toList();
        smaller.add(new Options(k, exactness, Filters.in(ids)));
        for (int first = 1; first < ids.size(); first *= 2) {
          smaller.add(new Options(k, exactness, Filters.in(ids.subList(0, first))));
        }
        for (List<Long> fewer : shorter(ids)) {
          smaller.add(new Options(k, exactness, Filters.of(filter, fewer)));
        }
      }
      return smaller;
    }

    Options map(LongUnaryOperator ids) {
      return filter == null ? this : new Options(k, exactness, Filters.map(filter, ids));
    }
  }

  /** Whether a search asks for the true neighbours. */
  enum Exactness {
    PLAIN,
    EXACT
  }

  /** {@link VectorIndex#search(SearchRequest)}. */
  record Search(float[] query, Options options) implements Operation {
    @Override
    public @Nullable Object on(VectorIndex index) {
      float[] copy = query.clone();
      SearchResult result = index.search(options.request(copy));
      requireUnchanged(query, copy);
      return result;
    }

    @Override
    public String toJava() {
      return "index.search(" + options.toJava(query) + ")";
    }

    @Override
    public List<Operation> smaller() {
      return options.smaller().stream().<Operation>map(less -> new Search(query, less)).toList();
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return new Search(vectors.apply(query), options.map(ids));
    }
  }

  /** {@link VectorIndex#searchRange(SearchRequest, float)}. */
  record SearchRange(float[] query, Options options, float radius) implements Operation {
    @Override
    public @Nullable Object on(VectorIndex index) {
      float[] copy = query.clone();
      RangeResult result = index.searchRange(options.request(copy), radius);
      requireUnchanged(query, copy);
      return result;
    }

    @Override
    public String toJava() {
      return "index.searchRange(" + options.toJava(query) + ", " + JavaCode.number(radius) + ")";
    }

    @Override
    public List<Operation> smaller() {
      return options.smaller().stream()
          .<Operation>map(less -> new SearchRange(query, less, radius))
          .toList();
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return new SearchRange(vectors.apply(query), options.map(ids), radius);
    }
  }

  /**
   * {@link VectorIndex#search(SearchRequest, SearchBuffer)}, the query lying in the buffer; returns
   * its hits.
   */
  record BufferedSearch(float[] query, Options options, int capacity) implements Operation {
    @Override
    public @Nullable Object on(VectorIndex index) {
      SearchBuffer buffer = SearchBuffer.allocate(query.length, capacity);
      buffer.setQuery(query);
      index.search(options.request(query).query(buffer.query()), buffer);
      return buffer.toResult();
    }

    @Override
    public String toJava() {
      return "buffered(index, " + options.toJava(query) + ", " + capacity + ")";
    }

    @Override
    public List<Operation> smaller() {
      List<Operation> smaller = new ArrayList<>();
      smaller.add(new Search(query, options));
      options.smaller().forEach(less -> smaller.add(new BufferedSearch(query, less, capacity)));
      return smaller;
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return new BufferedSearch(vectors.apply(query), options.map(ids), capacity);
    }
  }

  /** {@link VectorIndex#searchAll(SearchRequest)}. */
  record SearchAll(List<float[]> queries, Options options) implements Operation {
    float[] flatQueries() {
      return flat(queries);
    }

    @Override
    public @Nullable Object on(VectorIndex index) {
      float[] given = flatQueries();
      List<SearchResult> results = index.searchAll(options.request(given));
      requireUnchanged(flatQueries(), given);
      return results;
    }

    @Override
    public String toJava() {
      return "index.searchAll(" + options.toJava(flatQueries()) + ")";
    }

    @Override
    public List<Operation> smaller() {
      List<Operation> smaller = new ArrayList<>();
      if (queries.size() == 1) {
        smaller.add(new Search(queries.get(0), options));
      }
      shorter(queries).forEach(fewer -> smaller.add(new SearchAll(fewer, options)));
      options.smaller().forEach(less -> smaller.add(new SearchAll(queries, less)));
      return smaller;
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return new SearchAll(queries.stream().map(vectors).toList(), options.map(ids));
    }
  }

  /** {@link VectorIndex#train(float[])}. */
  record Train(List<float[]> sample) implements Operation {
    float[] flatSample() {
      return flat(sample);
    }

    @Override
    public @Nullable Object on(VectorIndex index) {
      float[] given = flatSample();
      boolean trained = index.train(given);
      requireUnchanged(flatSample(), given);
      return trained;
    }

    @Override
    public String toJava() {
      return "index.train(" + JavaCode.floats(flatSample()) + ")";
    }

    @Override
    public List<Operation> smaller() {
      return shorter(sample).stream().<Operation>map(Train::new).toList();
    }

    @Override
    public Operation map(LongUnaryOperator ids, UnaryOperator<float[]> vectors) {
      return new Train(sample.stream().map(vectors).toList());
    }
  }
}
