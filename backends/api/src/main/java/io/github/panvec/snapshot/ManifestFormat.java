package io.github.panvec.snapshot;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.Metric;
import io.github.panvec.SnapshotManifest;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * {@code manifest.json}: JSON of one form, which begins with the version of the format and ends
 * with a checksum of all bytes before it. Beginning and end are the same in every version to come,
 * so that a newer snapshot is told from a damaged one.
 */
final class ManifestFormat {
  static final String NAME = "manifest.json";

  /** Longer ones are not read. */
  static final int MAX_BYTES = 1 << 20;

  /** How they all begin. */
  static final String BEGINNING = "{\n  \"format\": ";

  private static final Pattern HEAD =
      Pattern.compile(Pattern.quote(BEGINNING) + "(0|[1-9][0-9]{0,8}),\n");
  private static final String CHECKSUM = ",\n  \"crc32c\": \"";
  private static final String TAIL = "\"\n}\n";
  private static final int DIGITS = 8;

  private ManifestFormat() {}

  static byte[] encode(SnapshotManifest manifest) {
    Map<String, Object> members = new LinkedHashMap<>();
    members.put("format", (long) manifest.format());
    members.put("vector.backend", manifest.backend());
    members.put("vector.backend.version", manifest.backendVersion());
    members.put("metric", manifest.metric().name());
    members.put("dimension", (long) manifest.dimension());
    members.put("parameters", manifest.parameters());
    Map<String, Object> counts = new LinkedHashMap<>();
    counts.put("size", manifest.size());
    counts.put("dead", manifest.dead());
    members.put("counts", counts);
    members.put("details", manifest.details());
    members.put("generation", manifest.generation());
    List<Object> files = new ArrayList<>();
    for (SnapshotManifest.Entry entry : manifest.files()) {
      Map<String, Object> file = new LinkedHashMap<>();
      file.put("name", entry.path());
      file.put("bytes", entry.bytes());
      file.put("crc32c", Checksum.hex(entry.crc32c()));
      files.add(file);
    }
    members.put("files", files);
    StringBuilder text = new StringBuilder();
    Json.write(text, members, "");
    text.setLength(text.length() - "\n}".length());
    return sealed(text.toString());
  }

  /** The bytes with their checksum behind them; {@code text} lacks the last brace. */
  static byte[] sealed(String text) {
    byte[] covered = (text + CHECKSUM).getBytes(StandardCharsets.US_ASCII);
    String all = text + CHECKSUM + Checksum.hex(Checksum.of(covered, covered.length)) + TAIL;
    byte[] bytes = all.getBytes(StandardCharsets.US_ASCII);
    if (bytes.length > MAX_BYTES) {
      throw new IllegalArgumentException("a manifest of more than " + MAX_BYTES + " bytes");
    }
    return bytes;
  }

  /**
   * What these bytes say.
   *
   * @param where names the file in messages
   * @throws CorruptIndexException when they are not what {@link #encode} wrote
   * @throws ForeignFileException when a later version wrote them
   */
  static SnapshotManifest decode(Object where, byte[] bytes) {
    checkSeal(where, bytes);
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    Matcher head = HEAD.matcher(text);
    if (!head.lookingAt()) {
      throw Failures.corrupt(where, "does not begin with its format");
    }
    int format = Integer.parseInt(head.group(1));
    if (format != SnapshotManifest.FORMAT) {
      throw new ForeignFileException(
          where + ": format " + format + "; this Panvec reads format " + SnapshotManifest.FORMAT);
    }
    try {
      return new Reader(Json.readObject(bytes), where).manifest(format);
    } catch (Json.MalformedException malformed) {
      throw Failures.corrupt(where, malformed.getMessage());
    }
  }

  private static void checkSeal(Object where, byte[] bytes) {
    if (bytes.length > MAX_BYTES) {
      throw Failures.corrupt(where, "longer than " + MAX_BYTES + " bytes");
    }
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    int covered = bytes.length - TAIL.length() - DIGITS;
    if (covered < 0 || !text.endsWith(TAIL) || !text.startsWith(CHECKSUM, at(covered))) {
      throw Failures.corrupt(
          where,
          "does not end with its checksum (" + bytes.length + " bytes); cut off, or foreign");
    }
    String stored = text.substring(covered, covered + DIGITS);
    String computed = Checksum.hex(Checksum.of(bytes, covered));
    if (!stored.equals(computed)) {
      throw Failures.corrupt(where, "its CRC-32C is " + computed + ", not " + stored);
    }
  }

  private static int at(int covered) {
    return Math.max(0, covered - CHECKSUM.length());
  }

  /** Checks names, types and ranges of what the JSON holds. */
  private record Reader(Map<String, Object> members, Object where) {

    private static final List<String> NAMES =
        List.of(
            "format",
            "vector.backend",
            "vector.backend.version",
            "metric",
            "dimension",
            "parameters",
            "counts",
            "details",
            "generation",
            "files",
            "crc32c");

    SnapshotManifest manifest(int format) {
      require(NAMES);
      Reader counts = new Reader(object("counts"), where);
      counts.require(List.of("size", "dead"));
      long generation = number("generation", 1, GenerationFiles.MAX_GENERATION);
      return new SnapshotManifest(
          format,
          string("vector.backend"),
          string("vector.backend.version"),
          metric(),
          (int) number("dimension", 1, Integer.MAX_VALUE),
          scalars("parameters"),
          counts.number("size", 0, Long.MAX_VALUE),
          counts.number("dead", 0, Long.MAX_VALUE),
          scalars("details"),
          generation,
          files(generation));
    }

    private void require(List<String> names) {
      for (String name : names) {
        if (!members.containsKey(name)) {
          throw Failures.corrupt(where, "\"" + name + "\" is missing");
        }
      }
      for (String name : members.keySet()) {
        if (!names.contains(name)) {
          throw Failures.corrupt(where, "\"" + name + "\" is unknown");
        }
      }
    }

    private List<SnapshotManifest.Entry> files(long generation) {
      List<SnapshotManifest.Entry> entries = new ArrayList<>();
      Set<String> seen = new HashSet<>();
      for (Object element : typed("files", List.class, "an array")) {
        if (!(element instanceof Map<?, ?>)) {
          throw Failures.corrupt(where, "\"files\" must hold objects");
        }
        @SuppressWarnings("unchecked") // Json makes no others
        Reader file = new Reader((Map<String, Object>) element, where);
        file.require(List.of("name", "bytes", "crc32c"));
        String path = file.string("name");
        String folder = generation + "/";
        if (!path.startsWith(folder)
            || !GenerationFiles.isName(path.substring(folder.length()))
            || !seen.add(path)) {
          throw Failures.corrupt(where, "\"" + path + "\" is no file of generation " + generation);
        }
        entries.add(
            new SnapshotManifest.Entry(
                path, file.number("bytes", 0, Long.MAX_VALUE), file.checksum("crc32c")));
      }
      return entries;
    }

    private int checksum(String name) {
      String hex = string(name);
      if (!hex.matches("[0-9a-f]{8}")) {
        throw Failures.corrupt(where, "\"" + hex + "\" is no CRC-32C");
      }
      return Integer.parseUnsignedInt(hex, 16);
    }

    private Metric metric() {
      String name = string("metric");
      for (Metric metric : Metric.values()) {
        if (metric.name().equals(name)) {
          return metric;
        }
      }
      throw Failures.corrupt(where, "\"" + name + "\" is no metric");
    }

    private Map<String, Object> scalars(String name) {
      Map<String, Object> values = object(name);
      values.forEach(
          (key, value) -> {
            if (value instanceof Map || value instanceof List) {
              throw Failures.corrupt(where, "\"" + name + "." + key + "\" is no single value");
            }
          });
      return values;
    }

    @SuppressWarnings("unchecked") // Json makes no others
    private Map<String, Object> object(String name) {
      return typed(name, Map.class, "an object");
    }

    private String string(String name) {
      return typed(name, String.class, "a string");
    }

    private long number(String name, long min, long max) {
      long value = typed(name, Long.class, "a whole number");
      if (value < min || value > max) {
        throw Failures.corrupt(
            where, "\"" + name + "\" must be from " + min + " to " + max + ", not " + value);
      }
      return value;
    }

    private <T> T typed(String name, Class<T> type, String wanted) {
      Object value = members.get(name);
      if (!type.isInstance(value)) {
        throw Failures.corrupt(where, "\"" + name + "\" must be " + wanted);
      }
      return type.cast(value);
    }
  }
}
