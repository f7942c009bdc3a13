package io.github.panvec.faiss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.Parameter;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** What is refused before native code, and what numbers follow from N and d. */
class FaissParametersTest {

  private static IndexSpec spec(int dimension, String type) {
    return IndexSpec.of("faiss", dimension, Metric.L2).with("type", type);
  }

  /** As Panvec hands specs over: every parameter that applies, parsed. */
  private static FaissParameters resolved(IndexSpec spec) {
    Map<String, Object> values = new TreeMap<>();
    values.put("type", spec.parameters().get("type"));
    IndexSpec resolved = spec;
    for (Parameter parameter : FaissParameters.DECLARED) {
      if (parameter.appliesTo(values)) {
        Object given = spec.parameters().getOrDefault(parameter.name(), parameter.defaultValue());
        resolved = resolved.with(parameter.name(), parameter.parse(given));
      }
    }
    return FaissParameters.of(resolved);
  }

  private static void assertRefused(IndexSpec spec, String message) {
    // Both: nothing is loaded for the one, and nothing created by the other.
    assertThatThrownBy(() -> Panvec.capabilities(spec))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
    assertThatThrownBy(() -> Panvec.create(spec))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  @Test
  void aTypeThatDoesNotExistIsAnsweredWithTheNearestAndTheList() {
    assertRefused(
        spec(8, "ivf_flatt"),
        "No type \"ivf_flatt\". Did you mean \"ivf_flat\"? Available: "
            + "hnsw, hnsw_sq8, flat, sq8, pq, ivf_flat, ivf_sq8, ivf_pq");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      value = {
        "hnsw; nlist; type=ivf_flat | ivf_sq8 | ivf_pq",
        "flat; nprobe; type=ivf_flat | ivf_sq8 | ivf_pq",
        "pq; expectedRows; type=ivf_flat | ivf_sq8 | ivf_pq",
        "ivf_flat; m; type=hnsw | hnsw_sq8",
        "sq8; efSearch; type=hnsw | hnsw_sq8",
        "flat; efConstruction; type=hnsw | hnsw_sq8",
        "ivf_sq8; pqM; type=ivf_pq | pq",
        "hnsw_sq8; pqBits; type=ivf_pq | pq",
        "hnsw; refineFactor; type=hnsw_sq8 | ivf_sq8 | ivf_pq | pq | sq8",
        "ivf_flat; keepVectors; type=hnsw_sq8 | ivf_sq8 | ivf_pq | pq | sq8",
        "flat; trainingRows; type=hnsw_sq8 | ivf_flat | ivf_sq8 | ivf_pq | pq | sq8",
        "hnsw; trainingRows; type=hnsw_sq8 | ivf_flat | ivf_sq8 | ivf_pq | pq | sq8",
      })
  void aParameterOfOtherTypesIsRefusedNamingThem(String type, String name, String types) {
    assertRefused(
        spec(8, type).with(name, name.equals("keepVectors") ? "true" : 8),
        "faiss takes " + name + " only with " + types + ", not with type=" + type);
  }

  @ParameterizedTest
  @EnumSource(
      value = FaissType.class,
      names = {"PQ", "IVF_PQ"})
  void aPqMThatDoesNotDivideTheDimensionIsAnsweredWithItsDivisors(FaissType type) {
    assertRefused(
        spec(96, type.toString()).with("pqM", 7),
        "pqM must divide the dimension, 96, which 7 does not. "
            + "Its divisors: 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 96");
    assertRefused(
        spec(97, type.toString()).with("pqM", 8),
        "pqM must divide the dimension, 97, which 8 does not. Its divisors: 1, 97");
  }

  @Test
  void anNprobeAboveNlistIsRefused() {
    assertRefused(
        spec(8, "ivf_flat").with("nlist", 16).with("nprobe", 17),
        "nprobe must be from 1 to nlist, which is 16, not 17");
    assertThat(resolved(spec(8, "ivf_flat").with("nlist", 16).with("nprobe", 16)).nprobe(16))
        .isEqualTo(16);
  }

  @Test
  void tooFewTrainingRowsAreRefusedSayingWhatNeedsThem() {
    assertRefused(
        spec(8, "ivf_sq8").with("nlist", 100).with("trainingRows", 99),
        "trainingRows must be at least 100 (one for each of nlist=100 lists), not 99");
    assertRefused(
        spec(8, "pq").with("trainingRows", 255),
        "trainingRows must be at least 256 "
            + "(one for each of the 256 centroids of pqBits=8), not 255");
    assertRefused(
        spec(8, "ivf_pq").with("nlist", 300).with("pqBits", 4).with("trainingRows", 20),
        "trainingRows must be at least 300 (one for each of nlist=300 lists, "
            + "one for each of the 16 centroids of pqBits=4), not 20");
    assertThat(resolved(spec(8, "pq").with("trainingRows", 256)).trainingRows()).isEqualTo(256);
    assertThat(resolved(spec(8, "sq8").with("trainingRows", 1)).trainingRows()).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource({
    "nlist, 16777217",
    "pqBits, 3",
    "pqBits, 13",
    "refineFactor, 10001",
    "keepVectors, maybe",
    "seed, -1",
    "threads, 0"
  })
  void valuesOutOfRangeAreRefused(String name, String value) {
    assertThatThrownBy(() -> Panvec.capabilities(spec(8, "ivf_pq").with(name, value)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(name)
        .hasMessageContaining(value);
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "2, 1", "3, 1", "7, 1", "8, 2", "96, 24", "384, 96", "768, 192", "1536, 384"})
  void aSubvectorHasAboutFourComponents(int dimension, int pqM) {
    assertThat(dimension % resolved(spec(dimension, "pq")).pqM()).isZero();
    assertThat(resolved(spec(dimension, "pq")).pqM()).isEqualTo(pqM);
  }

  @Test
  void aPrimeDimensionGetsTheDivisorThatIsNearer() {
    assertThat(resolved(spec(97, "pq")).pqM()).isEqualTo(97);
    assertThat(resolved(spec(3, "ivf_pq")).pqM()).isEqualTo(1);
  }

  @Test
  void thereAreFourTimesTheRootOfNListsAndNoneWithFewerThan39RowsToLearnFrom() {
    FaissParameters unknown = resolved(spec(8, "ivf_flat"));
    assertThat(unknown.trainingRows()).isEqualTo(24_336);
    assertThat(unknown.nlist(24_336, 24_336)).isEqualTo(624);
    assertThat(unknown.nprobe(624)).isEqualTo(50);
    assertThat(unknown.nlist(1, 1)).isEqualTo(1);
    assertThat(unknown.nlist(1_000_000, 1_000)).isEqualTo(25);
    FaissParameters million = resolved(spec(8, "ivf_flat").with("expectedRows", 1_000_000));
    assertThat(million.trainingRows()).isEqualTo(156_000);
    assertThat(million.nlist(156_000, 156_000)).isEqualTo(4_000);
    FaissParameters given = resolved(spec(8, "ivf_pq").with("nlist", 2_000));
    assertThat(given.trainingRows()).isEqualTo(78_000);
    assertThat(given.nlist(10, 10)).isEqualTo(2_000);
    assertThat(resolved(spec(8, "hnsw_sq8")).nlist(1_000, 1_000)).isZero();
  }

  @Test
  void trainingWaitsFor39RowsPerCentroid() {
    assertThat(resolved(spec(8, "pq")).trainingRows()).isEqualTo(39 * 256);
    assertThat(resolved(spec(8, "pq").with("pqBits", 4)).trainingRows()).isEqualTo(39 * 16);
    assertThat(resolved(spec(8, "sq8")).trainingRows()).isEqualTo(4_096);
    assertThat(resolved(spec(8, "hnsw_sq8")).trainingRows()).isEqualTo(4_096);
  }

  @ParameterizedTest
  @EnumSource(FaissType.class)
  void capabilitiesOfATypeAreToldBeforehand(FaissType type) {
    IndexSpec spec = spec(8, type.toString());
    assertThat(Panvec.capabilities(spec).approximate()).isEqualTo(type != FaissType.FLAT);
    assertThat(Panvec.capabilities(spec).codesOnly()).isFalse();
    assertThat(Panvec.capabilities(spec).metrics()).containsExactlyInAnyOrder(Metric.values());
    if (type.isLossy()) {
      assertThat(Panvec.capabilities(spec.with("keepVectors", "false")).codesOnly()).isTrue();
    }
  }

  @Test
  void namesOfTypesAreInTheOrderOfTheNativeConstants() {
    assertThat(FaissType.names(type -> true))
        .isEqualTo(
            List.of("flat", "hnsw", "hnsw_sq8", "ivf_flat", "ivf_sq8", "ivf_pq", "pq", "sq8"));
  }
}
