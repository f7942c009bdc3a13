package io.github.panvec.conformance;

class SqliteVecContractTest extends VectorIndexContract {
  @Override
  protected String backend() {
    return "sqlite-vec";
  }
}
