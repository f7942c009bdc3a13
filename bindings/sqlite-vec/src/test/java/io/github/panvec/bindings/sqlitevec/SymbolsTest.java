package io.github.panvec.bindings.sqlitevec;

import io.github.panvec.bindings.testing.ShimContract;
import java.lang.foreign.MemorySegment;

class SymbolsTest extends ShimContract {
  SymbolsTest() {
    super(PanvecSqlitevec.class, "panvec_sqlitevec_", "native-src/sqlite-vec/panvec_sqlitevec.h");
  }

  @Override
  protected void readFourFloats(MemorySegment floats) {
    PanvecSqlitevec.panvec_sqlitevec_reference_unit(4, floats, floats);
  }
}
