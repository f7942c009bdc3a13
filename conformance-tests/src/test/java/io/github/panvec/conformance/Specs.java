package io.github.panvec.conformance;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.Parameter;
import io.github.panvec.spi.VectorBackend;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;

/** The kinds of index that this repository's run covers. */
final class Specs {

  /** A backend and parameters. */
  record Kind(String backend, Map<String, Object> parameters) {
    Kind with(String name, Object value) {
      Map<String, Object> more = new LinkedHashMap<>(parameters);
      more.put(name, value);
      return new Kind(backend, more);
    }

    IndexSpec configure(IndexSpec defaults) {
      IndexSpec configured = defaults;
      for (Map.Entry<String, Object> parameter : parameters.entrySet()) {
        configured = configured.with(parameter.getKey(), parameter.getValue());
      }
      return configured;
    }

    IndexSpec spec(int dimension, Metric metric) {
      return configure(IndexSpec.of(backend, dimension, metric));
    }

    boolean takes(String parameter) {
      return parameter(parameter).appliesTo(new TreeMap<>(parameters));
    }

    private Parameter parameter(String name) {
      return Panvec.backend(backend).parameters().stream()
          .filter(parameter -> parameter.name().equals(name))
          .findAny()
          .orElseThrow();
    }

    @Override
    public String toString() {
      return backend + " " + parameters;
    }
  }

  private Specs() {}

  /** Every type of FAISS as it is by default; those that train are exact in small tests. */
  static Stream<Kind> faissTypes() {
    return choices("faiss", "type");
  }

  /** Those types that train, so set that nearly every test sees them trained, some on the way. */
  static Stream<Kind> faissTypesTrainedEarly() {
    return faissTypes().filter(kind -> kind.takes("trainingRows")).map(Specs::trainedEarly);
  }

  private static Kind trainedEarly(Kind kind) {
    Kind early = kind.with("trainingRows", 16);
    if (kind.takes("nlist")) {
      early = early.with("nlist", 8);
    }
    if (kind.takes("pqBits")) {
      // Codes of 16 rows tell little: ranking again has to make up for it.
      early = early.with("pqBits", 4).with("refineFactor", 100);
    }
    return early;
  }

  /** Every quantization of usearch. */
  static Stream<Kind> usearchQuantizations() {
    return choices("usearch", "quantization");
  }

  /** Those whose codes can stand alone. */
  static Stream<Kind> codesOnly() {
    return Stream.of(faissTypes(), faissTypesTrainedEarly(), usearchQuantizations())
        .flatMap(kinds -> kinds)
        .filter(kind -> kind.takes("keepVectors"))
        .map(kind -> kind.with("keepVectors", "false"));
  }

  /** All of them. */
  static List<Kind> all() {
    List<Kind> all = new ArrayList<>();
    for (VectorBackend backend : Panvec.backends()) {
      switch (backend.name()) {
        case "faiss" -> {
          faissTypes().forEach(all::add);
          faissTypesTrainedEarly().forEach(all::add);
        }
        case "usearch" -> usearchQuantizations().forEach(all::add);
        default -> all.add(new Kind(backend.name(), Map.of()));
      }
    }
    return all;
  }

  private static Stream<Kind> choices(String backend, String name) {
    Kind plain = new Kind(backend, Map.of());
    return plain.parameter(name).choices().stream().map(choice -> plain.with(name, choice));
  }
}
