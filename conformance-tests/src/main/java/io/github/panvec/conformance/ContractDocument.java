package io.github.panvec.conformance;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** {@code docs/contract.md}, and the list of its claims that wait for their call. */
final class ContractDocument {
  private static final Pattern CLAIM = Pattern.compile("(?m)^- `([^`]+)` (.+)$");

  private ContractDocument() {}

  /** Claims by identifier, in the document's order, as the first line has them. */
  static Map<String, String> claims() {
    Map<String, String> claims = new LinkedHashMap<>();
    Matcher matcher = CLAIM.matcher(resource("contract.md"));
    while (matcher.find()) {
      if (claims.put(matcher.group(1), matcher.group(2)) != null) {
        throw new IllegalStateException("claimed twice: " + matcher.group(1));
      }
    }
    return claims;
  }

  /** Pending claims and the calls they wait for, as {@code class#method}. */
  static Map<String, String> pending() {
    return table("pending.txt");
  }

  /** Claims that make no cell, and the tests that hold them. */
  static Map<String, String> perProcess() {
    return table("per-process.txt");
  }

  /** Lines of two words each. */
  private static Map<String, String> table(String name) {
    Map<String, String> table = new LinkedHashMap<>();
    for (String line : resource(name).split("\n")) {
      if (!line.isBlank() && !line.startsWith("#")) {
        String[] words = line.strip().split("\\s+");
        table.put(words[0], words[1]);
      }
    }
    return table;
  }

  /** Whether there is such a public call. */
  static boolean exists(String call) {
    String[] parts = call.split("#");
    try {
      return Arrays.stream(Class.forName(parts[0]).getMethods())
          .anyMatch(method -> method.getName().equals(parts[1]));
    } catch (ClassNotFoundException notYet) {
      return false;
    }
  }

  /** A text of this package. */
  static String resource(String name) {
    try (InputStream in = ContractDocument.class.getResourceAsStream(name)) {
      if (in == null) {
        throw new IllegalStateException(name + " is not in the suite");
      }
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }
}
