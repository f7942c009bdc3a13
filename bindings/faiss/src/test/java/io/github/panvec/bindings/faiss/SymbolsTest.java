package io.github.panvec.bindings.faiss;

import io.github.panvec.bindings.testing.ShimContract;
import java.lang.foreign.MemorySegment;

class SymbolsTest extends ShimContract {
  SymbolsTest() {
    super(PanvecFaiss.class, "panvec_faiss_", "native-src/faiss/panvec_faiss.h");
  }

  @Override
  protected void readFourFloats(MemorySegment floats) {
    Faiss.faiss_fvec_norm_L2sqr(floats, 4);
  }
}
