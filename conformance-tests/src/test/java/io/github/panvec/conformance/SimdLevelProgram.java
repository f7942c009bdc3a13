package io.github.panvec.conformance;

import io.github.panvec.conformance.Conformance.Options;
import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.discovery.DiscoverySelectors;

/** Holds distances to plain Java at every dimension, and writes the report. */
final class SimdLevelProgram {
  /** What calls kernels; that arrays and segments are read alike does not depend on them. */
  private static final Stream<DiscoverySelector> TESTS =
      Stream.of(
          selector("exactSearchEqualsTheReferenceBitForBit", Subject.Shape.class),
          selector("aFilteredExactSearchEqualsTheReference", Subject.Shape.class),
          selector("aPlainSearchReportsTheReferencesDistances", Subject.Shape.class),
          selector("aBatchOfQueriesIsAnsweredAsOneByOne", Subject.Shape.class),
          selector("smallAndLargeNormsKeepTheirBits", Subject.Shape.class),
          selector("negativeZerosAndDenormalsKeepTheirBits", Subject.Shape.class),
          DiscoverySelectors.selectClass(FingerprintTest.class));

  private SimdLevelProgram() {}

  private static DiscoverySelector selector(String method, Class<?> parameter) {
    return DiscoverySelectors.selectMethod(DistanceTest.class, method, parameter);
  }

  /** The folder for the report. */
  public static void main(String[] arguments) throws IOException {
    Report report = Conformance.run(Options.only(TESTS.toArray(DiscoverySelector[]::new)));
    ReportFiles.write(report, Path.of(arguments[0]));
  }
}
