package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.tuple;

import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.assertj.core.groups.Tuple;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every SIMD level that this machine has, in a JVM of its own, against plain Java. */
class SimdLevelTest {
  private static final List<String> X86 = List.of("baseline", "avx2", "avx512");
  private static final List<String> ARM = List.of("baseline", "neon");

  /** Up to the level that libraries take here by themselves. */
  static List<String> levels() {
    String best = Panvec.backend("hnswlib").availability().simdLevel();
    List<String> all = X86.contains(best) ? X86 : ARM;
    return all.subList(0, all.indexOf(best) + 1);
  }

  @Contract("exact.simd-levels")
  @ParameterizedTest
  @MethodSource("levels")
  void distancesArePlainJavasWhateverTheLevel(String level, @TempDir Path folder) throws Exception {
    List<Subject> kinds = Subjects.keepingVectors().filter(Subject::isCoveredInFull).toList();
    String names = kinds.stream().map(Subject::toString).collect(Collectors.joining(","));
    ChildJvm.run(
        folder,
        List.of(),
        List.of(
            "-Xmx1g",
            "-XX:+UseSerialGC",
            "-Dpanvec.simd=" + level,
            "-D" + Subjects.KIND + "=" + names),
        SimdLevelProgram.class,
        folder.toString());

    Report report = ReportFiles.read(folder.resolve("conformance.json"));
    assertThat(report.problems()).isEmpty();
    assertThat(report.backends())
        .extracting(Report.Engine::name, Report.Engine::simd)
        .containsExactlyElementsOf(
            Panvec.backends().stream().map(each -> tuple(each.name(), level)).toList());
    // Every metric at each of 22 dimensions.
    for (Subject kind : kinds) {
      List<Tuple> shapes =
          report.cells().stream()
              .filter(cell -> cell.kind().equals(kind.toString()))
              .filter(cell -> cell.claim().equals("exact.bit-for-bit"))
              .map(cell -> tuple(cell.metric(), cell.dimension()))
              .toList();
      assertThat(shapes).as("%s", kind).hasSize(3 * 22).doesNotHaveDuplicates();
    }
    assertThat(report.cells()).hasSizeGreaterThan(kinds.size() * 3 * 22 * 9);
    assertThat(report.fingerprint().byMetric()).isEqualTo(fingerprintOfPlainJava());
  }

  private static Map<String, String> fingerprintOfPlainJava() {
    Map<String, String> byMetric = new TreeMap<>();
    for (Metric metric : Metric.values()) {
      Fingerprint.Data data = Fingerprint.data(metric);
      Fingerprint plain = new Fingerprint();
      for (IdFilter filter : data.filters()) {
        for (int q = 0; q < data.queries().size(); q++) {
          float[] query = data.queries().get(q);
          plain.add(
              q, data.rows().nearest(query, data.k(), id -> filter == null || filter.test(id)));
        }
      }
      byMetric.put(metric.name(), plain.hex());
    }
    return byMetric;
  }
}
