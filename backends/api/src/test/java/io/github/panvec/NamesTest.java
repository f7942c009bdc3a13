package io.github.panvec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class NamesTest {
  @Test
  void theNearestNameIsSuggestedBesideTheList() {
    assertThat(Names.unknown("backend", "hnwslib", List.of("faiss", "hnswlib")))
        .isEqualTo("No backend \"hnwslib\". Did you mean \"hnswlib\"? Available: faiss, hnswlib");
  }

  @Test
  void nothingIsSuggestedWhenNoNameIsNear() {
    assertThat(Names.unknown("backend", "postgres", List.of("faiss")))
        .isEqualTo("No backend \"postgres\". Available: faiss");
  }

  @Test
  void anEmptyListSaysNone() {
    assertThat(Names.unknown("backend", "x", List.of()))
        .isEqualTo("No backend \"x\". Available: none");
  }

  @Test
  void swappedNeighboursCountOnce() {
    assertThat(Names.editDistance("hnwslib", "hnswlib")).isEqualTo(1);
    assertThat(Names.editDistance("", "abc")).isEqualTo(3);
    assertThat(Names.editDistance("abc", "abc")).isZero();
  }

  @Test
  void metricsAreFoundWhateverTheCaseAndUnknownOnesAreRefused() {
    assertThat(Metric.of("Cosine")).isEqualTo(Metric.COSINE);
    assertThatThrownBy(() -> Metric.of("cosin"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("No metric \"cosin\". Did you mean \"cosine\"? Available: l2, cosine, dot");
  }
}
