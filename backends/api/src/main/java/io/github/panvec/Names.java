package io.github.panvec;

import java.util.Collection;
import java.util.Comparator;
import java.util.Locale;

/** The one wording for names that are not known: the list, and the nearest of it. */
final class Names {

  private Names() {}

  /** {@code No metric "cosin". Did you mean "cosine"? Available: l2, cosine, dot}. */
  static String unknown(String kind, String name, Collection<String> known) {
    return noSuch(kind, name, known)
        + " Available: "
        + (known.isEmpty() ? "none" : String.join(", ", known));
  }

  /** {@code No metric "cosin". Did you mean "cosine"?}. */
  static String noSuch(String kind, String name, Collection<String> known) {
    String hint =
        known.stream()
            .min(Comparator.comparingInt(candidate -> editDistance(lower(name), lower(candidate))))
            .filter(
                near -> editDistance(lower(name), lower(near)) <= Math.max(2, name.length() / 2))
            .map(near -> " Did you mean \"" + near + "\"?")
            .orElse("");
    return "No " + kind + " \"" + name + "\"." + hint;
  }

  private static String lower(String name) {
    return name.toLowerCase(Locale.ROOT);
  }

  /**
   * Optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbours
   * cost 1.
   */
  static int editDistance(String a, String b) {
    int[][] cost = new int[a.length() + 1][b.length() + 1];
    for (int i = 0; i <= a.length(); i++) {
      for (int j = 0; j <= b.length(); j++) {
        if (i == 0 || j == 0) {
          cost[i][j] = i + j;
          continue;
        }
        int substitution = a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1;
        cost[i][j] =
            Math.min(
                cost[i - 1][j - 1] + substitution,
                Math.min(cost[i - 1][j] + 1, cost[i][j - 1] + 1));
        if (i > 1
            && j > 1
            && a.charAt(i - 1) == b.charAt(j - 2)
            && a.charAt(i - 2) == b.charAt(j - 1)) {
          cost[i][j] = Math.min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
      }
    }
    return cost[a.length()][b.length()];
  }
}
