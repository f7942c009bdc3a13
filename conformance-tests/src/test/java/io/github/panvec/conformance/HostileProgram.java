package io.github.panvec.conformance;

import io.github.panvec.DuplicateIdException;
import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongPredicate;
import java.util.stream.LongStream;

/**
 * Calls that have brought down processes with one of the libraries in them, on every kind of index
 * of one backend. It prints each step before it takes it, so that the last line tells which one was
 * too much.
 */
final class HostileProgram {
  private static final int DIMENSION = 24;

  private final Subject kind;
  private final Metric metric;
  private final Random random = new Random(TestVectors.seed());

  private HostileProgram(Subject kind, Metric metric) {
    this.kind = kind;
    this.metric = metric;
  }

  /** A step, which throws what it pleases. */
  private interface Step {
    void run() throws Exception;
  }

  public static void main(String[] arguments) throws Exception {
    List<Subject> kinds = new ArrayList<>(Subjects.all());
    kinds.removeIf(kind -> !kind.backend().equals(arguments[0]));
    for (Subject kind : kinds) {
      if (waitsForTraining(kind)) {
        // A scan, but for what trains it.
        HostileProgram program = new HostileProgram(kind, Metric.L2);
        program.step("training", program::training);
        program.step("close", program::close);
        continue;
      }
      boolean onlyCosine = !kind.takes(Metric.L2);
      new HostileProgram(kind, onlyCosine ? Metric.COSINE : Metric.L2).run(true);
      if (!onlyCosine) {
        new HostileProgram(kind, Metric.COSINE).run(false);
        new HostileProgram(kind, Metric.DOT).run(false);
      }
    }
    System.out.println("survived");
  }

  private void run(boolean withThreads) throws Exception {
    step("values", this::values);
    step("options", this::options);
    step("equal rows", this::equalRows);
    step("near overflow", this::nearOverflow);
    step("training", this::training);
    step("again and again", this::againAndAgain);
    if (withThreads) {
      step("filters", this::filters);
      step("other calls", this::otherCalls);
      step("small stack", this::smallStack);
      step("many threads", this::manyThreads);
      step("all at once", this::allAtOnce);
      step("close", this::close);
    }
  }

  private void step(String name, Step step) throws Exception {
    System.out.println(kind + " " + metric + ": " + name);
    step.run();
  }

  private VectorIndex create() {
    return Panvec.create(kind.spec(DIMENSION, metric));
  }

  private float[] gaussian(int rows) {
    return TestVectors.gaussian(random, rows * DIMENSION);
  }

  private static float[] filled(int rows, float value) {
    float[] vectors = new float[rows * DIMENSION];
    Arrays.fill(vectors, value);
    return vectors;
  }

  private static void addAll(VectorIndex index, long firstId, float[] vectors) {
    int rows = vectors.length / DIMENSION;
    index.addAll(LongStream.range(firstId, firstId + rows).toArray(), vectors);
  }

  private static void check(boolean holds, Object what) {
    if (!holds) {
      throw new AssertionError(what);
    }
  }

  private static void refused(Class<? extends Exception> expected, Callable<?> call)
      throws Exception {
    Object result;
    try {
      result = call.call();
    } catch (Exception thrown) {
      check(expected.isInstance(thrown), thrown);
      return;
    }
    throw new AssertionError("not refused: " + result);
  }

  private static void refused(Class<? extends Exception> expected, Runnable call) throws Exception {
    refused(
        expected,
        () -> {
          call.run();
          return "done";
        });
  }

  private void values() throws Exception {
    float[] bad = {
      Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.intBitsToFloat(0xffa00001)
    };
    for (int rows : new int[] {0, 1, 40, 900}) {
      try (VectorIndex index = create()) {
        addAll(index, 0, gaussian(rows));
        for (float value : bad) {
          for (int component : new int[] {0, DIMENSION - 1}) {
            float[] vector = gaussian(1);
            vector[component] = value;
            refused(InvalidVectorException.class, () -> index.search(vector, 3));
            refused(InvalidVectorException.class, () -> index.searchAll(vector, 3));
            refused(
                InvalidVectorException.class,
                () -> index.search(SearchRequest.of(vector, 3).filter(IdFilter.in(0, 1))));
            refused(InvalidVectorException.class, () -> index.add(5000, vector));
            refused(InvalidVectorException.class, () -> index.upsert(0, vector));
            float[] batch = gaussian(300);
            batch[299 * DIMENSION + component] = value;
            refused(InvalidVectorException.class, () -> addAll(index, 5000, batch));
          }
        }
        check(index.size() == rows, index);
        check(index.search(gaussian(1), 10).count() == Math.min(rows, 10), index);
      }
    }
  }

  private void options() throws Exception {
    for (int rows : new int[] {0, 1, 50, 700}) {
      try (VectorIndex index = create()) {
        index.addAll(new long[0], new float[0]);
        addAll(index, 0, gaussian(rows));
        SearchRequest all = SearchRequest.of(gaussian(1), Integer.MAX_VALUE);
        SearchRequest few = SearchRequest.of(gaussian(1), 5);
        check(index.search(all).count() == rows, all);
        check(index.search(all.efSearch(Integer.MAX_VALUE)).count() == rows, all);
        check(index.search(all.refineFactor(Integer.MAX_VALUE)).count() == rows, all);
        check(index.search(few.efSearch(1)).count() == Math.min(5, rows), few);
        check(index.search(few.efSearch(Integer.MAX_VALUE)).count() == Math.min(5, rows), few);
        check(index.search(few.refineFactor(1)).count() == Math.min(5, rows), few);
        check(index.search(few.refineFactor(Integer.MAX_VALUE)).count() == Math.min(5, rows), few);
        check(index.search(few.nprobe(1)).count() == Math.min(5, rows), few);
        SearchRequest everywhere = few.nprobe(Integer.MAX_VALUE);
        // Where nlist follows from the data, nprobe is cut to it.
        if (kind.parameters().containsKey("nlist")) {
          refused(IllegalArgumentException.class, () -> index.search(everywhere));
          refused(IllegalArgumentException.class, () -> index.searchAll(everywhere));
        } else {
          check(index.search(everywhere).count() == Math.min(5, rows), everywhere);
        }
        check(index.searchAll(new float[0], 3).isEmpty(), index);
        refused(InvalidVectorException.class, () -> index.search(new float[0], 3));
        check(index.search(few.filter(IdFilter.in())).count() == 0, index);
      }
    }
  }

  private void equalRows() {
    for (float value : new float[] {1, 0, -3e-40f}) {
      if (value == 0 && metric == Metric.COSINE) {
        continue;
      }
      try (VectorIndex index = create()) {
        for (int i = 0; i < 5; i++) {
          addAll(index, i * 400, filled(400, value));
          SearchResult result = index.search(filled(1, 1), 20);
          check(result.count() == 20, result);
          // Among lists that are as near, rounding decides, and codes differ from list to list.
          float tolerance =
              index.capabilities().codesOnly() ? 1e-5f * Math.abs(result.distance(0)) : 0;
          check(result.distance(19) - result.distance(0) <= tolerance, result);
        }
      }
    }
  }

  private void nearOverflow() {
    for (float scale : new float[] {1e15f, 1e19f, 1e30f, 1e38f, 1e-30f}) {
      try (VectorIndex index = create()) {
        float[] rows = gaussian(600);
        for (int i = 0; i < rows.length; i++) {
          rows[i] = Math.max(-1.5f, Math.min(1.5f, rows[i])) * (i / DIMENSION % 3 == 0 ? 1 : scale);
        }
        addAll(index, 0, Arrays.copyOf(rows, 300 * DIMENSION));
        addAll(index, 300, Arrays.copyOfRange(rows, 300 * DIMENSION, 600 * DIMENSION));
        for (int q = 0; q < 6; q++) {
          float[] query = Arrays.copyOfRange(rows, q * DIMENSION, (q + 1) * DIMENSION);
          check(index.search(query, 10).count() == 10, scale);
          check(index.search(query, 600).count() == 600, scale);
          if (!index.capabilities().codesOnly()) {
            List<Hit> exact = index.search(SearchRequest.of(query, 600).exact()).hits();
            check(exact.equals(expected(rows, query)), "not exact at scale " + scale);
          }
        }
      }
    }
  }

  /** All kinds of filters, and what each lets through of the ids 0 to {@code rows - 1}. */
  private static Map<IdFilter, LongPredicate> hostileFilters(int rows) {
    Map<IdFilter, LongPredicate> filters = new LinkedHashMap<>();
    for (IdFilter filter : Filters.ofEveryKind()) {
      filters.put(filter, filter::test);
    }
    filters.put(IdFilter.in(), id -> false);
    filters.put(IdFilter.notIn(), id -> true);
    filters.put(IdFilter.in().not().not(), id -> false);
    filters.put(IdFilter.in().or(IdFilter.in()), id -> false);
    filters.put(IdFilter.notIn().and(IdFilter.notIn()), id -> true);
    filters.put(IdFilter.in(-1, Long.MIN_VALUE, Long.MAX_VALUE), id -> false);
    filters.put(IdFilter.notIn(-1, Long.MIN_VALUE, Long.MAX_VALUE), id -> true);
    long[] more = LongStream.range(-5_000, rows + 50_000L).toArray();
    filters.put(IdFilter.in(more), id -> true);
    filters.put(IdFilter.notIn(more), id -> false);
    filters.put(IdFilter.in(more).and(IdFilter.range(3, 5)), id -> id >= 3 && id <= 5);
    filters.put(IdFilter.range(Long.MIN_VALUE, Long.MAX_VALUE), id -> true);
    filters.put(IdFilter.range(Long.MAX_VALUE, Long.MAX_VALUE).not(), id -> true);
    filters.put(IdFilter.bitmap(Long.MIN_VALUE, new BitSet()), id -> false);
    filters.put(IdFilter.bitmap(Long.MAX_VALUE, new BitSet()).not(), id -> true);
    BitSet last = new BitSet();
    last.set(0);
    filters.put(IdFilter.bitmap(Long.MAX_VALUE, last), id -> false);
    last.set(rows + 100_000);
    filters.put(IdFilter.bitmap(0, last), id -> id == 0);
    // As deep as they may be, of lists and of what Java has to be asked about.
    filters.put(nested(IdFilter.in(1, 2)), id -> true);
    filters.put(nested(IdFilter.matching(id -> id == 1)), id -> true);
    IdFilter wide = IdFilter.in(0);
    for (int i = 1; i < 2_000; i++) {
      wide = wide.or(i % 2 == 0 ? IdFilter.in(i) : IdFilter.range(i, i));
    }
    filters.put(wide, id -> id < 2_000);
    return filters;
  }

  /** Lets all but negative ids through, and nests as deep as is allowed. */
  private static IdFilter nested(IdFilter innermost) {
    IdFilter filter = innermost;
    for (int depth = 0; depth < IdFilter.MAX_DEPTH; depth++) {
      filter =
          depth % 2 == 0
              ? filter.or(IdFilter.range(0, Long.MAX_VALUE))
              : filter.and(IdFilter.range(0, 1_000_000));
    }
    return filter;
  }

  private void filters() throws Exception {
    IdFilter deepest = nested(IdFilter.in(1));
    refused(IllegalArgumentException.class, deepest::not);
    refused(IllegalArgumentException.class, () -> IdFilter.in(1).and(deepest.or(IdFilter.in(1))));
    refused(IllegalArgumentException.class, () -> IdFilter.range(5, 4));
    for (int rows : new int[] {0, 1, 300}) {
      Map<IdFilter, LongPredicate> filters = hostileFilters(rows);
      try (VectorIndex index = create()) {
        addAll(index, 0, gaussian(rows));
        refused(
            IllegalArgumentException.class, () -> index.prepare(deepest).not().and(IdFilter.in(1)));
        for (Map.Entry<IdFilter, LongPredicate> each : filters.entrySet()) {
          IdFilter prepared = index.prepare(each.getKey());
          checkFilter(index, each.getKey(), each.getValue(), rows);
          checkFilter(index, prepared, each.getValue(), rows);
        }
      }
    }
  }

  private void checkFilter(VectorIndex index, IdFilter filter, LongPredicate passes, int rows)
      throws Exception {
    long matches = LongStream.range(0, rows).filter(passes).count();
    SearchRequest few = SearchRequest.of(gaussian(1), 7).filter(filter);
    check(index.search(few).count() == Math.min(7, matches), filter);
    SearchRequest all = SearchRequest.of(gaussian(1), Integer.MAX_VALUE).filter(filter);
    check(index.search(all).count() == matches, filter);
    check(LongStream.of(index.search(all).ids()).allMatch(passes), filter);
    for (SearchResult each : index.searchAll(SearchRequest.of(gaussian(3), 7).filter(filter))) {
      check(each.count() == Math.min(7, matches), filter);
    }
    check(index.searchRange(all, Float.MAX_VALUE).hits().count() == matches, filter);
    SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 7);
    index.search(few, buffer);
    check(buffer.count() == Math.min(7, matches), filter);
  }

  private void otherCalls() throws Exception {
    long[] extremes = {Long.MIN_VALUE, -1, 0, Long.MAX_VALUE};
    for (int rows : new int[] {0, 1, 300}) {
      try (VectorIndex index = create()) {
        addAll(index, 0, gaussian(rows));
        check(index.ids().length == rows, index);
        check(index.removeAll() == 0, index);
        check(index.removeAll(-1, Long.MIN_VALUE, Long.MAX_VALUE, -1) == 0, index);
        index.compact();
        index.upsertAll(new long[0], new float[0]);
        index.upsertAll(extremes, gaussian(4));
        refused(
            DuplicateIdException.class, () -> index.upsertAll(new long[] {7, 8, 7}, gaussian(3)));
        refused(
            IllegalArgumentException.class, () -> index.upsertAll(new long[] {7, 8}, gaussian(3)));
        refused(
            IllegalArgumentException.class, () -> index.upsertAll(new long[] {7, 8}, gaussian(1)));
        int size = rows + (rows == 0 ? 4 : 3);
        check(index.ids().length == size, index);
        check(index.ids()[0] == Long.MIN_VALUE, index);
        if (!index.capabilities().codesOnly()) {
          check(index.getAll().isEmpty(), index);
          check(index.getAll(Long.MIN_VALUE, 5_000, Long.MIN_VALUE).get(2).isPresent(), index);
        }
        for (float radius : new float[] {0, Float.MIN_VALUE, Float.MAX_VALUE, 1f / 0}) {
          index.searchRange(gaussian(1), radius, Integer.MAX_VALUE);
        }
        refused(IllegalArgumentException.class, () -> index.searchRange(gaussian(1), Float.NaN, 1));
        refused(IllegalArgumentException.class, () -> index.searchRange(gaussian(1), 1, 0));
        if (metric != Metric.DOT) {
          refused(IllegalArgumentException.class, () -> index.searchRange(gaussian(1), -1, 1));
        }
        long[] twice =
            LongStream.concat(LongStream.of(extremes), LongStream.of(extremes)).toArray();
        check(index.removeAll(twice) == 4, index);
        index.compact();
        index.compact();
        check(index.stats().dead() == 0, index);
        check(index.ids().length == size - 4, index);
        index.removeAll(index.ids());
        index.compact();
        check(index.size() == 0 && index.search(gaussian(1), 5).count() == 0, index);
        addAll(index, 0, gaussian(20));
        check(index.search(gaussian(1), 50).count() == 20, index);
      }
    }
  }

  private List<Hit> expected(float[] rows, float[] query) {
    java.util.Map<Long, float[]> byId = new java.util.TreeMap<>();
    for (int i = 0; i < rows.length / DIMENSION; i++) {
      byId.put((long) i, Arrays.copyOfRange(rows, i * DIMENSION, (i + 1) * DIMENSION));
    }
    return new ArrayList<>(Reference.nearest(metric, byId, query, byId.size(), id -> true));
  }

  private void training() throws Exception {
    float[] twoPlaces = filled(400, 1);
    Arrays.fill(twoPlaces, 200 * DIMENSION, 400 * DIMENSION, -1);
    float[] huge = gaussian(400);
    for (int i = 0; i < huge.length; i++) {
      huge[i] *= 1e37f;
    }
    for (float[] sample : List.of(filled(400, 1), twoPlaces, huge, gaussian(400))) {
      try (VectorIndex index = create()) {
        if (kind.learns()) {
          refused(IllegalArgumentException.class, () -> index.train(new float[0]));
          refused(IllegalArgumentException.class, () -> index.train(new float[DIMENSION - 1]));
          float[] bad = gaussian(400);
          bad[399 * DIMENSION] = Float.NaN;
          refused(InvalidVectorException.class, () -> index.train(bad));
        }
        addAll(index, 0, gaussian(10));
        check(index.train(sample) == kind.learns(), index);
        check(!index.train(sample), index);
        addAll(index, 10, gaussian(500));
        check(index.search(gaussian(1), 20).count() == 20, index);
      }
    }
  }

  private static boolean waitsForTraining(Subject kind) {
    return kind.learns() && !kind.parameters().containsKey(Subject.TRAINING_ROWS);
  }

  private void againAndAgain() {
    int rows = 60;
    float[] vectors = gaussian(rows);
    try (VectorIndex index = create()) {
      addAll(index, 0, vectors);
      for (int round = 0; round < 10; round++) {
        for (int id = 0; id < rows; id++) {
          check(index.remove(id), id);
          index.add(id, Arrays.copyOfRange(vectors, id * DIMENSION, (id + 1) * DIMENSION));
        }
      }
      check(index.size() == rows, index);
      SearchResult result = index.search(gaussian(1), 100);
      check(Arrays.stream(result.ids()).distinct().count() == rows, result);
    }
  }

  private void smallStack() throws Exception {
    inThread(
        new Thread(
            null,
            noFailure(
                () -> {
                  int dimension = 1536;
                  try (VectorIndex index = Panvec.create(kind.spec(dimension, metric))) {
                    float[] vectors = TestVectors.gaussian(random, 320 * dimension);
                    index.train(Arrays.copyOf(vectors, 300 * dimension));
                    index.addAll(LongStream.range(0, 320).toArray(), vectors);
                    index.upsert(3, Arrays.copyOf(vectors, dimension));
                    SearchRequest request = SearchRequest.of(Arrays.copyOf(vectors, dimension), 20);
                    check(index.search(request).count() == 20, index);
                    check(index.search(request.filter(IdFilter.in(1, 2, 3))).count() == 3, index);
                    check(index.searchAll(vectors, 3).size() == 320, index);
                  }
                }),
            "small",
            256 << 10));
  }

  private final AtomicReference<Throwable> failed = new AtomicReference<>();

  private Runnable noFailure(Step step) {
    return () -> {
      try {
        step.run();
      } catch (Throwable thrown) {
        failed.compareAndSet(null, thrown);
      }
    };
  }

  private void inThread(Thread... threads) throws Exception {
    for (Thread thread : threads) {
      thread.start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    if (failed.get() != null) {
      throw new AssertionError("in a thread", failed.get());
    }
  }

  /** OpenMP would make a team for each of them, and usearch has contexts for a few only. */
  private void manyThreads() throws Exception {
    try (VectorIndex index = create()) {
      addAll(index, 0, gaussian(1500));
      float[] query = gaussian(1);
      long before = threadsOfTheProcess();
      CountDownLatch searched = new CountDownLatch(200);
      CountDownLatch counted = new CountDownLatch(1);
      Thread[] threads = new Thread[200];
      for (int t = 0; t < threads.length; t++) {
        threads[t] =
            new Thread(
                noFailure(
                    () -> {
                      try {
                        check(index.search(query, 10).count() == 10, index);
                      } finally {
                        searched.countDown();
                      }
                      counted.await();
                    }));
      }
      Thread counter =
          new Thread(
              noFailure(
                  () -> {
                    searched.await();
                    long most = threadsOfTheProcess();
                    counted.countDown();
                    // The 200, this one, and what the JVM starts by itself meanwhile.
                    check(most <= before + 200 + 1 + 20, before + " threads, then " + most);
                  }));
      Thread[] all = Arrays.copyOf(threads, 201);
      all[200] = counter;
      inThread(all);
    }
  }

  private static long threadsOfTheProcess() throws Exception {
    Path status = Path.of("/proc/self/status");
    if (!Files.exists(status)) {
      return Thread.getAllStackTraces().size();
    }
    try (java.util.stream.Stream<String> lines = Files.lines(status)) {
      return lines
          .filter(line -> line.startsWith("Threads:"))
          .mapToLong(line -> Long.parseLong(line.substring(8).strip()))
          .findFirst()
          .orElseThrow();
    }
  }

  private void allAtOnce() throws Exception {
    try (VectorIndex index = create()) {
      addAll(index, 0, gaussian(10));
      float[] queries = gaussian(64);
      Thread[] threads = new Thread[8];
      for (int t = 0; t < threads.length; t++) {
        int self = t;
        Random own = new Random(TestVectors.seed() + t);
        threads[t] =
            new Thread(
                noFailure(
                    () -> {
                      for (int i = 0; i < 40; i++) {
                        switch (self) {
                          case 0, 1 ->
                              addAll(
                                  index,
                                  1000L * (self + 1) + 10 * i,
                                  TestVectors.gaussian(own, 10 * DIMENSION));
                          case 2 -> index.remove(1000 + own.nextInt(400));
                          case 3 ->
                              index.upsert(own.nextInt(10), TestVectors.gaussian(own, DIMENSION));
                          case 4 -> check(index.searchAll(queries, 5).size() == 64, index);
                          case 5 -> index.compact();
                          case 6 -> {
                            index.upsertAll(
                                new long[] {3, 4}, TestVectors.gaussian(own, 2 * DIMENSION));
                            check(index.ids().length >= 10, index);
                          }
                          default ->
                              check(
                                  index.search(TestVectors.gaussian(own, DIMENSION), 10).count()
                                      == 10,
                                  index);
                        }
                      }
                    }));
      }
      inThread(threads);
      int size = (int) index.size();
      check(index.search(gaussian(1), 10_000).count() == size, size);
    }
  }

  private void close() throws Exception {
    for (int round = 0; round < 4; round++) {
      VectorIndex index = create();
      addAll(index, 0, gaussian(round == 0 ? 0 : 400));
      float[] query = gaussian(1);
      float[] sample = gaussian(400);
      List<Step> calls =
          List.of(
              () -> index.search(query, 5),
              () -> index.searchAll(sample, 5),
              () -> index.search(SearchRequest.of(query, 300).nprobe(1)),
              () -> index.upsert(7, query),
              () -> index.upsertAll(new long[] {7, 8}, Arrays.copyOf(sample, 2 * DIMENSION)),
              () -> index.removeAll(7, 8, 9),
              index::ids,
              () -> index.searchRange(query, 1, 5),
              () ->
                  index.search(SearchRequest.of(query, 5).filter(IdFilter.matching(id -> id > 3))),
              () -> index.prepare(IdFilter.range(0, 100)),
              index::compact,
              () -> index.train(sample),
              new Step() {
                private long next = 10_000;

                @Override
                public void run() {
                  try {
                    addAll(index, next, sample);
                  } catch (DuplicateIdException impossible) {
                    throw new AssertionError(impossible);
                  }
                  next += 400;
                }
              });
      CountDownLatch running = new CountDownLatch(calls.size());
      Thread[] threads = new Thread[calls.size() + 1];
      for (int t = 0; t < calls.size(); t++) {
        Step call = calls.get(t);
        threads[t] =
            new Thread(
                noFailure(
                    () -> {
                      running.countDown();
                      try {
                        for (; ; ) {
                          call.run();
                        }
                      } catch (IllegalStateException closed) {
                        check(closed.getMessage().toLowerCase().contains("closed"), closed);
                      }
                    }));
      }
      threads[calls.size()] =
          new Thread(
              noFailure(
                  () -> {
                    running.await();
                    index.close();
                  }));
      inThread(threads);
      index.close();
    }
  }
}
