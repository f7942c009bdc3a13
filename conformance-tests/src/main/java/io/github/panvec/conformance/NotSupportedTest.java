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
      boolean codesOnly = index.capabilities().codesOnly();
      Set<String> listed = NotSupported.load().claims(subject);
      assertThat(listed).containsAll(codesOnly ? vectorClaims() : claims("codes."));
      // What else may be listed is told by the tests: one that runs contradicts the list.
      assertThat(listed)
          .doesNotContainAnyElementsOf(
              codesOnly ? claims("codes.") : List.of("exact.bit-for-bit", "get.bit-for-bit"));
    }
  }

  private static Set<String> vectorClaims() {
    Set<String> claims = claims("exact.");
    claims.add("get.bit-for-bit");
    return claims;
  }

  private static Set<String> claims(String prefix) {
    return ContractDocument.claims().keySet().stream()
        .filter(claim -> claim.startsWith(prefix))
        .collect(Collectors.toSet());
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
