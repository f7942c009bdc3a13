package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.random.RandomGenerator;
import java.util.random.RandomGeneratorFactory;
import org.junit.jupiter.api.Test;

/**
 * Concurrent histories, recorded and then checked against snapshot isolation.
 *
 * <p>Each writer owns a group of ids and brings all of it from version to version, in one call
 * each: so a state of the index is one version for each group, none of which is ever without rows
 * again. Readers record whole states. The states must be whole (a group at one version), fresh (no
 * older than what had been written when the read began, no newer than what was being written when
 * it ended), and of one line: of any two one is nowhere older than the other.
 */
class HistoryTest extends ConformanceTest {
  private static final int DIMENSION = 2;
  private static final int GROUPS = 3;
  private static final int GROUP_IDS = 7;
  private static final int READERS = 3;
  private static final int VERSIONS = 120;

  /** When a version of a group was begun and done, of {@link System#nanoTime()}. */
  private static final class Written {
    final long[] begun = new long[VERSIONS + 1];
    final long[] done = new long[VERSIONS + 1];
  }

  /** A state that somebody has read: a version by group. */
  private record Read(String how, long begin, long end, int[] versions) {
    boolean isNowhereNewerThan(Read other) {
      for (int group = 0; group < GROUPS; group++) {
        if (versions[group] > other.versions[group]) {
          return false;
        }
      }
      return true;
    }
  }

  private static long id(int group, int member) {
    return 1000L * group + member;
  }

  /** Every fifth version of a group is that all but its first id are removed. */
  private static boolean removes(int version) {
    return version % 5 == 0;
  }

  private static float[] row(int version) {
    return new float[] {1, 0.05f * version};
  }

  @Test
  @Contract("threads.snapshot-isolation")
  void everyReaderSeesStatesOfOneLine() throws Exception {
    Metric metric = any(Metric.L2);
    Map<Integer, Integer> versionOf = new HashMap<>();
    float[] query = Reference.stored(metric, row(0));
    for (int version = 1; version <= VERSIONS; version++) {
      float distance = Reference.distance(metric, query, Reference.stored(metric, row(version)));
      assertThat(versionOf.put(Float.floatToRawIntBits(distance), version)).isNull();
    }
    Written[] written = new Written[GROUPS];
    List<Read> reads = new ArrayList<>();
    try (VectorIndex index = create(DIMENSION, metric);
        ExecutorService pool = Executors.newFixedThreadPool(GROUPS + READERS)) {
      CyclicBarrier start = new CyclicBarrier(GROUPS + READERS);
      List<Future<Void>> writers = new ArrayList<>();
      for (int group = 0; group < GROUPS; group++) {
        written[group] = new Written();
        writers.add(pool.submit(writer(index, group, written[group], start)));
      }
      List<Future<List<Read>>> readers = new ArrayList<>();
      for (int reader = 0; reader < READERS; reader++) {
        readers.add(pool.submit(reader(index, reader, metric, versionOf, written, start)));
      }
      for (Future<Void> writer : writers) {
        writer.get();
      }
      for (Future<List<Read>> reader : readers) {
        reads.addAll(reader.get());
      }
    }
    assertThat(reads).hasSizeGreaterThan(READERS * 10);
    check(reads, written);
  }

  private static Callable<Void> writer(
      VectorIndex index, int group, Written written, CyclicBarrier start) {
    return () -> {
      RandomGenerator random = random(group);
      long[] ids = new long[GROUP_IDS];
      for (int member = 0; member < GROUP_IDS; member++) {
        ids[member] = id(group, member);
      }
      start.await();
      for (int version = 1; version <= VERSIONS; version++) {
        float[] rows = new float[GROUP_IDS * DIMENSION];
        for (int member = 0; member < GROUP_IDS; member++) {
          System.arraycopy(row(version), 0, rows, member * DIMENSION, DIMENSION);
        }
        written.begun[version] = System.nanoTime();
        if (removes(version)) {
          long[] others = Arrays.copyOfRange(ids, 1, GROUP_IDS);
          assertThat(index.removeAll(others)).isEqualTo(GROUP_IDS - 1);
        } else if (version == 1) {
          index.addAll(ids, rows);
        } else {
          index.upsertAll(ids, rows);
        }
        written.done[version] = System.nanoTime();
        if (random.nextInt(40) == 0) {
          index.compact();
        }
      }
      return null;
    };
  }

  private Callable<List<Read>> reader(
      VectorIndex index,
      int reader,
      Metric metric,
      Map<Integer, Integer> versionOf,
      Written[] written,
      CyclicBarrier start) {
    return () -> {
      RandomGenerator random = random(100 + reader);
      IdFilter everything = index.prepare(IdFilter.matching(id -> id >= 0));
      List<Read> reads = new ArrayList<>();
      SearchRequest all = SearchRequest.of(row(0), GROUPS * GROUP_IDS + 5);
      start.await();
      boolean writersGoOn = true;
      while (writersGoOn || reads.size() < 11) {
        writersGoOn = !areDone(written);
        int way = random.nextInt(4);
        long begin = System.nanoTime();
        List<Hit> hits =
            switch (way) {
              case 0 -> index.search(all.exact()).hits();
              case 1 -> index.search(all).hits();
              case 2 -> index.search(all.filter(everything)).hits();
              default -> index.searchRange(all, Float.POSITIVE_INFINITY).hits().hits();
            };
        long end = System.nanoTime();
        String how = List.of("exact", "search", "filtered", "range").get(way);
        reads.add(new Read(how, begin, end, versions(how, hits, versionOf)));
      }
      return reads;
    };
  }

  private static boolean areDone(Written[] written) {
    for (Written group : written) {
      if (group.done[VERSIONS] == 0) {
        return false;
      }
    }
    return true;
  }

  /** The version of each group in what was read. */
  private static int[] versions(String how, List<Hit> hits, Map<Integer, Integer> versionOf) {
    int[] versions = new int[GROUPS];
    int[] members = new int[GROUPS];
    for (Hit hit : hits) {
      Integer version = versionOf.get(Float.floatToRawIntBits(hit.distance()));
      assertThat(version).as("%s: %s is at the distance of no version", how, hit).isNotNull();
      int group = (int) (hit.id() / 1000);
      members[group]++;
      if (members[group] > 1) {
        assertThat(version)
            .as("%s: versions within group %d", how, group)
            .isEqualTo(versions[group]);
      }
      versions[group] = version;
    }
    for (int group = 0; group < GROUPS; group++) {
      assertThat(members[group]).as("%s: rows of group %d", how, group).isIn(0, 1, GROUP_IDS);
      if (members[group] == 1) {
        // What its first id has been left with is of the version before.
        versions[group]++;
        assertThat(removes(versions[group])).as("%s: rows of group %d", how, group).isTrue();
      }
    }
    return versions;
  }

  private static void check(List<Read> reads, Written[] written) {
    for (Read read : reads) {
      for (int group = 0; group < GROUPS; group++) {
        int version = read.versions[group];
        for (int next = version + 1; next <= VERSIONS; next++) {
          assertThat(written[group].done[next])
              .as(
                  "%s saw version %d of group %d, when %d had been written",
                  read.how, version, group, next)
              .isGreaterThanOrEqualTo(read.begin);
        }
        assertThat(version == 0 ? Long.MIN_VALUE : written[group].begun[version])
            .as("%s saw version %d of group %d before it was written", read.how, version, group)
            .isLessThanOrEqualTo(read.end);
      }
    }
    reads.sort((a, b) -> Integer.compare(sum(a), sum(b)));
    for (int i = 1; i < reads.size(); i++) {
      assertThat(reads.get(i - 1).isNowhereNewerThan(reads.get(i)))
          .as("of the states %s and %s one came first", reads.get(i - 1), reads.get(i))
          .isTrue();
    }
  }

  private static int sum(Read read) {
    int sum = 0;
    for (int version : read.versions) {
      sum += version;
    }
    return sum;
  }

  private static RandomGenerator random(int stream) {
    return RandomGeneratorFactory.of("L64X128MixRandom").create(TestVectors.seed() + stream);
  }
}
