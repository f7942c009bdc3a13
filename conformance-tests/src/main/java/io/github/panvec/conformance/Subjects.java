package io.github.panvec.conformance;

import io.github.panvec.Panvec;
import io.github.panvec.Parameter;
import io.github.panvec.spi.VectorBackend;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * The kinds of index of every backend on the class path: one for each value of each choice that
 * always applies (a {@code type}, a {@code quantization}), all else default; those that learn from
 * data once more so set that small tests see them trained; those that may drop their vectors once
 * more without. {@code -Dpanvec.conformance.backend=NAME,NAME} chooses backends, {@code
 * -Dpanvec.conformance.kind=NAME,NAME} kinds of index.
 */
public final class Subjects {
  /** Names the property that chooses backends, separated by commas; empty: all. */
  public static final String BACKEND = "panvec.conformance.backend";

  /** Names the property that chooses kinds, {@code faiss ivf_pq} for example; empty: all. */
  public static final String KIND = "panvec.conformance.kind";

  private static final String KEEP_VECTORS = "keepVectors";

  private Subjects() {}

  /**
   * All of them.
   *
   * @throws IllegalStateException when there is none, so that an empty class path does not pass
   */
  public static List<Subject> all() {
    List<Subject> all = new ArrayList<>();
    for (VectorBackend backend : Panvec.backends()) {
      if (isChosen(BACKEND, backend.name())) {
        all.addAll(of(backend));
      }
    }
    List<Subject> chosen = all.stream().filter(kind -> isChosen(KIND, kind.toString())).toList();
    if (chosen.isEmpty()) {
      throw new IllegalStateException(
          all.isEmpty()
              ? "no backend to test: "
                  + Panvec.backends().stream().map(VectorBackend::name).toList()
              : "no kind of index to test: " + all);
    }
    return chosen;
  }

  private static boolean isChosen(String property, String name) {
    String chosen = System.getProperty(property, "");
    return chosen.isBlank() || List.of(chosen.strip().split("\\s*,\\s*")).contains(name);
  }

  /** Those that the whole contract holds for. */
  public static Stream<Subject> keepingVectors() {
    return all().stream().filter(subject -> !subject.capabilities().codesOnly());
  }

  /** Those with codes in place of vectors. */
  public static Stream<Subject> codesOnly() {
    return all().stream().filter(subject -> subject.capabilities().codesOnly());
  }

  private static List<Subject> of(VectorBackend backend) {
    List<Subject> kinds = new ArrayList<>();
    for (Parameter parameter : backend.parameters()) {
      if (parameter.type() == Parameter.Type.CHOICE
          && parameter.condition() == null
          && !parameter.name().equals(KEEP_VECTORS)) {
        for (String choice : parameter.choices()) {
          kinds.add(new Subject(backend.name(), choice, Map.of(parameter.name(), choice)));
        }
      }
    }
    if (kinds.isEmpty()) {
      kinds.add(new Subject(backend.name(), "default", Map.of()));
    }
    kinds.stream().filter(Subject::learns).map(Subjects::trainedEarly).toList().forEach(kinds::add);
    kinds.stream()
        .filter(kind -> kind.takes(KEEP_VECTORS))
        .map(kind -> kind.with("codes only", Map.of(KEEP_VECTORS, "false")))
        .toList()
        .forEach(kinds::add);
    return kinds;
  }

  private static Subject trainedEarly(Subject kind) {
    Map<String, Object> early = new LinkedHashMap<>();
    early.put(Subject.TRAINING_ROWS, 16);
    if (kind.takes("nlist")) {
      early.put("nlist", 8);
    }
    if (kind.takes("pqBits")) {
      // Codes of 16 rows tell little: ranking again has to make up for it.
      early.put("pqBits", 4);
      early.put("refineFactor", 100);
    }
    return kind.with("trained early", early);
  }
}
