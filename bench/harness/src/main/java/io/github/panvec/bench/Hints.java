package io.github.panvec.bench;

import java.util.Collection;
import java.util.Comparator;

/**
 * The wording for names that are not known, the same as the API's: the list, and the nearest of it.
 */
public final class Hints {

  private Hints() {}

  /**
   * For example {@code No dataset "glove". Did you mean "glove-100"? Available: embedded,
   * glove-100}.
   */
  public static String unknown(String kind, String name, Collection<String> known) {
    String near =
        known.stream()
            .min(Comparator.comparingInt(candidate -> distance(name, candidate)))
            .filter(
                candidate ->
                    candidate.startsWith(name)
                        || distance(name, candidate) <= Math.max(2, name.length() / 2))
            .map(candidate -> " Did you mean \"" + candidate + "\"?")
            .orElse("");
    return "No " + kind + " \"" + name + "\"." + near + " Available: " + String.join(", ", known);
  }

  /** Levenshtein's distance. */
  static int distance(String a, String b) {
    int[] row = new int[b.length() + 1];
    for (int j = 0; j <= b.length(); j++) {
      row[j] = j;
    }
    for (int i = 1; i <= a.length(); i++) {
      int diagonal = row[0];
      row[0] = i;
      for (int j = 1; j <= b.length(); j++) {
        int substituted = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
        diagonal = row[j];
        row[j] = Math.min(substituted, Math.min(row[j], row[j - 1]) + 1);
      }
    }
    return row[b.length()];
  }
}
