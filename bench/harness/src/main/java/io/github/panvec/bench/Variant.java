package io.github.panvec.bench;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.Parameter;
import io.github.panvec.spi.VectorBackend;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import org.jspecify.annotations.Nullable;

/**
 * One kind of index that a backend can build. Which there are follows from the parameters that the
 * backend declares: one for each value of a choice named {@code type} or {@code quantization}, and
 * where {@code keepVectors} applies beside that value, a second one that keeps codes only.
 *
 * @param backend whose it is
 * @param parameters what is set: the choices that make it, and what the user gave as far as it
 *     applies
 * @param name for people, for example {@code faiss ivf_pq} or {@code faiss pq codes only}
 * @param codesOnly whether the vectors are dropped once codes are made of them
 */
public record Variant(
    VectorBackend backend, Map<String, String> parameters, String name, boolean codesOnly) {
  private static final List<String> KINDS = List.of("type", "quantization");
  private static final String KEEP_VECTORS = "keepVectors";

  public Variant {
    parameters = Map.copyOf(parameters);
  }

  /**
   * The variants of a backend, in the order of its choices.
   *
   * @param given parameters from the user: a kind or {@code keepVectors} among them leaves only the
   *     variants that have it; one that does not apply to a variant is left out there
   * @throws IllegalArgumentException when a kind has no such value, with the list
   */
  public static List<Variant> of(VectorBackend backend, Map<String, String> given) {
    List<Map<String, String>> chosen = List.of(Map.of());
    for (Parameter parameter : backend.parameters()) {
      if (isKind(parameter)) {
        chosen = expand(chosen, parameter, given.get(parameter.name()));
      }
    }
    List<Variant> variants = new ArrayList<>();
    for (Map<String, String> kinds : chosen) {
      Variant kept = make(backend, given, kinds);
      Parameter keep = kept.parameter(KEEP_VECTORS);
      if (keep != null && kept.takes(KEEP_VECTORS) && keep.choices().contains("false")) {
        for (Map<String, String> each : expand(List.of(kinds), keep, given.get(KEEP_VECTORS))) {
          variants.add(make(backend, given, each));
        }
      } else {
        variants.add(kept);
      }
    }
    return List.copyOf(variants);
  }

  private static boolean isKind(Parameter parameter) {
    return KINDS.contains(parameter.name())
        && parameter.type() == Parameter.Type.CHOICE
        && parameter.condition() == null;
  }

  /** Every map with every value that {@code parameter} may have, or with the one given. */
  private static List<Map<String, String>> expand(
      List<Map<String, String>> maps, Parameter parameter, @Nullable String given) {
    List<String> values =
        given == null ? parameter.choices() : List.of(parameter.parse(given).toString());
    List<Map<String, String>> expanded = new ArrayList<>();
    for (Map<String, String> map : maps) {
      for (String value : values) {
        Map<String, String> with = new LinkedHashMap<>(map);
        with.put(parameter.name(), value);
        expanded.add(with);
      }
    }
    return expanded;
  }

  private static Variant make(
      VectorBackend backend, Map<String, String> given, Map<String, String> choices) {
    boolean codesOnly = "false".equals(choices.get(KEEP_VECTORS));
    StringJoiner name = new StringJoiner(" ").add(backend.name());
    choices.forEach(
        (parameter, value) -> {
          if (!parameter.equals(KEEP_VECTORS)) {
            name.add(value);
          }
        });
    if (codesOnly) {
      name.add("codes only");
    }
    Map<String, String> parameters = new LinkedHashMap<>(choices);
    Variant bare = new Variant(backend, parameters, name.toString(), codesOnly);
    for (Map.Entry<String, String> parameter : given.entrySet()) {
      Parameter declared = bare.parameter(parameter.getKey());
      // A condition may hang on a choice that is no kind: such a one counts with the user's value.
      if (declared != null && declared.condition() == null) {
        parameters.putIfAbsent(parameter.getKey(), parameter.getValue());
      }
    }
    Variant unconditional = new Variant(backend, parameters, name.toString(), codesOnly);
    given.forEach(
        (parameter, value) -> {
          if (unconditional.takes(parameter)) {
            parameters.putIfAbsent(parameter, value);
          }
        });
    return new Variant(backend, parameters, name.toString(), codesOnly);
  }

  /** Whether the user chose this kind of index, rather than getting all of them. */
  public static boolean isChosen(Variant variant, Map<String, String> given) {
    return given.keySet().stream()
        .anyMatch(
            name ->
                (KINDS.contains(name) || name.equals(KEEP_VECTORS))
                    && variant.parameters().containsKey(name));
  }

  /** Whether a parameter of that name is declared and applies here. */
  public boolean takes(String name) {
    Parameter parameter = parameter(name);
    if (parameter == null) {
      return false;
    }
    Map<String, Object> others = new LinkedHashMap<>();
    for (Parameter other : backend.parameters()) {
      Object value = parameters.get(other.name());
      if (value == null) {
        value = other.defaultValue();
      }
      if (value != null && other.type() == Parameter.Type.CHOICE) {
        others.put(other.name(), value.toString());
      }
    }
    return parameter.appliesTo(others);
  }

  private @Nullable Parameter parameter(String name) {
    for (Parameter parameter : backend.parameters()) {
      if (parameter.name().equals(name)) {
        return parameter;
      }
    }
    return null;
  }

  /** Whether searches rank by codes and then again by the vectors. */
  public boolean isReranked() {
    return takes("refineFactor") && !codesOnly;
  }

  /** Whether searches rank by codes. */
  public boolean isQuantised() {
    return takes("refineFactor") || codesOnly;
  }

  /** The spec of such an index. */
  public IndexSpec spec(int dimension, Metric metric) {
    return spec(dimension, metric, parameters);
  }

  private IndexSpec spec(int dimension, Metric metric, Map<String, String> set) {
    IndexSpec spec = IndexSpec.of(backend.name(), dimension, metric);
    for (Map.Entry<String, String> parameter : set.entrySet()) {
      spec = spec.with(parameter.getKey(), parameter.getValue());
    }
    return spec;
  }

  /**
   * Why there is no such index of this dimension and metric, or null when there is.
   *
   * @throws InputException when that is because of what the user set beside the kind
   */
  public @Nullable String refusal(int dimension, Metric metric) {
    String why = refusalOf(spec(dimension, metric));
    if (why == null) {
      return null;
    }
    Map<String, String> kindsOnly = new LinkedHashMap<>(parameters);
    kindsOnly.keySet().removeIf(name -> !KINDS.contains(name) && !name.equals(KEEP_VECTORS));
    if (refusalOf(spec(dimension, metric, kindsOnly)) == null) {
      throw new InputException(name + ": " + why);
    }
    return why;
  }

  private static @Nullable String refusalOf(IndexSpec spec) {
    try {
      Panvec.capabilities(spec);
      return null;
    } catch (IllegalArgumentException refused) {
      return String.valueOf(refused.getMessage());
    }
  }
}
