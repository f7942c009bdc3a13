package io.github.panvec.conformance;

import java.util.List;
import java.util.regex.Pattern;

/** The words that a message has to contain, each as it stands: 2 is not in "20 hits". */
final class Words {

  private Words() {}

  /** Those of {@code words} that {@code message} lacks. */
  static List<String> missing(String message, List<String> words) {
    return words.stream().filter(word -> !isIn(message, word)).toList();
  }

  /** Whether a word, or several together, or a number is there by itself. */
  static boolean isIn(String message, String word) {
    if (word.isEmpty()) {
      return true;
    }
    boolean wordBegins = isOfAWord(word.charAt(0));
    boolean wordEnds = isOfAWord(word.charAt(word.length() - 1));
    // Neither another number's digits, its sign or its fraction, nor another word's letters.
    String before = wordBegins ? "(?<![\\w-])(?<!\\d\\.)" : "";
    String after = wordEnds ? "(?!\\w)(?!\\.\\d)" : "";
    return Pattern.compile(before + Pattern.quote(word) + after).matcher(message).find();
  }

  private static boolean isOfAWord(char c) {
    return Character.isLetterOrDigit(c) || c == '_';
  }
}
