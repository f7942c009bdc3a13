package io.github.panvec.bindings.usearch;

import io.github.panvec.bindings.testing.ShimContract;
import java.lang.foreign.MemorySegment;

class SymbolsTest extends ShimContract {
  SymbolsTest() {
    super(PanvecUsearch.class, "panvec_usearch_", "native-src/usearch/panvec_usearch.h");
  }

  @Override
  protected void readFourFloats(MemorySegment floats) {
    Usearch.usearch_distance(
        floats,
        floats,
        Usearch.usearch_scalar_f32_k(),
        4,
        Usearch.usearch_metric_l2sq_k(),
        MemorySegment.NULL);
  }
}
