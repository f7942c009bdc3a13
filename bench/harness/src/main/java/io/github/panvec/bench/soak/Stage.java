package io.github.panvec.bench.soak;

/** What the searcher, the writer and the thread that waits for both tell each other. */
final class Stage {
  private volatile Latencies latencies = new Latencies();
  private volatile long touched;
  private volatile boolean over;

  /** Searches that begin from now on are counted there. */
  void count(Latencies latencies) {
    this.latencies = latencies;
  }

  Latencies latencies() {
    return latencies;
  }

  /** The writer has written or removed this version of an id, in either index. */
  void touch(int id, int version) {
    touched = (long) version << 32 | id;
  }

  /** For {@link #touchedId} and {@link #touchedVersion}. */
  long touched() {
    return touched;
  }

  static int touchedId(long touched) {
    return (int) touched;
  }

  static int touchedVersion(long touched) {
    return (int) (touched >>> 32);
  }

  /** Searching and writing end. */
  void end() {
    over = true;
  }

  boolean isOver() {
    return over;
  }

  /** What one thread is doing, for the one that waits for it. */
  static final class Activity {
    private volatile String what = "starting";
    private volatile long since = System.nanoTime();

    void begin(String what) {
      this.what = what;
      since = System.nanoTime();
    }

    String what() {
      return what;
    }

    double seconds() {
      return (System.nanoTime() - since) / 1e9;
    }
  }
}
