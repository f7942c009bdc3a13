package io.github.panvec.conformance;

import io.github.panvec.IndexSpec;
import java.util.stream.Stream;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

@ParameterizedClass
@MethodSource("kinds")
class FaissContractTest extends VectorIndexContract {
  @Parameter private Specs.Kind kind;

  static Stream<Specs.Kind> kinds() {
    return Stream.concat(Specs.faissTypes(), Specs.faissTypesTrainedEarly());
  }

  @Override
  protected String backend() {
    return kind.backend();
  }

  @Override
  protected IndexSpec configure(IndexSpec defaults) {
    return kind.configure(defaults);
  }
}
