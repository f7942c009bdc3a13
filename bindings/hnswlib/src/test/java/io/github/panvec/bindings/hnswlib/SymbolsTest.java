package io.github.panvec.bindings.hnswlib;

import io.github.panvec.bindings.testing.ShimContract;
import java.lang.foreign.MemorySegment;

class SymbolsTest extends ShimContract {
  SymbolsTest() {
    super(PanvecHnswlib.class, "panvec_hnswlib_", "native-src/hnswlib/panvec_hnswlib.h");
  }

  @Override
  protected void readFourFloats(MemorySegment floats) {
    PanvecHnswlib.panvec_hnswlib_reference_unit(4, floats, floats);
  }
}
