package io.github.panvec.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Metric;
import io.github.panvec.bench.toy.KindsToyBackend;
import io.github.panvec.bench.toy.ToyBackend;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class VariantTest {
  private static List<String> names(Map<String, String> given) {
    return Variant.of(new KindsToyBackend(), given).stream().map(Variant::name).toList();
  }

  private static Variant variant(String name, Map<String, String> given) {
    return Variant.of(new KindsToyBackend(), given).stream()
        .filter(variant -> variant.name().equals(name))
        .findFirst()
        .orElseThrow();
  }

  @Test
  void everyTypeIsAVariantAndThoseWithCodesAreTwo() {
    assertThat(names(Map.of()))
        .containsExactly(
            "toy-kinds flat",
            "toy-kinds graph",
            "toy-kinds lists",
            "toy-kinds lists_code",
            "toy-kinds lists_code codes only",
            "toy-kinds code",
            "toy-kinds code codes only");
    assertThat(Variant.of(new ToyBackend(), Map.of()).stream().map(Variant::name))
        .containsExactly("toy");
  }

  @Test
  void aKindFromTheUserLeavesOnlyWhatHasIt() {
    assertThat(names(Map.of("type", "code")))
        .containsExactly("toy-kinds code", "toy-kinds code codes only");
    assertThat(names(Map.of("type", "code", "keepVectors", "true")))
        .containsExactly("toy-kinds code");
    assertThat(names(Map.of("type", "flat", "keepVectors", "false")))
        .containsExactly("toy-kinds flat");
    assertThatThrownBy(() -> names(Map.of("type", "cod")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "No type \"cod\". Did you mean \"code\"? "
                + "Available: flat, graph, lists, lists_code, code");
  }

  @Test
  void aParameterGoesOnlyWhereItApplies() {
    Map<String, String> given = Map.of("nlist", "7", "m", "8");

    assertThat(variant("toy-kinds lists", given).parameters())
        .isEqualTo(Map.of("type", "lists", "nlist", "7"));
    assertThat(variant("toy-kinds graph", given).parameters())
        .isEqualTo(Map.of("type", "graph", "m", "8"));
    assertThat(variant("toy-kinds code codes only", given).parameters())
        .isEqualTo(Map.of("type", "code", "keepVectors", "false"));
    assertThat(variant("toy-kinds code", given).takes("nlist")).isFalse();
    assertThat(variant("toy-kinds code", given).takes("nonsense")).isFalse();
  }

  @Test
  void onlyCodesBesideVectorsAreRankedAgain() {
    assertThat(variant("toy-kinds code", Map.of()).isReranked()).isTrue();
    assertThat(variant("toy-kinds code codes only", Map.of()).isReranked()).isFalse();
    assertThat(variant("toy-kinds code codes only", Map.of()).isQuantised()).isTrue();
    assertThat(variant("toy-kinds lists", Map.of()).isQuantised()).isFalse();
  }

  @Test
  void aMetricThatAKindLacksIsARefusalAndAWrongParameterIsTheUsersMistake() {
    assertThat(variant("toy-kinds code", Map.of()).refusal(4, Metric.L2))
        .isEqualTo("type=code takes [COSINE, DOT], not L2");
    assertThat(variant("toy-kinds code", Map.of()).refusal(4, Metric.DOT)).isNull();
    assertThatThrownBy(
            () -> variant("toy-kinds lists", Map.of("nlist", "13")).refusal(4, Metric.DOT))
        .isInstanceOf(InputException.class)
        .hasMessage("toy-kinds lists: nlist must not be 13");
  }
}
