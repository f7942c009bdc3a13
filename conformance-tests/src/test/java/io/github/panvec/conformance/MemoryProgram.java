package io.github.panvec.conformance;

import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;

/**
 * Creates, fills, searches and closes indexes of every kind of a backend, and compares the native
 * memory after a fifth of them with that after all.
 */
final class MemoryProgram {
  private static final int DIMENSION = 16;
  private static final int ROWS = 40;
  private static final int ROUNDS = 5;

  private MemoryProgram() {}

  /**
   * Runs it.
   *
   * @param arguments the backend, how many indexes of its first kind, and of each other one, and
   *     how many searches of each kind
   */
  public static void main(String[] arguments) {
    NativeMemory memory = NativeMemory.ofThisProcess();
    List<Subject> kinds =
        Subjects.all().stream().filter(kind -> kind.backend().equals(arguments[0])).toList();
    int searches = Integer.parseInt(arguments[3]);
    for (Subject kind : kinds) {
      int indexes = Integer.parseInt(arguments[kind == kinds.get(0) ? 1 : 2]);
      Metric metric = kind.any(Metric.L2);
      String leak =
          check(
              memory,
              kind.toString(),
              metric,
              !kind.capabilities().codesOnly(),
              () -> kind.create(DIMENSION, metric),
              indexes,
              searches);
      if (!leak.isEmpty()) {
        throw new AssertionError(leak);
      }
    }
    System.out.println("no leak");
  }

  /** What leaks, or nothing. */
  static String check(
      NativeMemory memory,
      String name,
      Metric metric,
      boolean exact,
      Supplier<VectorIndex> create,
      int indexes,
      int searches) {
    Rows rows = Rows.gaussian(metric, DIMENSION, ROWS);
    Use use = new Use(rows);
    double perIndex =
        growth(
            memory,
            indexes,
            indexes / 5,
            count -> {
              for (int i = 0; i < count; i++) {
                try (VectorIndex index = create.get()) {
                  use.of(index);
                }
              }
            });
    double perSearch;
    try (VectorIndex index = create.get()) {
      rows.addTo(index);
      Searches each = new Searches(index, rows, exact);
      perSearch = growth(memory, searches, searches / 5, each::run);
    }
    String said =
        String.format(
            Locale.ROOT,
            "%s: %.1f bytes of %s for each index, %.2f for each search",
            name,
            perIndex,
            memory,
            perSearch);
    System.out.println(said);
    return perIndex > memory.bytesPerIndex() || perSearch > memory.bytesPerSearch()
        ? "leak: " + said
        : "";
  }

  /** What is done to each index, made once: the program is interpreted. */
  private static final class Use {
    private final long[] ids;
    private final float[] vectors;
    private final float[] other;
    private final float[] few;
    private final SearchRequest request;
    private final SearchRequest filtered;

    Use(Rows rows) {
      ids = rows.ids();
      vectors = rows.flat();
      other = rows.query();
      few = rows.queries(2);
      request = SearchRequest.of(rows.query(), 3);
      filtered = request.filter(IdFilter.in(1, 2, 3));
    }

    /** Kinds that are trained early learn from these rows. */
    void of(VectorIndex index) {
      index.addAll(ids, vectors);
      index.upsert(ids[3], other);
      index.remove(ids[4]);
      index.search(request);
      index.search(filtered);
      index.searchAll(few, 3);
      index.stats();
    }
  }

  /** Something that can be done any number of times. */
  interface Work {
    void run(int count);
  }

  /**
   * Bytes by which memory grows for each of {@code count} pieces of work, those before {@code warm}
   * apart: the median over several parts, since the JVM's own share comes and goes.
   */
  private static double growth(NativeMemory memory, int count, int warm, Work work) {
    if (count == 0) {
      return 0;
    }
    work.run(warm);
    int part = (count - warm) / ROUNDS;
    double[] grown = new double[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
      long before = memory.bytes();
      work.run(part);
      grown[round] = (double) (memory.bytes() - before) / part;
    }
    Arrays.sort(grown);
    return grown[ROUNDS / 2];
  }

  /** Searches of every way there is, in turn. */
  private static final class Searches {
    private final VectorIndex index;
    private final SearchRequest[] requests;
    private final SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 10);
    private final float[] few;

    Searches(VectorIndex index, Rows rows, boolean exact) {
      this.index = index;
      few = rows.queries(3);
      buffer.setQuery(rows.query());
      SearchRequest plain = SearchRequest.of(rows.query(), 5);
      SearchRequest small = SearchRequest.of(MemorySegment.ofArray(rows.query()), 1);
      requests =
          new SearchRequest[] {
            plain,
            small,
            exact ? plain.exact() : plain,
            plain.filter(IdFilter.in(1, 2, 3)),
            SearchRequest.of(buffer.query(), 10)
          };
    }

    void run(int count) {
      for (int i = 0; i < count; i++) {
        int way = i % 6;
        if (way < 4) {
          index.search(requests[way]);
        } else if (way == 4) {
          index.search(requests[4], buffer);
        } else {
          index.searchAll(few, 4);
        }
      }
    }
  }
}
