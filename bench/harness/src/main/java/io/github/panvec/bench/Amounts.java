package io.github.panvec.bench;

import java.util.Locale;

/** Quantities as people read them, alike whatever the locale. */
final class Amounts {

  private Amounts() {}

  /** For example {@code 25,000}. */
  static String count(long number) {
    return String.format(Locale.ROOT, "%,d", number);
  }

  /** For example {@code 13.2 MiB}; what is smaller than a MiB in bytes. */
  static String bytes(long bytes) {
    return Math.abs(bytes) < 1 << 20
        ? count(bytes) + " bytes"
        : String.format(Locale.ROOT, "%,.1f MiB", bytes / (double) (1 << 20));
  }

  /** For example {@code 0.052 s} or {@code 12.3 s}. */
  static String seconds(long nanos) {
    return String.format(Locale.ROOT, nanos < 1_000_000_000 ? "%.3f s" : "%,.1f s", nanos / 1e9);
  }

  /** For example {@code 3 files}. */
  static String of(long number, String what) {
    return count(number) + " " + what + (number == 1 ? "" : "s");
  }
}
