package io.github.panvec.bench.doctor;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What the doctor found about one backend.
 *
 * @param backend its name
 * @param well whether the round trip succeeded
 * @param facts version, SIMD level, library, what was tried and milliseconds, as far as the child
 *     got
 * @param complaint why it is not well: one or more lines; empty when it is
 */
public record Diagnosis(String backend, boolean well, Map<String, String> facts, String complaint) {

  /** Examines a backend in a child JVM that gets this JVM's {@code panvec.*} properties. */
  public static Diagnosis of(String backend, Duration limit) {
    List<String> options = new ArrayList<>();
    System.getProperties()
        .forEach(
            (key, value) -> {
              if (key.toString().startsWith("panvec.")) {
                options.add("-D" + key + "=" + value);
              }
            });
    return of(backend, ChildJvm.run(RoundTrip.class, options, List.of(backend), limit));
  }

  static Diagnosis of(String backend, ChildJvm.Outcome outcome) {
    if (outcome instanceof ChildJvm.Finished finished) {
      return finished(backend, finished.output());
    }
    String complaint;
    List<String> output = List.of();
    if (outcome instanceof ChildJvm.Crashed crashed) {
      complaint =
          "crashed with "
              + crashed.signal()
              + (crashed.frame() == null ? "" : " in " + crashed.frame());
      output = crashed.output();
    } else if (outcome instanceof ChildJvm.Hung hung) {
      complaint =
          String.format(Locale.ROOT, "hung for %s s and was stopped", seconds(hung.limit()));
      output = hung.output();
    } else {
      ChildJvm.Failed failed = (ChildJvm.Failed) outcome;
      String words = failed.errorOutput().strip();
      complaint =
          "its JVM ended with exit status "
              + failed.status()
              + (words.isEmpty() ? "" : ":\n" + words);
    }
    Map<String, String> facts = facts(output);
    String trying = facts.get("trying");
    return new Diagnosis(
        backend, false, facts, trying == null ? complaint : complaint + ", with " + trying);
  }

  /** Of several lines with one key the last counts. */
  private static Map<String, String> facts(List<String> output) {
    Map<String, String> facts = new LinkedHashMap<>();
    for (String line : output) {
      int equals = line.indexOf('=');
      if (equals > 0) {
        facts.put(line.substring(0, equals), unescape(line.substring(equals + 1)));
      }
    }
    return facts;
  }

  private static Diagnosis finished(String backend, List<String> output) {
    Map<String, String> facts = facts(output);
    String result = facts.getOrDefault("result", "");
    String reason = facts.getOrDefault("reason", "it said nothing");
    return switch (result) {
      case "ok" -> new Diagnosis(backend, true, facts, "");
      case "unavailable" -> new Diagnosis(backend, false, facts, "does not load: " + reason);
      case "wrong" ->
          new Diagnosis(backend, false, facts, "loads, but the round trip failed: " + reason);
      default -> new Diagnosis(backend, false, facts, "its JVM ended early, without a result");
    };
  }

  private static String unescape(String value) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < value.length(); i++) {
      char c = value.charAt(i);
      if (c == '\\' && i + 1 < value.length()) {
        c = value.charAt(++i);
        text.append(c == 'n' ? '\n' : c);
      } else {
        text.append(c);
      }
    }
    return text.toString();
  }

  private static String seconds(Duration limit) {
    double seconds = limit.toMillis() / 1000.0;
    return seconds == Math.rint(seconds) ? String.valueOf((long) seconds) : String.valueOf(seconds);
  }
}
