package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.spi.VectorBackend;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
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
    ChildJvm.run(
        folder,
        List.of(),
        List.of("-Xmx1g", "-XX:+UseSerialGC", "-Dpanvec.simd=" + level),
        SimdLevelProgram.class,
        folder.toString());

    Report inFull =
        ReportFiles.read(folder.resolve(SimdLevelProgram.IN_FULL + "/conformance.json"));
    assertHeld(inFull, level, Subjects.keepingVectors().filter(Subject::isCoveredInFull).toList());
    assertThat(inFull.backends())
        .extracting(Report.Engine::name)
        .containsExactlyElementsOf(Panvec.backends().stream().map(VectorBackend::name).toList());
    assertThat(inFull.fingerprint().byMetric()).isEqualTo(fingerprintOfPlainJava());
    assertThat(inFull.cells()).hasSizeGreaterThan(inFull.kinds().size() * 3 * 22 * 9);
    Report others = ReportFiles.read(folder.resolve(SimdLevelProgram.OTHERS + "/conformance.json"));
    assertHeld(
        others, level, Subjects.keepingVectors().filter(kind -> !kind.isCoveredInFull()).toList());
  }

  private static void assertHeld(Report report, String level, List<Subject> kinds) {
    assertThat(report.problems()).isEmpty();
    assertThat(report.backends()).extracting(Report.Engine::simd).containsOnly(level);
    // Every metric at each of 22 dimensions, or each dimension once.
    for (Subject kind : kinds) {
      assertThat(
              report.cells().stream()
                  .filter(cell -> cell.kind().equals(kind.toString()))
                  .filter(cell -> cell.claim().equals("exact.bit-for-bit"))
                  .map(cell -> cell.metric() + " " + cell.dimension()))
          .as("%s", kind)
          .containsAll(kind.shapes().stream().map(Subject.Shape::toString).toList());
    }
  }

  private static Map<String, String> fingerprintOfPlainJava() {
    Map<String, String> byMetric = new TreeMap<>();
    for (Metric metric : Metric.values()) {
      byMetric.put(metric.name(), ReferenceTest.fingerprint(metric));
    }
    return byMetric;
  }
}
