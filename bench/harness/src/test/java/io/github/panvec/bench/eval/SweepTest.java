package io.github.panvec.bench.eval;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.bench.Variant;
import io.github.panvec.bench.toy.ExactToyBackend;
import io.github.panvec.bench.toy.KindsToyBackend;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SweepTest {
  private static List<String> efforts(String type, Map<String, String> given, boolean fine) {
    Variant variant =
        Variant.of(new KindsToyBackend(), given).stream()
            .filter(each -> each.name().equals("toy-kinds " + type))
            .findFirst()
            .orElseThrow();
    return Sweep.of(variant, 10, 640, fine).stream().map(Effort::toString).toList();
  }

  private static List<String> efforts(String type) {
    return efforts(type, Map.of(), false);
  }

  @Test
  void aGraphIsSweptOverEfSearch() {
    assertThat(efforts("graph"))
        .containsExactly(
            "efSearch=16", "efSearch=32", "efSearch=64", "efSearch=128", "efSearch=200");
    assertThat(efforts("graph", Map.of(), true)).hasSize(9).contains("efSearch=24");
  }

  @Test
  void listsAreSweptOverNprobeAsSharesOfThem() {
    assertThat(efforts("lists"))
        .containsExactly("nprobe=10", "nprobe=20", "nprobe=40", "nprobe=80", "nprobe=160");
    assertThat(efforts("lists", Map.of(), true)).startsWith("nprobe=5").endsWith("nprobe=320");
    assertThat(Sweep.nprobe(3, false)).containsExactly(1);
    assertThat(Sweep.nprobe(100, false)).containsExactly(2, 4, 7, 13, 25);
  }

  @Test
  void whatIsRankedAgainIsSweptOverRefineFactorAtTheGreatestEffort() {
    assertThat(efforts("code"))
        .containsExactly("refineFactor=1", "refineFactor=4", "refineFactor=16");
    assertThat(efforts("lists_code"))
        .containsExactly(
            "nprobe=20 refineFactor=4",
            "nprobe=40 refineFactor=4",
            "nprobe=80 refineFactor=1",
            "nprobe=80 refineFactor=4",
            "nprobe=80 refineFactor=16");
    assertThat(efforts("lists_code", Map.of(), true)).hasSize(15);
  }

  @Test
  void codesOnlyHaveOneOrTwoRowsWithoutRefineFactor() {
    assertThat(efforts("code codes only")).containsExactly("");
    assertThat(efforts("lists_code codes only")).containsExactly("nprobe=20", "nprobe=80");
  }

  @Test
  void whatTheUserSetIsNotSwept() {
    assertThat(efforts("graph", Map.of("efSearch", "77"), false)).containsExactly("efSearch=77");
    assertThat(efforts("lists_code", Map.of("nprobe", "5"), false))
        .containsExactly(
            "nprobe=5 refineFactor=1", "nprobe=5 refineFactor=4", "nprobe=5 refineFactor=16");
    assertThat(efforts("lists_code", Map.of("refineFactor", "2"), false))
        .containsExactly(
            "nprobe=20 refineFactor=2", "nprobe=40 refineFactor=2", "nprobe=80 refineFactor=2");
  }

  @Test
  void anIndexWithoutSettingsIsAskedAsItIs() {
    Variant variant = Variant.of(new ExactToyBackend(), Map.of()).get(0);
    assertThat(Sweep.of(variant, 10, 0, false)).containsExactly(Effort.DEFAULT);
  }

  @Test
  void efSearchStartsAtK() {
    assertThat(Sweep.efSearch(10, true)).containsExactly(16, 24, 32, 48, 64, 96, 128, 200, 256);
    assertThat(Sweep.efSearch(100, false)).containsExactly(100, 128, 150, 200, 300, 400);
    assertThat(Sweep.efSearch(1000, false)).containsExactly(1000, 1500, 2000, 3000, 4000);
  }

  @Test
  void roundsAreShorterWhenThereAreManyRows() {
    assertThat(EvalRun.roundSeconds(3, 10)).isEqualTo(1);
    assertThat(EvalRun.roundSeconds(3, 75)).isEqualTo(0.26);
    assertThat(EvalRun.roundSeconds(3, 1000)).isEqualTo(0.1);
  }
}
