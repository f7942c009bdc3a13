package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** One value for what exact searches answer, whatever the backend and the machine. */
class FingerprintTest extends ConformanceTest {

  @Contract("exact.fingerprint")
  @ParameterizedTest
  @MethodSource("metrics")
  void exactAnswersHaveTheFingerprintOfPlainJava(Metric metric) {
    Fingerprint.Data data = Fingerprint.data(metric);
    Fingerprint found = new Fingerprint();
    Fingerprint expected = new Fingerprint();
    try (VectorIndex index = create(Fingerprint.DIMENSION, metric)) {
      index.addAll(data.rows().ids(), data.rows().flat());
      for (IdFilter filter : data.filters()) {
        SearchRequest request =
            SearchRequest.of(TestVectors.flat(data.queries().toArray(float[][]::new)), data.k())
                .exact();
        List<SearchResult> results =
            index.searchAll(filter == null ? request : request.filter(filter));
        for (int q = 0; q < data.queries().size(); q++) {
          found.add(q, results.get(q).hits());
          expected.add(
              q,
              data.rows()
                  .nearest(
                      data.queries().get(q), data.k(), id -> filter == null || filter.test(id)));
        }
      }
    }
    String fingerprint = found.hex();
    // Before the assertion: a value that differs belongs into the report all the more.
    CellLog.fingerprint(subject, metric, fingerprint);
    assertThat(fingerprint).isEqualTo(expected.hex());
  }
}
