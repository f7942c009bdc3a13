package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.github.panvec.DuplicateIdException;
import io.github.panvec.Hit;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What bad input gets: the same type of exception on every backend, naming what is wrong. */
class ErrorTest extends ConformanceTest {
  private static final int DIMENSION = 4;

  /**
   * A call that is refused.
   *
   * @param words that the message has to contain
   */
  record Refusal(
      String name,
      Class<? extends Exception> type,
      List<String> words,
      Consumer<VectorIndex> call) {
    static Refusal of(
        String name, Class<? extends Exception> type, Consumer<VectorIndex> call, String... words) {
      return new Refusal(name, type, List.of(words), call);
    }

    /** That {@code thrown} is what the call was refused with. */
    void requireSaidBy(Throwable thrown) {
      assertThat(thrown).as(name).isExactlyInstanceOf(type);
      assertThat(Words.missing(String.valueOf(thrown.getMessage()), words))
          .as("%s: words that are not in \"%s\"", name, thrown.getMessage())
          .isEmpty();
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private static Refusal absent(String what, Consumer<VectorIndex> call) {
    return Refusal.of("no " + what, NullPointerException.class, call);
  }

  private static float[] with(int component, float value) {
    float[] vector = ones(DIMENSION);
    vector[component] = value;
    return vector;
  }

  private static SearchRequest request(float[] query) {
    return SearchRequest.of(query, 3);
  }

  static Stream<Refusal> refusals() {
    Class<IllegalArgumentException> argument = IllegalArgumentException.class;
    Class<InvalidVectorException> vector = InvalidVectorException.class;
    float[] fine = ones(DIMENSION);
    MemorySegment oddBytes = MemorySegment.ofArray(new byte[4 * DIMENSION + 3]);
    return Stream.of(
        Refusal.of("k 0", argument, index -> index.search(fine, 0), "k", "0"),
        Refusal.of("k -5", argument, index -> index.search(fine, -5), "k", "-5"),
        Refusal.of(
            "k 0 of a batch", argument, index -> index.searchAll(ones(2 * DIMENSION), 0), "k", "0"),
        Refusal.of("short query", vector, index -> index.search(ones(3), 1), "3 components", "4"),
        Refusal.of("long query", vector, index -> index.search(ones(5), 1), "5 components", "4"),
        Refusal.of(
            "long exact query",
            vector,
            index -> index.search(request(ones(9)).exact()),
            "9 components",
            "4"),
        Refusal.of("empty query", vector, index -> index.search(new float[0], 1), "0 components"),
        Refusal.of(
            "uneven batch of queries",
            vector,
            index -> index.searchAll(ones(7), 1),
            "7 components",
            "4"),
        Refusal.of(
            "query with NaN",
            vector,
            index -> index.search(with(2, Float.NaN), 1),
            "component 2",
            "NaN"),
        Refusal.of(
            "query with infinity",
            vector,
            index -> index.search(request(with(3, Float.POSITIVE_INFINITY)).exact()),
            "component 3",
            "infinite"),
        Refusal.of("short row", vector, index -> index.add(109, ones(3)), "3 components", "4"),
        Refusal.of("short upsert", vector, index -> index.upsert(1, ones(2)), "2 components", "4"),
        Refusal.of(
            "batch that is too short",
            vector,
            index -> index.addAll(new long[] {108, 109}, ones(7)),
            "8 components",
            "not 7 components"),
        Refusal.of(
            "batch that is too long",
            vector,
            index -> index.addAll(new long[] {108}, ones(8)),
            "4 components",
            "not 8 components"),
        Refusal.of(
            "row with NaN",
            vector,
            index -> index.add(109, with(1, Float.NaN)),
            "component 1",
            "NaN"),
        Refusal.of(
            "upsert with infinity",
            vector,
            index -> index.upsert(1, with(0, Float.NEGATIVE_INFINITY)),
            "component 0",
            "infinite"),
        Refusal.of(
            "live id", DuplicateIdException.class, index -> index.add(2, with(0, 5)), "id 2"),
        Refusal.of(
            "live id in a batch",
            DuplicateIdException.class,
            index -> index.addAll(new long[] {107, 3}, ones(8)),
            "row 1",
            "id 3"),
        Refusal.of(
            "id twice in a batch",
            DuplicateIdException.class,
            index -> index.addAll(new long[] {107, 108, 107}, ones(12)),
            "row 2",
            "id 107"),
        Refusal.of(
            "bytes that are no floats",
            vector,
            index -> index.addAll(MemorySegment.ofArray(new long[] {109}), oddBytes),
            "19 bytes"),
        Refusal.of(
            "query of bytes that are no floats",
            vector,
            index -> index.search(SearchRequest.of(oddBytes, 1)),
            "19 bytes"),
        Refusal.of(
            "bytes that are no ids",
            argument,
            index -> index.addAll(MemorySegment.ofArray(new byte[9]), MemorySegment.ofArray(fine)),
            "9 bytes"),
        Refusal.of(
            "buffer that is too small",
            argument,
            index -> index.search(request(fine), SearchBuffer.allocate(DIMENSION, 2)),
            "2 hits"),
        Refusal.of(
            "buffer of another dimension",
            argument,
            index -> index.search(request(fine), SearchBuffer.allocate(5, 3)),
            "dimension 5"),
        // These the request refuses itself, before any backend sees them.
        Refusal.of("efSearch 0", argument, index -> request(fine).efSearch(0), "efSearch", "0"),
        Refusal.of("nprobe 0", argument, index -> request(fine).nprobe(0), "nprobe", "0"),
        Refusal.of(
            "refineFactor 0",
            argument,
            index -> request(fine).refineFactor(0),
            "refineFactor",
            "0"),
        absent("row", index -> index.add(109, null)),
        absent("upsert", index -> index.upsert(1, null)),
        absent("ids", index -> index.addAll(null, fine)),
        absent("rows", index -> index.addAll(new long[] {109}, null)),
        absent("segment of ids", index -> index.addAll(null, MemorySegment.ofArray(fine))),
        absent(
            "segment of rows",
            index -> index.addAll(MemorySegment.ofArray(new long[] {109}), null)),
        absent("query", index -> index.search((float[]) null, 1)),
        absent("request", index -> index.search((SearchRequest) null)),
        absent(
            "request for a buffer",
            index -> index.search(null, SearchBuffer.allocate(DIMENSION, 3))),
        absent("buffer", index -> index.search(request(fine), null)),
        absent("batch of queries", index -> index.searchAll((float[]) null, 1)),
        absent("request for a batch", index -> index.searchAll((SearchRequest) null)),
        absent("sample", index -> index.train((float[]) null)),
        absent("segment of a sample", index -> index.train((MemorySegment) null)),
        Refusal.of(
            "a segment that was freed",
            IllegalStateException.class,
            index -> {
              MemorySegment gone;
              try (Arena arena = Arena.ofConfined()) {
                gone = arena.allocate(ValueLayout.JAVA_FLOAT, DIMENSION);
              }
              index.search(SearchRequest.of(gone, 1));
            }));
  }

  @ParameterizedTest
  @MethodSource("refusals")
  @Contract({"errors.same-everywhere", "errors.index-as-before"})
  void aRefusalHasItsTypeAndWordsAndChangesNothing(Refusal refusal) {
    Metric metric = any(Metric.L2);
    Rows rows = Rows.gaussian(metric, DIMENSION, 20);
    float[] query = rows.query();
    try (VectorIndex index = rows.index(subject)) {
      List<Hit> before = index.search(query, 20).hits();
      refusal.requireSaidBy(catchThrowable(() -> refusal.call().accept(index)));
      rows.assertUnchanged(index);
      assertThat(index.search(query, 20).hits()).isEqualTo(before);
      index.add(100, rows.query());
      assertThat(index.size()).isEqualTo(21);
    }
  }
}
