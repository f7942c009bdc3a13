package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.DuplicateIdException;
import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.io.StringWriter;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Random traces find faults, and shrink to a few calls that a person can read and run. */
class ShrinkerTest {
  private static final int LENGTH = 500;

  /** Never the clock: the same candidates on every machine. */
  private static final Duration AMPLE = Duration.ofMinutes(10);

  private static final int REPLAYS = 3000;

  @TempDir Path directory;

  /** A fault, and how many calls show it at best. */
  private record Fault(String name, int calls, Trace.Factory factory) {
    @Override
    public String toString() {
      return name;
    }
  }

  private static final class ForgetsEveryThirdRemoval extends MapIndex {
    private int removals;

    ForgetsEveryThirdRemoval(int dimension, Metric metric) {
      super(dimension, metric);
    }

    @Override
    void erase(long id) {
      if (!rows.containsKey(id) || ++removals % 3 != 0) {
        rows.remove(id);
      }
    }
  }

  private static final class LosesARowOfSeven extends MapIndex {
    private int stored;

    LosesARowOfSeven(int dimension, Metric metric) {
      super(dimension, metric);
    }

    @Override
    void store(long id, float[] row, int batch) {
      if (batch != 7 || ++stored % 7 != 5) {
        super.store(id, row, batch);
      }
    }
  }

  private static final class BreaksTiesAsItLikes extends MapIndex {
    BreaksTiesAsItLikes(int dimension, Metric metric) {
      super(dimension, metric);
    }

    @Override
    List<Hit> nearest(float[] query, SearchRequest request) {
      List<Hit> hits = new ArrayList<>(super.nearest(query, request));
      for (int i = 1; i < hits.size(); i++) {
        if (hits.get(i).distance() == hits.get(i - 1).distance()) {
          Collections.swap(hits, i, i - 1);
          return hits;
        }
      }
      return hits;
    }
  }

  private static final class KeepsTheOldVectorOfAnUpsert extends MapIndex {
    KeepsTheOldVectorOfAnUpsert(int dimension, Metric metric) {
      super(dimension, metric);
    }

    @Override
    void store(long id, float[] row, int batch) {
      rows.putIfAbsent(id, row);
    }
  }

  private static final class IgnoresFiltersOfMoreThanFour extends MapIndex {
    IgnoresFiltersOfMoreThanFour(int dimension, Metric metric) {
      super(dimension, metric);
    }

    @Override
    List<Hit> nearest(float[] query, SearchRequest request) {
      IdFilter filter = request.idFilter();
      return filter != null && Filters.ids(filter).count() > 4
          ? super.nearest(query, SearchRequest.of(query, request.k()))
          : super.nearest(query, request);
    }
  }

  private static final class TruncatesIds extends MapIndex {
    TruncatesIds(int dimension, Metric metric) {
      super(dimension, metric);
    }

    @Override
    void store(long id, float[] row, int batch) {
      super.store((int) id, row, batch);
    }
  }

  private static final class AddsWhatComesBeforeTheDuplicate extends MapIndex {
    AddsWhatComesBeforeTheDuplicate(int dimension, Metric metric) {
      super(dimension, metric);
    }

    @Override
    public void addAll(long[] ids, float[] vectors) {
      try {
        super.addAll(ids, vectors);
      } catch (DuplicateIdException duplicate) {
        if (duplicate.row() > 0) {
          super.addAll(new long[] {ids[0]}, Arrays.copyOf(vectors, dimension));
        }
        throw duplicate;
      }
    }
  }

  private static final class ScalesItsInput extends MapIndex {
    ScalesItsInput(int dimension, Metric metric) {
      super(dimension, metric);
    }

    @Override
    public void upsert(long id, float[] vector) {
      super.upsert(id, vector);
      vector[0] *= 2;
    }
  }

  private static final class SwapsTheResultsOfABatch extends MapIndex {
    SwapsTheResultsOfABatch(int dimension, Metric metric) {
      super(dimension, metric);
    }

    @Override
    public List<SearchResult> searchAll(SearchRequest request) {
      List<SearchResult> results = super.searchAll(request);
      Collections.reverse(results);
      return results;
    }
  }

  private static final class FailsAtTheFortiethRow extends MapIndex {
    FailsAtTheFortiethRow(int dimension, Metric metric) {
      super(dimension, metric);
    }

    @Override
    void store(long id, float[] row, int batch) {
      super.store(id, row, batch);
      if (rows.size() == 40) {
        throw new IllegalStateException("no room for row 40");
      }
    }
  }

  /** A row of a batch of seven is lost, but only one time in two. */
  private static final class LosesARowNowAndThen extends MapIndex {
    private static final Random COIN = new Random(1);

    LosesARowNowAndThen(int dimension, Metric metric) {
      super(dimension, metric);
    }

    @Override
    void store(long id, float[] row, int batch) {
      if (batch != 7 || id % 2 == 0 || COIN.nextBoolean()) {
        super.store(id, row, batch);
      }
    }
  }

  static List<Fault> faults() {
    return List.of(
        new Fault("forgets every third removal", 7, ForgetsEveryThirdRemoval::new),
        new Fault("loses a row of seven", 2, LosesARowOfSeven::new),
        new Fault("breaks ties as it likes", 3, BreaksTiesAsItLikes::new),
        new Fault("keeps the old vector of an upsert", 3, KeepsTheOldVectorOfAnUpsert::new),
        new Fault("ignores filters of more than four", 2, IgnoresFiltersOfMoreThanFour::new),
        new Fault("truncates ids", 2, TruncatesIds::new),
        new Fault("adds what comes before the duplicate", 3, AddsWhatComesBeforeTheDuplicate::new),
        new Fault("scales its input", 1, ScalesItsInput::new),
        new Fault("swaps the results of a batch", 3, SwapsTheResultsOfABatch::new),
        new Fault("fails at the fortieth row", 3, FailsAtTheFortiethRow::new),
        new Fault("loses a row now and then", 3, LosesARowNowAndThen::new));
  }

  /** Each with one metric, all metrics in turn. */
  static Stream<Arguments> faultsAndMetrics() {
    Metric[] metrics = Metric.values();
    return IntStream.range(0, faults().size())
        .mapToObj(i -> Arguments.of(faults().get(i), metrics[i % metrics.length]));
  }

  /** That of the first trace that finds the fault: not all of them hold a batch of seven. */
  private static Trace.Failure failure(Fault fault, Metric metric) {
    return LongStream.range(0, 10)
        .mapToObj(i -> RandomTrace.generate(TestVectors.seed() + i, LENGTH, 16, metric))
        .flatMap(trace -> trace.run(fault.factory()).stream())
        .findFirst()
        .orElseThrow(
            () -> new AssertionError(fault + " not found, -Dpanvec.seed=" + TestVectors.seed()));
  }

  @ParameterizedTest
  @EnumSource(Metric.class)
  void anIndexThatKeepsTheContractAgreesWithTheModel(Metric metric) {
    Trace trace = RandomTrace.generate(TestVectors.seed(), 2000, 16, metric);
    assertThat(trace.run(MapIndex::new)).isEmpty();
  }

  @ParameterizedTest
  @EnumSource(Metric.class)
  void aTraceFollowsFromItsSeed(Metric metric) {
    assertThat(code(RandomTrace.generate(7, 300, 3, metric)))
        .isEqualTo(code(RandomTrace.generate(7, 300, 3, metric)))
        .isNotEqualTo(code(RandomTrace.generate(8, 300, 3, metric)));
  }

  private static String code(Trace trace) {
    return trace.operations().stream().map(Operation::toJava).collect(Collectors.joining("\n"));
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("faultsAndMetrics")
  void aFailingTraceShrinksToAFewCalls(Fault fault, Metric metric) {
    Trace.Failure failure = failure(fault, metric);
    Trace.Failure small = Shrinker.shrink(failure, fault.factory(), AMPLE, REPLAYS);
    String program = program(small);
    assertThat(small.trace().operations().size()).as(program).isLessThanOrEqualTo(fault.calls());
    assertThat(compilerErrors(program)).as(program).isEmpty();
  }

  private static String program(Trace.Failure failure) {
    IndexSpec spec =
        IndexSpec.of("map", failure.trace().dimension(), failure.trace().metric())
            .with("type", "plain")
            .with("m", 16);
    return JavaCode.program("a fault", spec, failure);
  }

  /** Every kind of call, filter and number can be printed. */
  @ParameterizedTest
  @EnumSource(Metric.class)
  void programsCompile(Metric metric) {
    Trace trace = RandomTrace.generate(TestVectors.seed(), 300, 3, metric);
    List<Operation> operations = new ArrayList<>(trace.operations());
    operations.removeIf(Operation.Train.class::isInstance);
    BitSet refused = new BitSet();
    refused.set(3, 50);
    for (Operation last :
        List.of(
            new Operation.Get(5),
            new Operation.Add(Long.MIN_VALUE, new float[] {Float.NaN, -0.0f, 1e-40f}),
            new Operation.Remove(1L << 40))) {
      operations.add(last);
      Trace.Failure failure =
          new Trace.Failure(trace.with(operations), refused, "a\nb \\u000a */", "c");
      assertThat(compilerErrors(program(failure))).isEmpty();
    }
  }

  @Test
  void shrinkingStopsWhenItsTimeIsOver() {
    Fault fault = faults().get(0);
    Trace.Failure failure = failure(fault, Metric.L2);
    assertThat(Shrinker.shrink(failure, fault.factory(), Duration.ZERO, REPLAYS)).isSameAs(failure);
    assertThat(Shrinker.shrink(failure, fault.factory(), AMPLE, 0)).isSameAs(failure);
  }

  private static String classPath() {
    try {
      URI location = VectorIndex.class.getProtectionDomain().getCodeSource().getLocation().toURI();
      return Path.of(location).toString();
    } catch (URISyntaxException impossible) {
      throw new AssertionError(impossible);
    }
  }

  private String compilerErrors(String program) {
    JavaFileObject source =
        new SimpleJavaFileObject(
            URI.create("string:///Reproducer.java"), JavaFileObject.Kind.SOURCE) {
          @Override
          public CharSequence getCharContent(boolean ignoreEncodingErrors) {
            return program;
          }
        };
    StringWriter messages = new StringWriter();
    boolean compiled =
        ToolProvider.getSystemJavaCompiler()
            .getTask(
                messages,
                null,
                null,
                List.of("-proc:none", "-d", directory.toString(), "-cp", classPath()),
                null,
                List.of(source))
            .call();
    return compiled ? "" : messages.toString();
  }
}
