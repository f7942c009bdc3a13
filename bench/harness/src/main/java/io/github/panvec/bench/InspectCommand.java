package io.github.panvec.bench;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.github.panvec.SnapshotManifest;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.StringJoiner;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Says what is in a snapshot. */
@Command(
    name = "inspect",
    sortOptions = false,
    description = {
      "Say what is in a snapshot.",
      "Reads its manifest alone and loads no native library, unless --view asks for it."
    },
    footer = {
      "",
      "With --view it is opened twice, and what it takes the second time is printed: the JVM has"
          + " loaded its classes by then. Resident memory is known on Linux. Pages of files go when"
          + " the machine needs the room.",
      "panvec verify reads the files."
    })
final class InspectCommand implements Callable<Integer> {
  private final PrintWriter out;
  private final Progress progress;

  @Parameters(index = "0", paramLabel = "DIR", description = "The directory that was saved to.")
  private Path directory;

  @Option(
      names = "--view",
      description =
          "Open it as a view too, sizes of files verified alone, and say what that takes: time,"
              + " native bytes, resident memory.")
  private boolean view;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  InspectCommand(PrintWriter out, Progress progress) {
    this.out = out;
    this.progress = progress;
  }

  @Override
  public Integer call() {
    GivenSnapshot snapshot = new GivenSnapshot(directory);
    SnapshotManifest manifest = snapshot.manifest();
    ViewCost cost =
        view ? progress.during("Opening " + directory, () -> ViewCost.of(snapshot)) : null;
    progress.clear();
    if (json) {
      printJson(manifest, cost);
    } else {
      printWords(manifest, cost);
    }
    return 0;
  }

  // ------------------------------------------------------------------------------------- in words

  private void printWords(SnapshotManifest manifest, @Nullable ViewCost cost) {
    line("snapshot", directory.toString());
    line("generation", "%d, format %d".formatted(manifest.generation(), manifest.format()));
    line("backend", manifest.backend() + " " + manifest.backendVersion());
    line("parameters", pairs(manifest.parameters()));
    line("dimension", manifest.dimension() + ", " + manifest.metric());
    line(
        "vectors",
        Amounts.count(manifest.size())
            + (manifest.dead() == 0
                ? ""
                : ", and " + Amounts.of(manifest.dead(), "row") + " removed or replaced"));
    line("details", pairs(manifest.details()));
    line(
        "files",
        Amounts.of(manifest.files().size(), "file") + ", " + Amounts.bytes(manifest.bytes()));
    for (SnapshotManifest.Entry file : manifest.files()) {
      out.printf(
          Locale.ROOT,
          "             %-20s %,18d bytes  CRC-32C %08x%n",
          file.path(),
          file.bytes(),
          file.crc32c());
    }
    if (cost != null) {
      printWords(cost, manifest.size());
    }
  }

  private void printWords(ViewCost cost, long vectors) {
    line(
        "view",
        "opened in %.1f ms%s, sizes verified; %.1f ms the first time in a process"
            .formatted(
                cost.openMillis(), perMillion(cost.openMillis(), vectors), cost.firstMillis()));
    line(
        "native",
        Amounts.bytes(cost.nativeBytes()) + " held by it" + perVector(cost.nativeBytes(), vectors));
    Long anonymous = cost.residentBytes();
    Long pages = cost.residentFileBytes();
    line(
        "resident",
        anonymous == null || pages == null
            ? "not known on this system"
            : Amounts.bytes(anonymous)
                + " more memory"
                + perVector(anonymous, vectors)
                + ", "
                + Amounts.bytes(pages)
                + " more in pages of files");
  }

  private void line(String name, String value) {
    out.printf("%-12s %s%n", name, value);
  }

  private static String pairs(Map<String, Object> values) {
    StringJoiner pairs = new StringJoiner(" ").setEmptyValue("none");
    values.forEach((name, value) -> pairs.add(name + "=" + value));
    return pairs.toString();
  }

  /** Of few vectors it would tell of the fixed cost alone. */
  private static String perMillion(double millis, long vectors) {
    return vectors < 100_000
        ? ""
        : String.format(Locale.ROOT, " (%.1f ms per million vectors)", millis * 1e6 / vectors);
  }

  private static String perVector(long bytes, long vectors) {
    return vectors == 0
        ? ""
        : String.format(Locale.ROOT, " (%.1f bytes a vector)", (double) bytes / vectors);
  }

  // -------------------------------------------------------------------------------------- as JSON

  private void printJson(SnapshotManifest manifest, @Nullable ViewCost cost) {
    Map<String, Object> members = new LinkedHashMap<>();
    members.put("snapshot", directory.toString());
    members.put("format", manifest.format());
    members.put("generation", manifest.generation());
    members.put("backend", manifest.backend());
    members.put("backendVersion", manifest.backendVersion());
    members.put("parameters", manifest.parameters());
    members.put("dimension", manifest.dimension());
    members.put("metric", manifest.metric().name());
    members.put("size", manifest.size());
    members.put("dead", manifest.dead());
    members.put("details", manifest.details());
    members.put("bytes", manifest.bytes());
    List<Map<String, Object>> files = new ArrayList<>();
    for (SnapshotManifest.Entry file : manifest.files()) {
      Map<String, Object> entry = new LinkedHashMap<>();
      entry.put("path", file.path());
      entry.put("bytes", file.bytes());
      entry.put("crc32c", String.format(Locale.ROOT, "%08x", file.crc32c()));
      files.add(entry);
    }
    members.put("files", files);
    if (cost != null) {
      Map<String, Object> figures = new LinkedHashMap<>();
      figures.put("openMillis", cost.openMillis());
      figures.put("firstOpenMillis", cost.firstMillis());
      figures.put("nativeBytes", cost.nativeBytes());
      figures.put("residentBytes", cost.residentBytes());
      figures.put("residentFileBytes", cost.residentFileBytes());
      members.put("view", figures);
    }
    try {
      out.println(
          new ObjectMapper()
              .enable(SerializationFeature.INDENT_OUTPUT)
              .writeValueAsString(members));
    } catch (JsonProcessingException impossible) {
      throw new AssertionError(impossible);
    }
  }
}
