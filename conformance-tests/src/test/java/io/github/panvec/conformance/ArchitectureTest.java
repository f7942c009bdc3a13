package io.github.panvec.conformance;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Each layer knows only the one below (docs: README, "How it is built"). */
class ArchitectureTest {
  private static final JavaClasses ALL = new ClassFileImporter().importPackages("io.github.panvec");

  @Test
  void theApiDependsOnNothingButTheJdk() {
    classes()
        .that()
        .resideInAnyPackage("io.github.panvec", "io.github.panvec.snapshot", "io.github.panvec.spi")
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "java..",
            "org.jspecify..",
            "io.github.panvec",
            "io.github.panvec.snapshot",
            "io.github.panvec.spi",
            "io.github.panvec.internal")
        .check(ALL);
  }

  @Test
  void eventsAloneKnowFlightRecorder() {
    noClasses()
        .that()
        .resideInAPackage("io.github.panvec..")
        .and()
        .haveNameNotMatching(".*\\.internal\\.(Jfr|Call|Add|Search|Train|Compact|Save)Events?")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("jdk.jfr..")
        .check(ALL);
  }

  @Test
  void theEngineDependsOnTheApiAlone() {
    classes()
        .that()
        .resideInAPackage("io.github.panvec.engine")
        .should()
        .onlyDependOnClassesThat()
        .resideInAnyPackage(
            "java..",
            "org.jspecify..",
            "io.github.panvec",
            "io.github.panvec.snapshot",
            "io.github.panvec.spi",
            "io.github.panvec.engine")
        .check(ALL);
  }

  @Test
  void backendsDoNotKnowEachOther() {
    List<String> backends = List.of("faiss", "hnswlib", "sqlitevec", "usearch");
    for (String backend : backends) {
      String[] others =
          backends.stream()
              .filter(other -> !other.equals(backend))
              .flatMap(
                  other ->
                      Stream.of(
                          "io.github.panvec." + other + "..",
                          "io.github.panvec.bindings." + other + ".."))
              .toArray(String[]::new);
      noClasses()
          .that()
          .resideInAPackage("io.github.panvec." + backend)
          .should()
          .dependOnClassesThat()
          .resideInAnyPackage(others)
          .check(ALL);
    }
  }

  @Test
  void bindingsKnowTheLoaderAlone() {
    noClasses()
        .that()
        .resideInAPackage("io.github.panvec.bindings..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "io.github.panvec", "io.github.panvec.engine..", "io.github.panvec.spi..")
        .check(ALL);
  }
}
