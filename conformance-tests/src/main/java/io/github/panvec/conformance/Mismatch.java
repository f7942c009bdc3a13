package io.github.panvec.conformance;

/** An index did something else than the contract says. */
final class Mismatch extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final String expected;
  private final String came;

  Mismatch(String expected, String came) {
    super("expected " + expected + ", came " + came);
    this.expected = expected;
    this.came = came;
  }

  String expected() {
    return expected;
  }

  String came() {
    return came;
  }
}
