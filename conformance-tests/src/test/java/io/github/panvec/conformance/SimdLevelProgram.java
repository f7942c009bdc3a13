package io.github.panvec.conformance;

import io.github.panvec.conformance.Conformance.Options;
import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.Collectors;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.discovery.DiscoverySelectors;

/** Holds distances to plain Java at every dimension, and writes two reports. */
final class SimdLevelProgram {
  /** The folder of the report on kinds of index that are covered in full. */
  static final String IN_FULL = "in-full";

  /** The folder of the report on all others that keep their vectors. */
  static final String OTHERS = "others";

  private SimdLevelProgram() {}

  /** What calls kernels; that arrays and segments are read alike does not depend on them. */
  private static DiscoverySelector[] tests() {
    return new DiscoverySelector[] {
      exact(),
      selector("aFilteredExactSearchEqualsTheReference", Subject.Shape.class),
      selector("aPlainSearchReportsTheReferencesDistances", Subject.Shape.class),
      selector("aBatchOfQueriesIsAnsweredAsOneByOne", Subject.Shape.class),
      selector("smallAndLargeNormsKeepTheirBits", Subject.Shape.class),
      selector("negativeZerosAndDenormalsKeepTheirBits", Subject.Shape.class),
      DiscoverySelectors.selectClass(FingerprintTest.class)
    };
  }

  private static DiscoverySelector exact() {
    return selector("exactSearchEqualsTheReferenceBitForBit", Subject.Shape.class);
  }

  private static DiscoverySelector selector(String method, Class<?> parameter) {
    return DiscoverySelectors.selectMethod(DistanceTest.class, method, parameter);
  }

  /** The folder for the reports' folders. */
  public static void main(String[] arguments) throws IOException {
    String inFull = names(true);
    String others = names(false);
    Path folder = Path.of(arguments[0]);
    run(inFull, tests(), folder.resolve(IN_FULL));
    run(others, new DiscoverySelector[] {exact()}, folder.resolve(OTHERS));
  }

  private static String names(boolean inFull) {
    return Subjects.keepingVectors()
        .filter(kind -> kind.isCoveredInFull() == inFull)
        .map(Subject::toString)
        .collect(Collectors.joining(","));
  }

  private static void run(String kinds, DiscoverySelector[] tests, Path folder) throws IOException {
    System.setProperty(Subjects.KIND, kinds);
    ReportFiles.write(Conformance.run(Options.only(tests)), folder);
    System.clearProperty(Subjects.KIND);
  }
}
