package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.VectorIndex;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What a kind of index does not take is refused, and the list of it has the reasons. */
class NotSupportedTest extends ConformanceTest {

  static Stream<Subject> subjects() {
    return Subjects.all().stream();
  }

  @Test
  @Contract({"create.metric", "create.not-supported-is-listed"})
  void metricsThatCapabilitiesDoNotNameAreRefusedAndListed() {
    Set<Metric> refused = EnumSet.allOf(Metric.class);
    refused.removeAll(metrics());
    assertThat(NotSupported.load().metrics(subject))
        .as("metrics that %s does not take, in %s", subject, NotSupported.RESOURCE)
        .isEqualTo(refused);
    for (Metric metric : refused) {
      assertThatThrownBy(() -> Panvec.create(spec(8, metric)))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining(metric.toString());
    }
    for (Metric metric : metrics()) {
      try (VectorIndex index = create(8, metric)) {
        assertThat(index.capabilities().metrics()).contains(metric);
      }
    }
  }

  @Test
  @Contract("create.not-supported-is-listed")
  void claimsAreListedJustWhereCapabilitiesSayThatVectorsAreNotKept() {
    try (VectorIndex index = create(8, any(Metric.COSINE))) {
      Set<String> exact =
          ContractDocument.claims().keySet().stream()
              .filter(claim -> claim.startsWith("exact.") || claim.equals("get.bit-for-bit"))
              .collect(Collectors.toSet());
      Set<String> codes =
          ContractDocument.claims().keySet().stream()
              .filter(claim -> claim.startsWith("codes."))
              .collect(Collectors.toSet());
      Set<String> listed = NotSupported.load().claims(subject);
      boolean codesOnly = index.capabilities().codesOnly();
      assertThat(listed).containsAll(codesOnly ? exact : codes);
      // Single ones may be listed for reasons of a backend.
      assertThat(listed.containsAll(codesOnly ? codes : exact)).isFalse();
      assertThat(listed).doesNotContain(codesOnly ? "codes.writes" : "exact.bit-for-bit");
    }
  }

  @Test
  @Contract("create.not-supported-is-listed")
  void noLineOfTheListIsAboutAKindThatIsNotThere() {
    create(8, any(Metric.COSINE)).close();
    List<Subject> kinds = Subjects.all();
    assertThat(NotSupported.load().entries())
        .filteredOn(entry -> entry.kinds().startsWith(subject.backend() + " "))
        .allSatisfy(
            entry ->
                assertThat(kinds.stream().filter(entry::isAbout)).as("%s", entry).isNotEmpty());
  }
}
