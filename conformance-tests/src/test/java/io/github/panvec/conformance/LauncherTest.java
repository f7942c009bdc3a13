package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.UnknownBackendException;
import io.github.panvec.conformance.Conformance.Options;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** The suite, started by a program. */
class LauncherTest {
  private static final Options SPECS =
      Options.only(DiscoverySelectors.selectClass(SpecTest.class)).withBackends("hnswlib");

  @AfterEach
  void forget() {
    CellLog.clear();
  }

  @Test
  void theSuiteIsTheClassesWithClaimsInItsJar() {
    assertThat(Conformance.suite())
        .contains(SpecTest.class, DistanceTest.class, CodesOnlyTest.class)
        .doesNotContain(ConformanceTest.class, SimdLevelTest.class, ResourceTest.class)
        .hasSizeGreaterThan(10);
  }

  @Test
  void aPartOfTheSuiteRunsOverTheBackendsThatWereNamed() {
    List<String> progress = new ArrayList<>();
    Report report = Conformance.run(SPECS.withProgress(progress::add));
    assertThat(report.problems()).isEmpty();
    assertThat(report.backends()).extracting(Report.Engine::name).containsExactly("hnswlib");
    assertThat(report.kinds()).extracting(Report.Kind::name).containsExactly("hnswlib default");
    assertThat(report.cells())
        .isNotEmpty()
        .allMatch(cell -> cell.claim().startsWith("create.") && cell.backend().equals("hnswlib"));
    assertThat(report.testsPassed()).isPositive();
    assertThat(progress)
        .hasSize(report.testsPassed())
        .startsWith("SpecTest, hnswlib default: 0 tests done");
    assertThat(System.getProperty(Subjects.BACKEND)).isNull();
    assertThat(CellLog.outcomes()).isEmpty();
  }

  @Test
  void anUnknownBackendIsRefusedWithTheNearestAndTheList() {
    assertThatThrownBy(() -> Conformance.run(SPECS.withBackends("hnswlib", "fais")))
        .isInstanceOf(UnknownBackendException.class)
        .hasMessageContaining("No backend \"fais\". Did you mean \"faiss\"?")
        .hasMessageContaining("sqlite-vec");
    assertThat(System.getProperty(Subjects.BACKEND)).isNull();
  }

  @Test
  void aRunOverNothingIsNoPass() {
    assertThat(Conformance.run(Options.only()).problems()).containsExactly("no cell was executed");
  }

  @Test
  void anyRunOfTestsWritesAReportAtItsEnd(@TempDir Path folder) throws Exception {
    Path target = folder.resolve("made/here");
    String before = System.getProperty(ConformanceListener.FOLDER);
    System.setProperty(ConformanceListener.FOLDER, target.toString());
    System.setProperty(Subjects.BACKEND, "hnswlib");
    try {
      LauncherFactory.create()
          .execute(
              LauncherDiscoveryRequestBuilder.request()
                  .selectors(DiscoverySelectors.selectClass(SpecTest.class))
                  .build());
    } finally {
      System.clearProperty(Subjects.BACKEND);
      if (before == null) {
        System.clearProperty(ConformanceListener.FOLDER);
      } else {
        System.setProperty(ConformanceListener.FOLDER, before);
      }
    }
    Report report = ReportFiles.read(target.resolve("conformance.json"));
    assertThat(report.cells()).isNotEmpty();
    assertThat(report.testsPassed()).isPositive();
    assertThat(Files.list(target).map(file -> file.getFileName().toString()))
        .containsExactlyInAnyOrder("conformance.json", "conformance.md", "conformance.html");
  }
}
