package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.VectorIndex;
import org.junit.jupiter.api.Test;

/** Specs and their parameters. */
class SpecTest extends ConformanceTest {

  @Test
  @Contract("create.unknown-parameter")
  void unknownParametersAreNamedWithTheNearest() {
    String known = Panvec.backend(subject.backend()).parameters().get(0).name();
    assertThatThrownBy(() -> Panvec.create(spec(2, any(Metric.L2)).with(known + "x", 1)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("\"" + known + "x\"")
        .hasMessageContaining("Did you mean \"" + known + "\"?");
  }

  @Test
  @Contract("create.dimension")
  void dimensionsBeyondTheMaximumAreRefused() {
    int maximum = Panvec.backend(subject.backend()).capabilities().maxDimension();
    assertThat(maximum).isGreaterThanOrEqualTo(8192);
    assertThatThrownBy(
            () -> Panvec.create(IndexSpec.of(subject.backend(), maximum + 1, any(Metric.L2))))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("1 .. " + maximum);
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
}
