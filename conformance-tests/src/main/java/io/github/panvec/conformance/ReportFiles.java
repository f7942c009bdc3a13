package io.github.panvec.conformance;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes reports as {@code conformance.json}, {@code .md} and {@code .html}, and reads the JSON.
 */
public final class ReportFiles {
  private static final String NAME = "conformance";

  private static final ObjectMapper JSON =
      JsonMapper.builder()
          // Components alone: what else a record can tell follows from them.
          .disable(MapperFeature.AUTO_DETECT_IS_GETTERS)
          .enable(
              DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES,
              DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES,
              DeserializationFeature.FAIL_ON_NULL_FOR_PRIMITIVES,
              DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private ReportFiles() {}

  /**
   * Writes the three files, replacing older ones.
   *
   * @param folder made when it is not there
   * @throws IOException when it cannot be written
   */
  public static void write(Report report, Path folder) throws IOException {
    Files.createDirectories(folder);
    Files.writeString(folder.resolve(NAME + ".json"), json(report));
    Files.writeString(folder.resolve(NAME + ".md"), new MarkdownReport(report).text());
    Files.writeString(folder.resolve(NAME + ".html"), new HtmlReport(report).text());
  }

  /** A cell takes one line: a report has thousands, and line tools should serve too. */
  private static String json(Report report) {
    ObjectNode tree = JSON.valueToTree(report);
    List<String> fields = new ArrayList<>();
    tree.properties()
        .forEach(
            field -> {
              String value = field.getValue().toString();
              if (field.getValue().isArray() && !field.getValue().isEmpty()) {
                List<String> lines = new ArrayList<>();
                field.getValue().forEach(each -> lines.add("    " + each));
                value = "[\n" + String.join(",\n", lines) + "\n  ]";
              }
              fields.add("  \"" + field.getKey() + "\": " + value);
            });
    return "{\n" + String.join(",\n", fields) + "\n}\n";
  }

  /**
   * Reads {@code conformance.json}.
   *
   * @throws IOException when it is not there, cannot be read, or is no report of this format,
   *     saying which
   */
  public static Report read(Path file) throws IOException {
    byte[] bytes;
    try {
      if (Files.isDirectory(file)) {
        throw new IOException(file + ": is a folder, not a report");
      }
      bytes = Files.readAllBytes(file);
    } catch (NoSuchFileException missing) {
      throw new IOException(file + ": no such file", missing);
    }
    try {
      JsonNode tree = JSON.readTree(new String(bytes, StandardCharsets.UTF_8));
      JsonNode format = tree.path("format");
      if (!format.isInt()) {
        throw new IOException(file + ": not a conformance report: it has no \"format\"");
      }
      if (format.intValue() != Report.FORMAT) {
        throw new IOException(
            file
                + ": a report of format "
                + format.intValue()
                + "; this program reads format "
                + Report.FORMAT);
      }
      return JSON.treeToValue(tree, Report.class);
    } catch (JsonProcessingException wrong) {
      throw new IOException(
          file + ": not a conformance report: " + wrong.getOriginalMessage(), wrong);
    }
  }
}
