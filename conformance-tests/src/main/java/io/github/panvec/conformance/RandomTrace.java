package io.github.panvec.conformance;

import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.random.RandomGenerator;

/**
 * Draws operations: over few ids, so that they come again, the extreme ones among them; over
 * vectors many of which are equal or equally far; in times of growth and of decay; good calls and
 * about one bad one in ten. Knows nothing of the index that they are for.
 */
final class RandomTrace {
  private static final long[] EXTREME_IDS = {
    -1,
    0,
    Long.MIN_VALUE,
    Long.MAX_VALUE,
    Long.MIN_VALUE + 1,
    Long.MAX_VALUE - 1,
    1L << 32,
    (1L << 32) + 1,
    Integer.MIN_VALUE,
    1L << 53
  };
  private static final int FIRST_ID = -150;
  private static final int IDS = 400;
  private static final int[] BATCHES = {0, 1, 2, 7, 19, 20, 64};
  private static final int[] QUERIES = {0, 1, 2, 5, 19, 20};
  private static final float[] NORMS = {1e-4f, 1, 1e4f};
  private static final int PHASE = 60;

  private final RandomGenerator random;
  private final int dimension;
  private final Metric metric;
  private final List<float[]> shared = new ArrayList<>();

  /** What will be live, if the index does as it should. */
  private final TreeMap<Long, float[]> live = new TreeMap<>();

  private int trainings;

  private RandomTrace(long seed, int dimension, Metric metric) {
    this.random = new Random(seed);
    this.dimension = dimension;
    this.metric = metric;
    for (int i = 0; i < 8; i++) {
      shared.add(TestVectors.gaussian(random, dimension));
      shared.add(small());
    }
  }

  /**
   * The same for the same arguments, on every machine.
   *
   * @param length how many operations, not counting those that empty the index now and then
   */
  static Trace generate(long seed, int length, int dimension, Metric metric) {
    long mixed = seed + 31L * dimension + 7919L * metric.name().hashCode();
    RandomTrace source = new RandomTrace(mixed, dimension, metric);
    List<Operation> operations = new ArrayList<>();
    for (int drawn = 0; drawn < length; drawn++) {
      // Growth twice, then decay, then all goes and it begins again.
      operations.add(source.next(drawn / PHASE % 3 == 2));
      if (drawn % (3 * PHASE) == 3 * PHASE - 1) {
        operations.addAll(source.removeEverything());
      }
    }
    return new Trace(metric, dimension, operations);
  }

  private Operation next(boolean decay) {
    int die = random.nextInt(100);
    if (die < 10) {
      return bad();
    }
    if (die < 45) {
      return search();
    }
    if (die < 52) {
      return read();
    }
    if (die < 53 && trainings++ < 3) {
      return new Operation.Train(vectors(new int[] {1, 40, 600}[random.nextInt(3)]));
    }
    if (die < 54) {
      return new Operation.Compact();
    }
    return decay && random.nextInt(5) > 0 ? remove() : write();
  }

  // ---- good calls

  private Operation write() {
    int die = random.nextInt(10);
    if (die < 3) {
      List<Operation.Row> rows = new ArrayList<>();
      int count = BATCHES[random.nextInt(BATCHES.length)];
      boolean replace = random.nextInt(3) == 0;
      for (long id : newIds(count)) {
        rows.add(new Operation.Row(id, vector()));
      }
      for (long id : replace ? liveIds(count / 2) : Set.<Long>of()) {
        rows.add(random.nextInt(rows.size() + 1), new Operation.Row(id, vector()));
      }
      rows.forEach(row -> live.put(row.id(), row.vector()));
      return new Operation.AddAll(rows, replace);
    }
    if (die < 5) {
      float[] vector = vector();
      for (long id : newIds(1)) {
        live.put(id, vector);
        return new Operation.Add(id, vector);
      }
    }
    if (die < 8) {
      Operation.Upsert upsert =
          new Operation.Upsert(random.nextBoolean() ? liveId() : id(), vector());
      live.put(upsert.id(), upsert.vector());
      return upsert;
    }
    return remove();
  }

  private Operation remove() {
    if (random.nextInt(10) == 0) {
      List<Long> ids = new ArrayList<>();
      for (int count = random.nextInt(8); count > 0; count--) {
        ids.add(random.nextInt(4) == 0 ? id() : liveId());
      }
      ids.forEach(live::remove);
      return new Operation.RemoveAll(ids);
    }
    long id = random.nextInt(10) == 0 ? id() : liveId();
    live.remove(id);
    return new Operation.Remove(id);
  }

  private List<Operation> removeEverything() {
    List<Operation> removals = new ArrayList<>();
    live.keySet().forEach(id -> removals.add(new Operation.Remove(id)));
    live.clear();
    return removals;
  }

  private Operation read() {
    return switch (random.nextInt(5)) {
      case 4 -> new Operation.Ids();
      case 0 -> new Operation.Get(id());
      case 1 -> new Operation.Get(liveId());
      case 2 -> new Operation.Contains(id());
      default -> new Operation.Size();
    };
  }

  private Operation search() {
    Operation.Options options = options();
    int die = random.nextInt(10);
    if (die < 2) {
      return new Operation.SearchAll(vectors(QUERIES[random.nextInt(QUERIES.length)]), options);
    }
    if (die < 4) {
      int capacity = Math.min(options.k(), IDS + EXTREME_IDS.length);
      return new Operation.BufferedSearch(vector(), options, capacity);
    }
    if (die < 5) {
      return new Operation.SearchRange(vector(), plain(options), radius());
    }
    return new Operation.Search(vector(), options);
  }

  /** Of rows of components -1, 0 and 1 some lie at it. */
  private float radius() {
    return switch (random.nextInt(6)) {
      case 0 -> 0;
      case 1 -> random.nextInt(3);
      case 2 -> Float.POSITIVE_INFINITY;
      default -> random.nextFloat() * (metric == Metric.COSINE ? 2 : 10);
    };
  }

  private Operation.Options options() {
    Operation.Exactness exactness =
        random.nextInt(3) == 0 ? Operation.Exactness.EXACT : Operation.Exactness.PLAIN;
    return new Operation.Options(k(), exactness, random.nextInt(5) < 2 ? filter() : null);
  }

  /** Ranges are always scanned. */
  private static Operation.Options plain(Operation.Options options) {
    return new Operation.Options(options.k(), Operation.Exactness.PLAIN, options.filter());
  }

  private int k() {
    return switch (random.nextInt(10)) {
      case 0 -> 1;
      case 1 -> Math.max(1, live.size() - 1);
      case 2 -> Math.max(1, live.size());
      case 3 -> live.size() + 1 + random.nextInt(20);
      case 4 -> random.nextBoolean() ? 5000 : Integer.MAX_VALUE;
      default -> 1 + random.nextInt(20);
    };
  }

  private IdFilter filter() {
    int count = new int[] {0, 1, 3, 20, 100, 300}[random.nextInt(6)];
    if (random.nextBoolean()) {
      long[] ids = new long[count];
      for (int i = 0; i < count; i++) {
        ids[i] = random.nextBoolean() ? liveId() : id();
      }
      return IdFilter.in(ids);
    }
    BitSet bits = new BitSet();
    for (int i = 0; i < count; i++) {
      bits.set(random.nextInt(IDS + 100));
    }
    return IdFilter.bitmap(FIRST_ID - 50L, bits);
  }

  // ---- bad calls

  private Operation bad() {
    return switch (random.nextInt(11)) {
      case 10 ->
          new Operation.SearchRange(
              vector(), plain(options()), random.nextBoolean() ? Float.NaN : -random.nextFloat());
      case 0 -> new Operation.Add(liveId(), vector());
      case 1 -> new Operation.Add(id(), broken());
      case 2 -> new Operation.Upsert(liveId(), broken());
      case 3, 4, 5 -> badBatch();
      case 6 -> new Operation.Search(broken(), options());
      case 7 ->
          new Operation.Search(
              vector(), new Operation.Options(-random.nextInt(2), Operation.Exactness.PLAIN, null));
      case 8 -> {
        List<float[]> queries = vectors(5);
        queries.set(random.nextInt(5), broken());
        yield new Operation.SearchAll(queries, options());
      }
      default -> new Operation.Train(List.of(new float[dimension + 1]));
    };
  }

  /** Good rows and a bad one among them. */
  private Operation badBatch() {
    List<Operation.Row> rows = new ArrayList<>();
    for (long id : newIds(1 + BATCHES[random.nextInt(BATCHES.length)])) {
      rows.add(new Operation.Row(id, vector()));
    }
    if (rows.isEmpty()) {
      return new Operation.Add(liveId(), broken());
    }
    int at = random.nextInt(rows.size());
    long id = rows.get(at).id();
    int die = random.nextInt(3);
    Operation.Row bad =
        switch (die) {
          case 0 -> new Operation.Row(liveId(), vector());
          case 1 -> new Operation.Row(rows.get(rows.size() - 1 - at).id(), vector());
          default -> new Operation.Row(id, broken());
        };
    rows.add(at, bad);
    // An id that is live is no fault of a batch that replaces.
    return new Operation.AddAll(rows, die > 0 && random.nextInt(3) == 0);
  }

  private float[] broken() {
    float[] vector = vector();
    int at = random.nextInt(dimension);
    switch (random.nextInt(metric == Metric.COSINE ? 6 : 5)) {
      case 5 -> vector = new float[dimension];
      case 0 -> vector[at] = Float.POSITIVE_INFINITY;
      case 1 -> vector[at] = Float.NEGATIVE_INFINITY;
      case 2 -> vector = new float[dimension + 1 - 2 * random.nextInt(2)];
      default -> vector[at] = Float.NaN;
    }
    return vector;
  }

  // ---- ids and vectors

  private long id() {
    return random.nextInt(10) == 0
        ? EXTREME_IDS[random.nextInt(EXTREME_IDS.length)]
        : FIRST_ID + random.nextInt(IDS);
  }

  private long liveId() {
    Long id = live.isEmpty() ? null : live.ceilingKey(id());
    return id == null ? id() : id;
  }

  /** Up to so many different ids that are live. */
  private Set<Long> liveIds(int count) {
    Set<Long> ids = new LinkedHashSet<>();
    for (int tries = 0; tries < count && !live.isEmpty(); tries++) {
      Long id = live.ceilingKey(id());
      if (id != null) {
        ids.add(id);
      }
    }
    return ids;
  }

  /** Up to so many different ids that are not live. */
  private List<Long> newIds(int count) {
    List<Long> ids = new ArrayList<>();
    for (int tries = 0; tries < 4 * count && ids.size() < count; tries++) {
      long id = id();
      if (!live.containsKey(id) && !ids.contains(id)) {
        ids.add(id);
      }
    }
    return ids;
  }

  private List<float[]> vectors(int count) {
    List<float[]> vectors = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      vectors.add(vector());
    }
    return vectors;
  }

  /** A vector that the metric takes; often one that there is already, or as far from others. */
  private float[] vector() {
    return switch (random.nextInt(8)) {
      case 0, 1 -> shared.get(random.nextInt(shared.size())).clone();
      case 2, 3 -> small();
      case 4 ->
          TestVectors.scaled(
              TestVectors.gaussian(random, dimension), NORMS[random.nextInt(NORMS.length)]);
      default -> TestVectors.gaussian(random, dimension);
    };
  }

  /** Of components -1, 0 and 1, and both zeros. */
  private float[] small() {
    float[] vector = new float[dimension];
    for (int i = 0; i < dimension; i++) {
      int die = random.nextInt(7);
      vector[i] = die == 0 ? -0.0f : die % 3 - 1;
    }
    if (metric == Metric.COSINE) {
      vector[random.nextInt(dimension)] = 1;
    }
    return vector;
  }
}
