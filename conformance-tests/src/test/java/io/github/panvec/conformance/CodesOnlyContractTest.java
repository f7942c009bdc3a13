package io.github.panvec.conformance;

import io.github.panvec.IndexSpec;
import java.util.stream.Stream;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

@ParameterizedClass
@MethodSource("kinds")
class CodesOnlyContractTest extends CodesOnlyContract {
  @Parameter private Specs.Kind kind;

  static Stream<Specs.Kind> kinds() {
    return Specs.codesOnly();
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
