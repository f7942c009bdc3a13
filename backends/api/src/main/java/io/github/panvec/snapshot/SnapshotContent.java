package io.github.panvec.snapshot;

/** One file of a snapshot: a name, and what writes its bytes. */
public interface SnapshotContent {

  /**
   * The file's name: lower-case letters, digits, {@code _} and {@code -}, beginning with a letter,
   * at most 64; perhaps a dot and a suffix of letters and digits. Not {@code files}.
   */
  String name();

  /**
   * Writes the bytes. Runs on the thread that saves; what it throws ends the save, leaves the
   * snapshot as it was, and reaches the caller.
   */
  void writeTo(SnapshotSink sink);

  /** A content of that name that {@code writer} writes. */
  static SnapshotContent of(String name, Writer writer) {
    return new SnapshotContent() {
      @Override
      public String name() {
        return name;
      }

      @Override
      public void writeTo(SnapshotSink sink) {
        writer.writeTo(sink);
      }
    };
  }

  /** Writes bytes. */
  @FunctionalInterface
  interface Writer {
    /** As {@link SnapshotContent#writeTo}. */
    void writeTo(SnapshotSink sink);
  }
}
