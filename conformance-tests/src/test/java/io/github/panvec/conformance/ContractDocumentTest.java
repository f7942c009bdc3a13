package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.platform.commons.annotation.Testable;
import org.junit.platform.commons.support.AnnotationSupport;

/** The document and the tests say the same. */
class ContractDocumentTest {
  private static final JavaClasses CLASSES =
      new ClassFileImporter().importPackages("io.github.panvec.conformance");

  private static Map<String, Set<String>> testsByClaim() {
    Map<String, Set<String>> tests = new TreeMap<>();
    CLASSES.stream()
        .flatMap(type -> type.getMethods().stream())
        .filter(method -> method.isAnnotatedWith(Contract.class))
        .forEach(
            method ->
                Arrays.stream(method.getAnnotationOfType(Contract.class).value())
                    .forEach(
                        claim ->
                            tests
                                .computeIfAbsent(claim, any -> new TreeSet<>())
                                .add(method.getFullName())));
    return tests;
  }

  @Test
  void everyClaimHasATestOrWaitsForItsCall() {
    Set<String> untested = new TreeSet<>(ContractDocument.claims().keySet());
    untested.removeAll(testsByClaim().keySet());
    assertThat(ContractDocument.claims().size()).isGreaterThan(50);
    assertThat(untested).isEqualTo(new TreeSet<>(ContractDocument.pending().keySet()));
  }

  @Test
  void everyTestOfTheSuiteCarriesAClaimOfTheDocument() {
    assertThat(ContractDocument.claims().keySet()).containsAll(testsByClaim().keySet());
    for (JavaMethod method : methodsOfTheSuite()) {
      if (AnnotationSupport.isAnnotated(method.reflect(), Testable.class)) {
        assertThat(method.isAnnotatedWith(Contract.class)).as(method.getFullName()).isTrue();
      }
    }
  }

  private static Set<JavaMethod> methodsOfTheSuite() {
    Set<JavaMethod> methods = new java.util.HashSet<>();
    CLASSES.stream()
        .filter(type -> type.isAssignableTo(ConformanceTest.class))
        .forEach(type -> methods.addAll(type.getMethods()));
    assertThat(methods).hasSizeGreaterThan(50);
    return methods;
  }

  @Test
  void noPendingClaimHasItsCall() {
    ContractDocument.pending()
        .forEach((claim, call) -> assertThat(ContractDocument.exists(call)).as(claim).isFalse());
    assertThat(ContractDocument.exists("io.github.panvec.VectorIndex#remove")).isTrue();
  }

  @Test
  void everyMetricMeetsEveryDimensionAmongTheKindsThatAreNotCoveredInFull() {
    Set<Subject.Shape> covered =
        new TreeSet<>(
            java.util.Comparator.comparing(Subject.Shape::dimension)
                .thenComparing(Subject.Shape::metric));
    Subjects.keepingVectors()
        .filter(subject -> !subject.isCoveredInFull())
        .forEach(subject -> covered.addAll(subject.shapes()));
    assertThat(covered).hasSize(3 * 22);
  }
}
