package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.Parameter;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Specs and their parameters. */
class SpecTest extends ConformanceTest {

  static Stream<Subject> subjects() {
    return Subjects.all().stream();
  }

  @Test
  @Contract("create.unknown-parameter")
  void unknownParametersAreRefusedWithTheListAndTheNearest() {
    List<String> names =
        Panvec.backend(subject.backend()).parameters().stream().map(Parameter::name).toList();
    String known = names.isEmpty() ? "" : names.get(0);
    assertThatThrownBy(() -> subject.create(spec(2, any(Metric.L2)).with(known + "x", 1)).close())
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("\"" + known + "x\"")
        .hasMessageContaining(known.isEmpty() ? "none" : "Did you mean \"" + known + "\"?")
        .satisfies(refused -> assertThat(Words.missing(refused.getMessage(), names)).isEmpty());
  }

  @Test
  @Contract("create.dimension")
  void dimensionsBeyondTheMaximumAreRefused() {
    int maximum = Panvec.backend(subject.backend()).capabilities().maxDimension();
    assertThat(maximum).isGreaterThanOrEqualTo(8192);
    assertThatThrownBy(() -> create(maximum + 1, any(Metric.L2)).close())
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("1 .. " + maximum);
  }

  @Test
  @Contract("create.dimension")
  void dimensionsBelowOneAreRefused() {
    for (int none : new int[] {0, -1, Integer.MIN_VALUE}) {
      assertThatThrownBy(() -> create(none, any(Metric.L2)).close())
          .isExactlyInstanceOf(IllegalArgumentException.class)
          .satisfies(
              refused ->
                  assertThat(
                          Words.missing(
                              refused.getMessage(), List.of("dimension", "at least 1", "" + none)))
                      .isEmpty());
    }
    // A dimension that is refused makes no cell.
    create(1, any(Metric.L2)).close();
  }

  @Test
  @Contract("create.snapshots")
  void itSaysWhetherItCanBeSaved(@TempDir Path folder) {
    Path snapshot = folder.resolve("saved");
    try (VectorIndex index = create(2, any(Metric.L2))) {
      if (index.capabilities().snapshots()) {
        assertThat(index.save(snapshot)).isEqualTo(Panvec.describe(snapshot));
      } else {
        assertThatThrownBy(() -> index.save(snapshot))
            .isInstanceOf(UnsupportedOperationException.class)
            .hasMessageContaining("snapshots");
        assertThat(snapshot).doesNotExist();
      }
    }
  }

  @Test
  @Contract("create.defaults")
  void theSpecOfAnIndexHasEveryDefault() {
    try (VectorIndex index = create(6, any(Metric.DOT))) {
      assertThat(index.spec().backend()).isEqualTo(subject.backend());
      Panvec.backend(subject.backend())
          .parameters()
          .forEach(
              parameter -> {
                if (parameter.defaultValue() != null
                    && parameter.appliesTo(index.spec().parameters())) {
                  assertThat(index.spec().parameters()).containsKey(parameter.name());
                }
              });
      assertThat(index.capabilities()).isEqualTo(Panvec.capabilities(spec(6, any(Metric.DOT))));
    }
  }

  @Test
  @Contract("create.parameter-range")
  void valuesThatAParameterDoesNotTakeAreRefusedByName() {
    IndexSpec spec = spec(64, any(Metric.L2));
    for (Parameter parameter : Panvec.backend(subject.backend()).parameters()) {
      if (subject.takes(parameter.name())) {
        String name = parameter.name();
        switch (parameter.type()) {
          case INTEGER -> {
            refused(spec.with(name, parameter.min() - 1), name, "" + (parameter.min() - 1));
            if (parameter.max() < Long.MAX_VALUE) {
              refused(spec.with(name, parameter.max() + 1), name, "" + (parameter.max() + 1));
            }
            refused(spec.with(name, "many"), name, "many");
          }
          case CHOICE ->
              parameter
                  .choices()
                  .forEach(choice -> refused(spec.with(name, "none-such"), name, choice));
          case PATH -> refused(spec.with(name, ""), name);
        }
      }
    }
    create(64, any(Metric.L2)).close();
  }

  private void refused(IndexSpec spec, String... words) {
    assertThatThrownBy(() -> subject.create(spec).close())
        .isExactlyInstanceOf(IllegalArgumentException.class)
        .hasMessageContainingAll(words);
  }

  @Test
  @Contract("create.metric")
  void aMetricIsTakenAsCapabilitiesSay() {
    for (Metric metric : Metric.values()) {
      if (subject.takes(metric)) {
        create(3, metric).close();
      } else {
        refused(spec(3, metric), metric.toString());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("metrics")
  @Contract("create.dimension")
  void theLargestDimensionIsTaken(Metric metric) {
    int maximum = subject.capabilities().maxDimension();
    Rows rows = Rows.gaussian(metric, maximum, 3);
    try (VectorIndex index = rows.index(subject)) {
      float[] query = rows.query();
      assertThat(index.search(query, 3).count()).isEqualTo(3);
      if (subject.keepsVectors()) {
        assertThat(index.search(SearchRequest.of(query, 3).exact()).hits())
            .isEqualTo(rows.nearest(query, 3));
      }
    }
  }
}
