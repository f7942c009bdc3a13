package io.github.panvec.conformance;

class HnswlibContractTest extends VectorIndexContract {
  @Override
  protected String backend() {
    return "hnswlib";
  }
}
