package io.github.panvec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ParameterTest {
  private final Parameter m = Parameter.integer("m", 16, 2, 512, "neighbours per node");

  @Test
  void numbersAndTheirTextsAreTaken() {
    assertThat(m.parse(32)).isEqualTo(32L);
    assertThat(m.parse("32")).isEqualTo(32L);
    assertThat(m.parse(32L)).isEqualTo(32L);
  }

  @Test
  void valuesOutOfRangeAreRefusedWithTheRange() {
    assertThatThrownBy(() -> m.parse(1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("m must be from 2 to 512, not 1");
    assertThatThrownBy(() -> m.parse("many"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("m must be a whole number from 2 to 512, not \"many\"");
    assertThatThrownBy(() -> m.parse(2.5)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void unknownChoicesAreRefusedWithTheList() {
    Parameter choice = Parameter.choice("quantization", List.of("f32", "f16"), "storage");
    assertThat(choice.parse("f16")).isEqualTo("f16");
    assertThatThrownBy(() -> choice.parse("f17"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("No quantization \"f17\". Did you mean \"f16\"? Available: f32, f16");
  }

  @Test
  void pathsAreKeptAsText() {
    assertThat(Parameter.path("path", "file").parse(Path.of("a", "b")))
        .isEqualTo(Path.of("a", "b").toString());
    assertThatThrownBy(() -> Parameter.path("path", "file").parse(""))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void itsTextIsALineOfHelp() {
    assertThat(m).hasToString("m (2 .. 512, default 16): neighbours per node");
  }

  @Test
  void aConditionalParameterAppliesBesideTheValuesItNames() {
    Parameter nlist = m.onlyFor("type", List.of("ivf_flat", "ivf_pq"));
    assertThat(nlist.appliesTo(Map.of("type", "ivf_pq"))).isTrue();
    assertThat(nlist.appliesTo(Map.of("type", "hnsw"))).isFalse();
    assertThat(nlist.appliesTo(Map.of())).isFalse();
    assertThat(m.appliesTo(Map.of())).isTrue();
    assertThat(nlist.condition()).hasToString("type=ivf_flat | ivf_pq");
    assertThat(nlist)
        .hasToString(
            "m (2 .. 512, default 16, only for type=ivf_flat | ivf_pq): neighbours per node");
    assertThat(nlist.parse("32")).isEqualTo(32L);
  }
}
