package io.github.panvec.conformance;

import io.github.panvec.DuplicateIdException;
import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
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
      Thread[] threads = new Thread[6];
      for (int t = 0; t < 6; t++) {
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
      CountDownLatch running = new CountDownLatch(6);
      float[] query = gaussian(1);
      float[] sample = gaussian(400);
      List<Step> calls =
          List.of(
              () -> index.search(query, 5),
              () -> index.searchAll(sample, 5),
              () -> index.search(SearchRequest.of(query, 300).nprobe(1)),
              () -> index.upsert(7, query),
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
      Thread[] threads = new Thread[7];
      for (int t = 0; t < 6; t++) {
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
      threads[6] =
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
