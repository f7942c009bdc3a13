package io.github.panvec.conformance;

import io.github.panvec.Metric;
import io.github.panvec.conformance.Report.Unsupported;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * What kinds of index do not take or keep, with reasons: all resources {@value #RESOURCE} of the
 * class path together. A line is
 *
 * <pre>{@code KINDS | METRICS | CLAIMS | REASON}</pre>
 *
 * <p>{@code KINDS} is a backend and a type ({@code usearch i8}), {@code codes-only}, {@code
 * keeps-vectors}, {@code learns-nothing} or {@code no-snapshots}; {@code METRICS} and {@code
 * CLAIMS} are lists with commas, {@code *} standing for all metrics, or any letters of a name:
 * {@code usearch i8*}, {@code exact.*}. A line whose claims are {@code *} says that the metrics are
 * not taken at all.
 */
final class NotSupported {
  static final String RESOURCE = "META-INF/panvec/not-supported.txt";

  /**
   * A line.
   *
   * @param where the resource and the number of the line
   * @param metrics empty: all
   * @param claims empty: the metrics are not taken at all
   */
  record Entry(String where, String kinds, Set<Metric> metrics, Set<String> claims, String reason) {

    /** Whether the line is about this kind of index. */
    boolean isAbout(Subject subject) {
      return switch (kinds) {
        case "codes-only" -> subject.capabilities().codesOnly();
        case "keeps-vectors" -> !subject.capabilities().codesOnly();
        case "learns-nothing" -> !subject.learns();
        case "no-snapshots" -> !subject.capabilities().snapshots();
        default -> pattern(kinds).matcher(subject.toString()).matches();
      };
    }
  }

  private final List<Entry> entries;

  private NotSupported(List<Entry> entries) {
    this.entries = entries;
  }

  /**
   * All lists on the class path.
   *
   * @throws IllegalStateException when a line is wrong, naming it
   */
  static NotSupported load() {
    ClassLoader own = NotSupported.class.getClassLoader();
    ClassLoader context = Thread.currentThread().getContextClassLoader();
    List<Entry> entries = new ArrayList<>();
    try {
      Set<String> seen = new TreeSet<>();
      for (ClassLoader loader : context == null ? List.of(own) : List.of(own, context)) {
        for (URL url : Collections.list(loader.getResources(RESOURCE))) {
          if (seen.add(url.toString())) {
            try (InputStream in = url.openStream()) {
              String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
              entries.addAll(parse(url.toString(), text));
            }
          }
        }
      }
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
    return new NotSupported(entries);
  }

  /** One list; {@code where} is for messages. */
  static List<Entry> parse(String where, String text) {
    List<Entry> entries = new ArrayList<>();
    String[] lines = text.split("\n");
    for (int i = 0; i < lines.length; i++) {
      String line = lines[i].strip();
      if (!line.isEmpty() && !line.startsWith("#")) {
        entries.add(entry(where + " line " + (i + 1), line));
      }
    }
    return entries;
  }

  private static Entry entry(String where, String line) {
    String[] parts = line.split("\\|", 4);
    if (parts.length != 4 || Arrays.stream(parts).anyMatch(String::isBlank)) {
      throw new IllegalStateException(
          where + ": not KINDS | METRICS | CLAIMS | REASON: \"" + line + "\"");
    }
    Set<Metric> metrics = new TreeSet<>();
    if (!parts[1].strip().equals("*")) {
      for (String name : parts[1].strip().split("\\s*,\\s*")) {
        try {
          metrics.add(Metric.of(name));
        } catch (IllegalArgumentException unknown) {
          throw new IllegalStateException(where + ": " + unknown.getMessage(), unknown);
        }
      }
    }
    Set<String> claims = new TreeSet<>();
    if (!parts[2].strip().equals("*")) {
      for (String name : parts[2].strip().split("\\s*,\\s*")) {
        Set<String> meant =
            ContractDocument.claims().keySet().stream()
                .filter(pattern(name).asMatchPredicate())
                .collect(Collectors.toSet());
        if (meant.isEmpty()) {
          throw new IllegalStateException(
              where + ": docs/contract.md has no claim \"" + name + "\"");
        }
        claims.addAll(meant);
      }
    }
    if (metrics.isEmpty() && claims.isEmpty()) {
      throw new IllegalStateException(
          where + ": all metrics and all claims together leave nothing: \"" + line + "\"");
    }
    return new Entry(where, parts[0].strip(), metrics, claims, parts[3].strip());
  }

  private static Pattern pattern(String name) {
    return Pattern.compile(
        Arrays.stream(name.split("\\*", -1)).map(Pattern::quote).collect(Collectors.joining(".*")));
  }

  /** All lines. */
  List<Entry> entries() {
    return List.copyOf(entries);
  }

  /** Metrics that this kind of index does not take, as the list has it. */
  Set<Metric> metrics(Subject subject) {
    Set<Metric> metrics = new TreeSet<>();
    entries.stream()
        .filter(entry -> entry.claims().isEmpty() && entry.isAbout(subject))
        .forEach(entry -> metrics.addAll(entry.metrics()));
    return metrics;
  }

  /** Claims that this kind of index keeps under no metric, as the list has it. */
  Set<String> claims(Subject subject) {
    Set<String> claims = new TreeSet<>();
    entries.stream()
        .filter(entry -> entry.metrics().isEmpty() && entry.isAbout(subject))
        .forEach(entry -> claims.addAll(entry.claims()));
    return claims;
  }

  /** What the list says of these kinds, one by one. */
  List<Unsupported> of(List<Subject> subjects) {
    List<Unsupported> all = new ArrayList<>();
    for (Subject subject : subjects) {
      for (Entry entry : entries) {
        if (entry.isAbout(subject)) {
          for (Optional<Metric> metric : orNone(entry.metrics())) {
            for (Optional<String> claim : orNone(entry.claims())) {
              all.add(
                  new Unsupported(
                      subject.backend(),
                      subject.type(),
                      metric.map(Metric::name).orElse(""),
                      claim.orElse(""),
                      entry.reason()));
            }
          }
        }
      }
    }
    return all;
  }

  private static <T> List<Optional<T>> orNone(Set<T> some) {
    return some.isEmpty() ? List.of(Optional.empty()) : some.stream().map(Optional::of).toList();
  }
}
