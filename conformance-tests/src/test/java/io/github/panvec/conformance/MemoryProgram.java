package io.github.panvec.conformance;

import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * Creates, fills, searches and closes indexes of every kind of a backend, and compares the native
 * memory after a fifth of them with that after all.
 *
 * <p>The JVM's own share is not even: what compilation, classes and the collector take comes in
 * blocks of 32 KiB and more, which it keeps for the next time, and every five seconds it gives
 * those back that nobody uses. Compiled, 80,000 searches of an index that leaks nothing have grown
 * by 8 bytes each when such blocks were taken, and shrunk by 79 each when they went; mostly it is
 * below 0.15. So it is measured until it was within the bound twice, upwards and downwards: a leak
 * is there every time, in steps or not, and the JVM's blocks are not.
 */
final class MemoryProgram {
  private static final int DIMENSION = 16;
  private static final int ROWS = 40;
  private static final int ATTEMPTS = 8;

  /** So many attempts have to find nothing: what the JVM gives back may hide a leak once. */
  private static final int HARMLESS = 2;

  /** Set where graphs and lists are to be walked, which these few rows are not worth. */
  private static final boolean ALWAYS_WALK = Boolean.getBoolean("panvec.engine.alwaysWalk");

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
              ALWAYS_WALK && walks(kind),
              () -> kind.create(DIMENSION, metric),
              indexes,
              searches);
      if (!leak.isEmpty()) {
        throw new AssertionError(leak);
      }
    }
    System.out.println("no leak");
  }

  /** Whether it has a graph or lists once these rows are in it: some wait for more. */
  private static boolean walks(Subject kind) {
    return kind.capabilities().approximate()
        && (!kind.learns() || kind.parameters().containsKey(Subject.TRAINING_ROWS));
  }

  /**
   * What leaks, or nothing.
   *
   * @param vectors whether the index has them, for get and exact
   * @param walks whether searches have to walk
   */
  static String check(
      NativeMemory memory,
      String name,
      Metric metric,
      boolean vectors,
      boolean walks,
      Supplier<VectorIndex> create,
      int indexes,
      int searches) {
    Rows rows = Rows.gaussian(metric, DIMENSION, ROWS);
    Use use = new Use(rows, vectors);
    Growth perIndex =
        growth(
            memory,
            memory.bytesPerIndex(),
            indexes,
            count -> {
              for (int i = 0; i < count; i++) {
                try (VectorIndex index = create.get()) {
                  use.of(index);
                }
              }
            });
    Growth perSearch;
    try (VectorIndex index = create.get()) {
      rows.addTo(index);
      Searches each = new Searches(index, rows, vectors);
      each.run(Searches.WAYS);
      perSearch = growth(memory, memory.bytesPerSearch(), searches, each::run);
      if (walks && (long) index.stats().details().get("walks") == 0) {
        throw new AssertionError(name + " has only scanned: " + index.stats());
      }
    }
    List<String> leaks = new ArrayList<>();
    if (indexes > 0) {
      leaks.addAll(judged(name + ": bytes of " + memory + " for each index: ", perIndex));
    }
    if (searches > 0) {
      leaks.addAll(judged(name + ": bytes of " + memory + " for each search: ", perSearch));
    }
    return String.join("; ", leaks);
  }

  private static List<String> judged(String what, Growth growth) {
    System.out.println(what + growth);
    return growth.isLeak() ? List.of("leak: " + what + growth) : List.of();
  }

  /** What is done to each index, made once: the program is interpreted. */
  private static final class Use {
    private final long[] ids;
    private final float[] vectors;
    private final float[] other;
    private final float[] few;
    private final boolean hasVectors;
    private final SearchRequest request;
    private final SearchRequest[] filtered;
    private final IdFilter odd = IdFilter.matching(id -> id % 2 != 0);

    Use(Rows rows, boolean hasVectors) {
      this.hasVectors = hasVectors;
      ids = rows.ids();
      vectors = rows.flat();
      other = rows.query();
      few = rows.queries(2);
      request = SearchRequest.of(rows.query(), 3);
      filtered = Filters.ofEveryKind().stream().map(request::filter).toArray(SearchRequest[]::new);
    }

    /** Kinds that are trained early learn from these rows. */
    void of(VectorIndex index) {
      index.addAll(ids, vectors);
      index.upsert(ids[3], other);
      index.upsertAll(new long[] {ids[5], 1000}, few);
      index.remove(ids[4]);
      index.removeAll(ids[6], ids[7], 5000);
      IdFilter prepared = index.prepare(odd);
      index.search(request);
      for (SearchRequest each : filtered) {
        index.search(each);
      }
      index.search(request.filter(prepared));
      index.searchAll(few, 3);
      index.searchRange(request, 4);
      index.ids();
      if (hasVectors) {
        index.getAll(ids);
      }
      index.compact();
      index.search(request.filter(prepared));
      index.stats();
    }
  }

  /** Something that can be done any number of times. */
  interface Work {
    void run(int count);
  }

  /**
   * Bytes by which memory grew for each piece of work, in one attempt after another.
   *
   * @param bound within which some of them are, unless there is a leak
   */
  private record Growth(List<Double> attempts, double bound) {
    boolean isLeak() {
      return attempts.stream().filter(bytes -> Math.abs(bytes) <= bound).count() < HARMLESS;
    }

    @Override
    public String toString() {
      return attempts.stream()
          .map(bytes -> String.format(Locale.ROOT, "%.2f", bytes))
          .collect(Collectors.joining(", then "));
    }
  }

  /** Over {@code count} pieces of work, the first fifth apart. */
  private static Growth growth(NativeMemory memory, double bound, int count, Work work) {
    Growth growth = new Growth(new ArrayList<>(), bound);
    int measured = count - count / 5;
    work.run(count / 5);
    while (count > 0 && growth.isLeak() && growth.attempts().size() < ATTEMPTS) {
      long before = settled(memory);
      work.run(measured);
      growth.attempts().add((double) (settled(memory) - before) / measured);
    }
    return growth;
  }

  /** What is in use when nothing is left that waits for the collector, as prepared filters do. */
  private static long settled(NativeMemory memory) {
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 3; i++) {
      System.gc();
      least = Math.min(least, memory.bytes());
    }
    return least;
  }

  /** Searches and reads of every way there is, in turn. */
  private static final class Searches {
    /** How many ways there are. */
    static final int WAYS = 17;

    private final VectorIndex index;
    private final SearchRequest[] requests;
    private final SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 10);
    private final SearchRequest ofBuffer;
    private final float[] few;
    private final long[] ids;
    private final boolean vectors;

    Searches(VectorIndex index, Rows rows, boolean vectors) {
      this.index = index;
      this.vectors = vectors;
      ids = rows.every(4);
      few = rows.queries(3);
      buffer.setQuery(rows.query());
      ofBuffer = SearchRequest.of(buffer.query(), 10);
      SearchRequest plain = SearchRequest.of(rows.query(), 5);
      List<SearchRequest> all = new ArrayList<>();
      all.add(plain);
      all.add(SearchRequest.of(MemorySegment.ofArray(rows.query()), 1));
      all.add(vectors ? plain.exact() : plain);
      for (IdFilter filter : Filters.ofEveryKind()) {
        all.add(plain.filter(filter));
      }
      all.add(plain.filter(index.prepare(IdFilter.matching(id -> id % 3 != 0))));
      requests = all.toArray(SearchRequest[]::new);
    }

    void run(int count) {
      for (int i = 0; i < count; i++) {
        int way = i % WAYS;
        if (way < requests.length) {
          index.search(requests[way]);
          continue;
        }
        switch (way - requests.length) {
          case 0 -> index.search(ofBuffer, buffer);
          case 1 -> index.search(requests[3 + i % 2].query(ofBuffer.query()), buffer);
          case 2 -> index.searchAll(few, 4);
          case 3 -> index.searchRange(requests[0], 3);
          case 4 -> index.ids();
          default -> {
            if (vectors) {
              index.getAll(ids);
            }
          }
        }
      }
    }
  }
}
