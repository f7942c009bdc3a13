package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchPath;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;

/**
 * Concurrent histories, recorded and then checked against snapshot isolation: see {@link History}.
 *
 * <p>Beside the rows that are written there are others that stay as they are, far from what is
 * searched for: enough for graphs to be walked.
 */
class HistoryTest extends ConformanceTest {
  private static final int DIMENSION = 2;
  private static final int READERS = 3;
  private static final long ORIGIN = System.nanoTime();
  private static final int VERSIONS = 120;

  /** How often each writer waits for the readers: so many states at least they all see. */
  private static final int VERSIONS_PER_ROUND = 10;

  private static final int OTHER_ROWS = 1500;
  private static final long FIRST_OTHER = 1_000_000;

  /** More than are ever in the groups, which are the nearest. */
  private static final int MORE = 25;

  /** So few hits that a walk costs less than a scan of all rows, with a filter, too. */
  private static final int FEW = 4;

  private static float[] row(int version) {
    return new float[] {1, 0.05f * version};
  }

  @Test
  @Contract({"threads.snapshot-isolation", "get.many", "ids.all"})
  void everyReaderSeesStatesOfOneLine() throws Exception {
    Metric metric = any(Metric.L2);
    History history = new History(subject.toString(), TestVectors.seed(), VERSIONS);
    List<Reader> readers = new ArrayList<>();
    try {
      try (VectorIndex index = create(DIMENSION, metric)) {
        addOthers(index);
        for (int reader = 0; reader < READERS; reader++) {
          readers.add(new Reader(index, reader, metric, history.ids()));
        }
        Readers.whileRunning(
            new ArrayList<>(readers), beside -> writeAllGroups(index, history, beside));
      } finally {
        readers.forEach(reader -> history.add(reader.reads));
      }
      assertThat(history.check())
          .as("states of which a reader saw all")
          .isGreaterThanOrEqualTo(VERSIONS / VERSIONS_PER_ROUND);
    } catch (Exception | AssertionError wrong) {
      throw withFile(wrong, history);
    }
    if (subject.hasGraph() && hasLearnt()) {
      assertThat(readers.stream().mapToInt(reader -> reader.walks).sum())
          .as("walks among the searches for few")
          .isGreaterThan(VERSIONS / VERSIONS_PER_ROUND);
    }
  }

  /** Whether it learns from no more rows than there are, or needs not. */
  private boolean hasLearnt() {
    return !subject.learns() || subject.parameters().containsKey(Subject.TRAINING_ROWS);
  }

  private static AssertionError withFile(Throwable wrong, History history) throws IOException {
    return new AssertionError(
        wrong.getMessage()
            + "\nAll of it is in "
            + history.write()
            + ", which "
            + History.class.getName()
            + " checks again; -Dpanvec.seed="
            + TestVectors.seed(),
        wrong);
  }

  /** In the other direction, so that they are farther than any version under every metric. */
  private static void addOthers(VectorIndex index) {
    long[] ids = new long[OTHER_ROWS];
    float[] rows = new float[OTHER_ROWS * DIMENSION];
    for (int i = 0; i < OTHER_ROWS; i++) {
      ids[i] = FIRST_OTHER + i;
      rows[i * DIMENSION] = -100 - 0.01f * i;
      rows[i * DIMENSION + 1] = 0.05f * (i % 37 - 18);
    }
    index.addAll(ids, rows);
  }

  // ---- writing

  /** Each group by a thread of its own, which ends by itself whatever becomes of the others. */
  private static void writeAllGroups(VectorIndex index, History history, Readers beside)
      throws Exception {
    try (ExecutorService pool = Executors.newFixedThreadPool(History.GROUPS)) {
      List<Future<?>> writers = new ArrayList<>();
      for (int group = 0; group < History.GROUPS; group++) {
        int own = group;
        writers.add(
            pool.submit(
                () -> {
                  writeGroup(index, own, history, beside);
                  return null;
                }));
      }
      for (Future<?> writer : writers) {
        writer.get();
      }
    }
  }

  private static void writeGroup(VectorIndex index, int group, History history, Readers beside)
      throws InterruptedException {
    RandomGenerator random = random(group);
    for (int version = 1; version <= VERSIONS; version++) {
      History.Write write = History.write(group, version);
      float[] rows = rows(version, write.ids().length);
      history.begin(group, version, now());
      write(index, write, rows);
      history.done(group, version, now());
      if (random.nextInt(60) == 0) {
        index.compact();
      }
      if (version % VERSIONS_PER_ROUND == 0) {
        beside.awaitNextRound();
      }
    }
  }

  private static float[] rows(int version, int count) {
    float[] rows = new float[count * DIMENSION];
    for (int i = 0; i < count; i++) {
      System.arraycopy(row(version), 0, rows, i * DIMENSION, DIMENSION);
    }
    return rows;
  }

  private static void write(VectorIndex index, History.Write write, float[] rows) {
    long[] ids = write.ids();
    if (ids.length > 1) {
      if (write.removes()) {
        assertThat(index.removeAll(ids)).isEqualTo(ids.length);
      } else if (write.replaces()) {
        index.upsertAll(ids, rows);
      } else {
        index.addAll(ids, rows);
      }
    } else if (write.removes()) {
      index.remove(ids[0]);
    } else if (write.replaces()) {
      index.upsert(ids[0], rows);
    } else {
      index.add(ids[0], rows);
    }
  }

  // ---- reading

  /** What is searched for, and which version is how far from it. */
  private static final class Asked {
    final float[] vector;
    final Map<Integer, Integer> versionAt = new HashMap<>();

    /** All versions are nearer, all other rows farther. */
    final float radius;

    Asked(Metric metric, float[] vector) {
      this.vector = vector;
      float[] stored = Reference.stored(metric, vector);
      float farthest = 0;
      for (int version = 1; version <= VERSIONS; version++) {
        float distance = Reference.distance(metric, stored, Reference.stored(metric, row(version)));
        assertThat(versionAt.put(Float.floatToRawIntBits(distance), version)).isNull();
        farthest = Math.max(farthest, distance);
      }
      radius = 1.1f * farthest;
    }
  }

  /** Reads of one thread. */
  private final class Reader implements Readers.Step {
    private final VectorIndex index;
    private final int number;
    private final RandomGenerator random;
    private final long[] ids;
    private final IdFilter groups;
    private final IdFilter everything;
    private final SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, MORE);

    /** From both ends: the oldest rows are the nearest to one, the newest ones to the other. */
    private final List<Asked> asked;

    /** By the bits of the component that tells them apart. */
    private final Map<Integer, Integer> versionOf = new HashMap<>();

    private final boolean isExact = !subject.capabilities().approximate();

    /** To be looked at when the thread has ended. */
    private final List<History.Read> reads = new ArrayList<>();

    /** Most of it is seen many times, and kept once. */
    private final Map<History.Answer, History.Answer> seen = new HashMap<>();

    private int walks;

    Reader(VectorIndex index, int number, Metric metric, long[] ids) {
      this.index = index;
      this.number = number;
      this.ids = ids;
      random = random(100 + number);
      groups = index.prepare(IdFilter.matching(id -> id < FIRST_OTHER));
      everything = index.prepare(IdFilter.matching(id -> true));
      asked = List.of(new Asked(metric, row(0)), new Asked(metric, row(VERSIONS + 1)));
      for (int version = 1; version <= VERSIONS; version++) {
        versionOf.put(bits(Reference.stored(metric, row(version))), version);
      }
    }

    private static int bits(float[] stored) {
      return Float.floatToRawIntBits(stored[1]);
    }

    /** A read that sees all of a state, and one that sees something of it. */
    @Override
    public void run() {
      Asked to = asked.get(random.nextInt(asked.size()));
      SearchRequest more = SearchRequest.of(to.vector, MORE);
      switch (random.nextInt(7)) {
        case 0 -> search("exact search", true, to, more.exact());
        case 1 -> search("search among the groups", true, to, more.filter(groups));
        case 2 -> search("search for all", true, to, SearchRequest.of(to.vector, 2 * OTHER_ROWS));
        case 3 -> range(to, more);
        case 4 -> intoBuffer("exact search into a buffer", true, to, more.exact());
        case 5 -> batch("exact batch", true, to, more.exact());
        default -> getAll();
      }
      SearchRequest few = SearchRequest.of(to.vector, FEW).efSearch(FEW);
      switch (random.nextInt(5)) {
        case 0 -> search("search", isExact, to, isExact ? more : few);
        case 1 -> search("search through a filter", false, to, few.filter(everything));
        case 2 -> intoBuffer("search into a buffer", false, to, few);
        case 3 -> batch("batch", false, to, few);
        default -> ids();
      }
    }

    private void search(String how, boolean isWhole, Asked to, SearchRequest request) {
      long begin = now();
      SearchResult result = index.search(request);
      long end = now();
      record(how, begin, end, answer(how, isWhole, to, result));
    }

    private void range(Asked to, SearchRequest request) {
      long begin = now();
      SearchResult result = index.searchRange(request, to.radius).hits();
      long end = now();
      record("range search", begin, end, answer("range search", true, to, result));
    }

    private void intoBuffer(String how, boolean isWhole, Asked to, SearchRequest request) {
      long begin = now();
      index.search(request, buffer);
      long end = now();
      record(how, begin, end, answer(how, isWhole, to, buffer.toResult()));
    }

    /** The same query many times: all answers are of one state. */
    private void batch(String how, boolean isWhole, Asked to, SearchRequest request) {
      int count = 8;
      float[] queries = new float[count * DIMENSION];
      for (int i = 0; i < count; i++) {
        System.arraycopy(to.vector, 0, queries, i * DIMENSION, DIMENSION);
      }
      long begin = now();
      List<SearchResult> results = index.searchAll(request.query(MemorySegment.ofArray(queries)));
      long end = now();
      record(
          how,
          begin,
          end,
          results.stream()
              .map(result -> answer(how, isWhole, to, result))
              .toArray(History.Answer[]::new));
    }

    private void getAll() {
      long begin = now();
      List<Optional<float[]>> rows = index.getAll(ids);
      long end = now();
      Map<Long, Integer> versions = new HashMap<>();
      for (int i = 0; i < ids.length; i++) {
        if (rows.get(i).isPresent()) {
          Integer version = versionOf.get(bits(rows.get(i).get()));
          assertThat(version).as("version of %d", ids[i]).isNotNull();
          versions.put(ids[i], version);
        }
      }
      record("get of all", begin, end, new History.Answer(true, versions));
    }

    private void ids() {
      long begin = now();
      long[] live = index.ids();
      long end = now();
      Map<Long, Integer> versions = new HashMap<>();
      for (long id : live) {
        if (!isOther(id)) {
          versions.put(id, History.UNKNOWN);
        }
      }
      record("ids", begin, end, new History.Answer(true, versions));
    }

    private void record(String how, long begin, long end, History.Answer... answers) {
      List<History.Answer> known = new ArrayList<>();
      for (History.Answer answer : answers) {
        known.add(seen.computeIfAbsent(answer, Function.identity()));
      }
      reads.add(new History.Read(number, how, begin, end, known));
    }

    private History.Answer answer(String how, boolean isWhole, Asked to, SearchResult result) {
      walks += result.path() == SearchPath.WALK ? 1 : 0;
      Map<Long, Integer> versions = new HashMap<>();
      for (Hit hit : result.hits()) {
        if (isOther(hit.id())) {
          continue;
        }
        Integer version = to.versionAt.get(Float.floatToRawIntBits(hit.distance()));
        assertThat(version).as("%s: version at the distance of %s", how, hit).isNotNull();
        assertThat(versions.put(hit.id(), version)).as("%s: %s comes twice", how, hit).isNull();
      }
      return new History.Answer(isWhole, versions);
    }

    private static boolean isOther(long id) {
      return id >= FIRST_OTHER && id < FIRST_OTHER + OTHER_ROWS;
    }
  }

  private static long now() {
    return System.nanoTime() - ORIGIN;
  }

  private static RandomGenerator random(int stream) {
    return RandomGeneratorFactory.of("L64X128MixRandom").create(TestVectors.seed() + stream);
  }
}
