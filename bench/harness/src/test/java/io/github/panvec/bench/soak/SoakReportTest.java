package io.github.panvec.bench.soak;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class SoakReportTest {
  private final StringWriter out = new StringWriter();

  private static Latencies latencies() {
    Latencies latencies = new Latencies();
    latencies.add(1000);
    return latencies;
  }

  private static Outcome outcome(
      Map<String, Object> parameters, long here, long elsewhere, @Nullable String unfinished) {
    return new Outcome(
        "toy",
        parameters,
        new double[] {1, 1},
        latencies(),
        latencies(),
        100,
        new long[] {here, elsewhere},
        new long[] {1000, 1000},
        new long[] {1, 1},
        new long[] {0, 0},
        2,
        0,
        0,
        List.of(),
        unfinished);
  }

  private int report(double minutes, Outcome outcome) {
    SoakOptions options = new SoakOptions(List.of(), minutes, 1000, 9, 1, 3, null);
    return new SoakReport(options, List.of(outcome), List.of()).write(new PrintWriter(out));
  }

  private List<String> complaints() {
    return out.toString().lines().filter(line -> line.startsWith("FAILED: ")).toList();
  }

  @Test
  void aRatioWithoutACompactionIsNone() {
    assertThat(report(5, outcome(Map.of("compactAt", 20), 0, 3, null))).isEqualTo(1);
    assertThat(complaints())
        .containsExactly(
            "FAILED: toy: the index that is searched was not compacted in 5 min, so that the ratio"
                + " says nothing of compactions (more --minutes, or fewer --rows)");
  }

  @Test
  void oneCompactionOfTheIndexThatIsSearchedIsEnough() {
    assertThat(report(5, outcome(Map.of("compactAt", 20), 1, 0, null))).as(out.toString()).isZero();
    assertThat(complaints()).isEmpty();
  }

  @Test
  void noneIsExpectedOfAShortRunOrWhereTheUserWantsNone() {
    assertThat(report(4.9, outcome(Map.of("compactAt", 20), 0, 0, null))).isZero();
    assertThat(report(60, outcome(Map.of("compactAt", 0), 0, 0, null))).isZero();
    assertThat(complaints()).isEmpty();
  }

  @Test
  void whereTheWriterDidNotFinishThatIsTheCause() {
    assertThat(report(5, outcome(Map.of(), 0, 0, "adding"))).isEqualTo(1);
    assertThat(complaints()).containsExactly("FAILED: toy: the writer did not finish: adding");
  }
}
