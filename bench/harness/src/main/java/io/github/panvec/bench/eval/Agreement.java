package io.github.panvec.bench.eval;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Whether all indexes of a run that can answer exactly give one answer, that of plain Java.
 *
 * @param queries how many were asked, each in three ways
 * @param reference the fingerprint of plain Java's answers
 * @param subjects the indexes that were asked
 * @param fingerprints the fingerprint of each, by its name
 */
record Agreement(
    int queries, String reference, List<Subject> subjects, Map<String, String> fingerprints) {

  private List<Subject> differing() {
    return subjects.stream()
        .filter(subject -> !reference.equals(fingerprints.get(subject.name())))
        .toList();
  }

  private long backends() {
    return subjects.stream().map(subject -> subject.backend().name()).distinct().count();
  }

  /** One line for people. */
  @Override
  public String toString() {
    if (subjects.isEmpty()) {
      return "fingerprint: none, because no index of this run can answer exactly";
    }
    if (!differing().isEmpty()) {
      return "fingerprint: NOT one: "
          + differing().stream().map(Subject::name).collect(Collectors.joining(", "))
          + (differing().size() == 1 ? " differs" : " differ")
          + " from plain Java (sha256 "
          + reference
          + ")";
    }
    return String.format(
        "fingerprint: one for %d backend%s (sha256 %s), %d index type%s in all, and for plain Java",
        backends(),
        backends() == 1 ? "" : "s",
        reference,
        subjects.size(),
        subjects.size() == 1 ? "" : "s");
  }

  /** For results.json. */
  Map<String, Object> block() {
    Map<String, Object> block = new LinkedHashMap<>();
    block.put("sha256", reference);
    block.put("one", differing().isEmpty());
    block.put("queries", queries);
    block.put("backends", backends());
    block.put("indexTypes", subjects.size());
    block.put("byIndex", fingerprints);
    return block;
  }
}
