package io.github.panvec.usearch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.Hit;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What usearch's quantizations do beyond the contract, and what upstream is known to get wrong. */
class UsearchIndexTest {
  private static final int DIMENSION = 24;

  private static IndexSpec spec(String quantization, Metric metric) {
    return IndexSpec.of("usearch", DIMENSION, metric).with("quantization", quantization);
  }

  private static float[] gaussian(int rows, long seed) {
    Random random = new Random(seed);
    float[] vectors = new float[rows * DIMENSION];
    for (int i = 0; i < vectors.length; i++) {
      vectors[i] = (float) random.nextGaussian();
    }
    return vectors;
  }

  private static void add(VectorIndex index, long firstId, float[] vectors) {
    int rows = vectors.length / index.spec().dimension();
    index.addAll(LongStream.range(firstId, firstId + rows).toArray(), vectors);
  }

  private static double recall(VectorIndex index, SearchRequest queries) {
    List<SearchResult> exact = index.searchAll(queries.exact());
    List<SearchResult> found = index.searchAll(queries);
    int common = 0;
    for (int q = 0; q < exact.size(); q++) {
      List<Hit> truth = exact.get(q).hits();
      common += (int) found.get(q).hits().stream().filter(truth::contains).count();
    }
    return common / (double) (exact.size() * queries.k());
  }

  private static void assertRefused(IndexSpec spec, String message) {
    assertThatThrownBy(() -> Panvec.capabilities(spec))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
    assertThatThrownBy(() -> Panvec.create(spec))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  // ---- what is refused before native code

  @ParameterizedTest
  @EnumSource(
      value = Metric.class,
      names = {"L2", "DOT"})
  void i8IsRefusedWhereItLosesRanks(Metric metric) {
    assertRefused(
        spec("i8", metric),
        "usearch with quantization=i8 keeps the order of COSINE only, not of "
            + metric
            + ": use f32, f16 or bf16");
    assertThat(Panvec.capabilities(spec("i8", Metric.COSINE)).metrics())
        .containsExactly(Metric.COSINE);
  }

  @ParameterizedTest
  @CsvSource({"f61, f16", "bf61, bf16", "i88, i8", "f322, f32"})
  void aQuantizationThatDoesNotExistIsAnsweredWithTheNearest(String given, String nearest) {
    assertRefused(
        spec(given, Metric.COSINE),
        "No quantization \""
            + given
            + "\". Did you mean \""
            + nearest
            + "\"? Available: f32, f16, bf16, i8");
  }

  @ParameterizedTest
  @CsvSource({"keepVectors, false", "refineFactor, 4"})
  void parametersOfCodesAreRefusedForF32(String name, String value) {
    assertRefused(
        spec("f32", Metric.L2).with(name, value),
        "usearch takes "
            + name
            + " only with quantization=f16 | bf16 | i8, not with quantization=f32");
  }

  // ---- threads

  @Test
  void moreCallersThanContextsAllGetTheirHits() throws Exception {
    try (VectorIndex index = Panvec.create(spec("f32", Metric.L2).with("threads", 2))) {
      add(index, 0, gaussian(2000, 1));
      float[] queries = gaussian(50, 2);
      List<List<Hit>> expected =
          index.searchAll(queries, 10).stream().map(SearchResult::hits).toList();
      AtomicReference<Throwable> failed = new AtomicReference<>();
      CountDownLatch start = new CountDownLatch(200);
      Thread[] callers = new Thread[200];
      for (int t = 0; t < callers.length; t++) {
        callers[t] =
            new Thread(
                () -> {
                  try {
                    start.countDown();
                    start.await();
                    for (int q = 0; q < 50; q++) {
                      float[] query =
                          Arrays.copyOfRange(queries, q * DIMENSION, (q + 1) * DIMENSION);
                      assertThat(index.search(query, 10).hits()).isEqualTo(expected.get(q));
                    }
                  } catch (Throwable thrown) {
                    failed.compareAndSet(null, thrown);
                  }
                });
        callers[t].start();
      }
      for (Thread caller : callers) {
        caller.join();
      }
      assertThat(failed.get()).isNull();
    }
  }

  @Test
  void readersGoOnWhileTheIndexGrows() throws Exception {
    try (VectorIndex index = Panvec.create(spec("f16", Metric.DOT))) {
      add(index, 0, gaussian(100, 1));
      AtomicReference<Throwable> failed = new AtomicReference<>();
      CountDownLatch grown = new CountDownLatch(1);
      Thread[] readers = new Thread[16];
      for (int t = 0; t < readers.length; t++) {
        float[] query = gaussian(1, 100 + t);
        readers[t] =
            new Thread(
                () -> {
                  try {
                    do {
                      assertThat(index.search(query, 10).count()).isEqualTo(10);
                    } while (grown.getCount() > 0);
                  } catch (Throwable thrown) {
                    failed.compareAndSet(null, thrown);
                  }
                });
        readers[t].start();
      }
      for (int i = 0; i < 40; i++) {
        add(index, 100 + 50L * i, gaussian(50, 2 + i));
      }
      grown.countDown();
      for (Thread reader : readers) {
        reader.join();
      }
      assertThat(failed.get()).isNull();
      assertThat(index.size()).isEqualTo(2100);
    }
  }

  // ---- codes

  @ParameterizedTest
  @ValueSource(strings = {"true", "false"})
  void rowsBeyondTheRangeOfF16AreStillRankedAndFound(String keepVectors) {
    IndexSpec spec = spec("f16", Metric.L2).with("keepVectors", keepVectors);
    float[] vectors = gaussian(1000, 1);
    for (int i = 0; i < vectors.length; i++) {
      // Half of the rows are far beyond 65,504, the greatest f16.
      vectors[i] *= i / DIMENSION % 2 == 0 ? 1e6f : 1;
    }
    try (VectorIndex index = Panvec.create(spec)) {
      add(index, 0, vectors);
      for (int q = 0; q < 40; q++) {
        float[] query = Arrays.copyOfRange(vectors, q * DIMENSION, (q + 1) * DIMENSION);
        SearchResult result = index.search(query, 10);
        assertThat(result.count()).isEqualTo(10);
        assertThat(result.distances()).doesNotContain(Float.NaN);
        if (keepVectors.equals("true")) {
          assertThat(index.search(SearchRequest.of(query, 1).exact()).hits())
              .containsExactly(new Hit(q, 0));
        }
        if (q % 2 == 1) {
          assertThat(result.id(0)).isEqualTo(q);
        }
      }
    }
  }

  /** Upstream's portable code calls them identical. */
  @ParameterizedTest
  @ValueSource(strings = {"true", "false"})
  void orthogonalVectorsAreFarApartInI8(String keepVectors) {
    IndexSpec spec = spec("i8", Metric.COSINE).with("keepVectors", keepVectors);
    try (VectorIndex index = Panvec.create(spec)) {
      // Ten near the first axis, the rest orthogonal to it.
      for (int id = 0; id < 400; id++) {
        float[] vector = new float[DIMENSION];
        vector[id < 10 ? 0 : 1 + id % (DIMENSION - 1)] = 1;
        if (id < 10) {
          vector[1 + id] = 0.2f;
        } else {
          vector[1 + (id / 7) % (DIMENSION - 1)] += 0.5f;
        }
        index.add(id, vector);
      }
      float[] axis = new float[DIMENSION];
      axis[0] = 3;
      SearchResult near = index.search(axis, 10);
      assertThat(near.ids()).containsExactlyInAnyOrder(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
      assertThat(near.distance(9)).isLessThan(0.1f);
      assertThat(index.search(axis, 11).distance(10)).isGreaterThan(0.9f);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"f16", "bf16", "i8"})
  void codesAloneTakeLessMemoryAndTellTheirSize(String quantization) {
    IndexSpec spec =
        IndexSpec.of("usearch", 256, Metric.COSINE)
            .with("quantization", quantization)
            .with("m", 4)
            .with("efConstruction", 10);
    Random random = new Random(1);
    float[] vectors = new float[3000 * 256];
    for (int i = 0; i < vectors.length; i++) {
      vectors[i] = (float) random.nextGaussian();
    }
    try (VectorIndex kept = Panvec.create(spec);
        VectorIndex codes = Panvec.create(spec.with("keepVectors", "false"))) {
      add(kept, 0, vectors);
      add(codes, 0, vectors);
      long bytes = 4L * vectors.length;
      assertThat(kept.stats().nativeBytes() - codes.stats().nativeBytes())
          .isGreaterThan(bytes * 3 / 4);
      int codeBytes = quantization.equals("i8") ? 256 : 512;
      assertThat((int) codes.stats().details().get("codeBytes"))
          .isBetween(codeBytes, codeBytes + 8);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"f32", "f16", "bf16", "i8"})
  void aLargerEfSearchAndMoreCandidatesFindMore(String quantization) {
    IndexSpec spec = spec(quantization, Metric.COSINE);
    try (VectorIndex index = Panvec.create(spec)) {
      add(index, 0, gaussian(5000, 1));
      SearchRequest queries = SearchRequest.of(gaussian(60, 2), 10);
      assertThat(recall(index, queries.efSearch(10).refineFactor(1)))
          .isLessThan(recall(index, queries.efSearch(400).refineFactor(40)));
      assertThat(recall(index, queries.efSearch(400).refineFactor(40))).isGreaterThan(0.98);
    }
  }

  /** Upstream's slots that are used again lose three in a hundred rows. */
  @Test
  void whatIsRemovedAndAddedAgainTenTimesOverIsStillFound() {
    int rows = 1000;
    float[] vectors = gaussian(rows, 1);
    try (VectorIndex index = Panvec.create(spec("f32", Metric.L2))) {
      add(index, 0, vectors);
      for (int round = 0; round < 10; round++) {
        for (long id = 0; id < rows; id++) {
          assertThat(index.remove(id)).isTrue();
        }
        add(index, 0, vectors);
      }
      assertThat(index.size()).isEqualTo(rows);
      int found = 0;
      for (int id = 0; id < rows; id++) {
        float[] query = Arrays.copyOfRange(vectors, id * DIMENSION, (id + 1) * DIMENSION);
        SearchResult result = index.search(query, 1);
        assertThat(result.count()).isEqualTo(1);
        found += result.id(0) == id ? 1 : 0;
      }
      assertThat(found).isGreaterThanOrEqualTo(999);
    }
  }

  /** Upstream writes to all the room that it is given for nodes. */
  @Test
  void aSmallIndexTakesLittleMemory() throws Exception {
    Path status = Path.of("/proc/self/status");
    assumeTrue(Files.exists(status), "no /proc/self/status here to read the resident memory from");
    List<VectorIndex> indexes = new ArrayList<>();
    try {
      long before = residentKib(status);
      for (int i = 0; i < 50; i++) {
        VectorIndex index = Panvec.create(spec("f32", Metric.L2));
        indexes.add(index);
        index.add(1, gaussian(1, 1));
      }
      // With room for millions of nodes it would be 32 MiB each; the Java heap may grow as well.
      assertThat(residentKib(status) - before).isLessThan(400 << 10);
    } finally {
      indexes.forEach(VectorIndex::close);
    }
  }

  private static long residentKib(Path status) throws IOException {
    try (Stream<String> lines = Files.lines(status)) {
      return lines
          .filter(line -> line.startsWith("VmRSS:"))
          .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
          .findFirst()
          .orElseThrow();
    }
  }
}
