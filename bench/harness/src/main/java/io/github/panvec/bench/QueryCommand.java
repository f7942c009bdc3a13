package io.github.panvec.bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.VectorIndex;
import io.github.panvec.Verify;
import io.github.panvec.bench.data.Batches;
import io.github.panvec.bench.data.Datasets;
import io.github.panvec.bench.data.VectorSet;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.StringJoiner;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Searches a snapshot for the vectors of a file. */
@Command(
    name = "query",
    sortOptions = false,
    description = {
      "Search a saved index for the vectors in a file, and print the hits of each, nearest first.",
      "Every byte of the snapshot is verified before it is used."
    },
    footer = {
      "",
      "For example: panvec query words.panvec --queries embedded -k 3",
      "Answers go to the standard output, times to the standard error."
    })
final class QueryCommand implements Callable<Integer> {
  /** So many at a time: with each, the progress is said and answers are printed. */
  private static final int QUERIES_AT_A_TIME = 256;

  private static final Pattern RANGE = Pattern.compile("(-?[0-9]+)\\.\\.(-?[0-9]+)");

  private final PrintWriter out;
  private final Progress progress;

  @Parameters(index = "0", paramLabel = "DIR", description = "The directory that was saved to.")
  private Path directory;

  @Option(
      names = "--queries",
      required = true,
      paramLabel = "FILE|NAME",
      description =
          "The vectors to ask with: all rows of a .fvecs, .ivecs or .npy (float32, float16) file,"
              + " \"test\" of an ann-benchmarks .hdf5 file, query.npy of a folder, or the queries"
              + " of embedded, glove-100 or fashion-mnist-784.")
  private String queries;

  @Option(
      names = {"-k", "--k"},
      paramLabel = "N",
      defaultValue = "10",
      description = "Hits per query. Default: ${DEFAULT-VALUE}.")
  private int k;

  @Option(names = "--exact", description = "The true nearest, by comparing with every vector.")
  private boolean exact;

  @Option(
      names = "--filter",
      paramLabel = "LO..HI",
      description = "Only ids from LO to HI, both included.")
  private @Nullable String filter;

  @Option(
      names = "--view",
      description = "Search the files where they are, mapped, instead of reading them into memory.")
  private boolean view;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  QueryCommand(PrintWriter out, Progress progress) {
    this.out = out;
    this.progress = progress;
  }

  /** The times of one run, in nanoseconds. */
  private record Times(long open, long search) {}

  @Override
  public Integer call() {
    IdFilter ids = filter == null ? null : range(filter);
    GivenSnapshot snapshot = new GivenSnapshot(directory);
    SnapshotManifest manifest = snapshot.manifest();
    try (Arena arena = Arena.ofShared()) {
      VectorSet asked =
          Datasets.rows(queries, Datasets.Part.QUERIES, arena, CacheFolder.path(), progress)
              .vectors();
      require(
          asked.dimension() == manifest.dimension(),
          queries
              + ": its rows have dimension "
              + asked.dimension()
              + ", those of "
              + directory
              + " "
              + manifest.dimension());
      asked.check(0, asked.rows(), manifest.metric());
      long began = System.nanoTime();
      try (VectorIndex index =
          progress.during(
              "Opening " + directory, () -> view ? snapshot.view(Verify.FULL) : snapshot.open())) {
        long opened = System.nanoTime() - began;
        int most = index.capabilities().maxK();
        require(k >= 1 && k <= most, "-k must be from 1 to " + most + ", not " + k);
        require(
            !exact || !index.capabilities().codesOnly(),
            "--exact: " + directory + " keeps codes only, and no vectors to compare with");
        print(index, asked, ids, manifest, opened);
      }
    }
    return 0;
  }

  private static void require(boolean holds, String message) {
    if (!holds) {
      throw new InputException(message);
    }
  }

  private static IdFilter range(String text) {
    Matcher matcher = RANGE.matcher(text.strip());
    try {
      if (matcher.matches()) {
        return IdFilter.range(Long.parseLong(matcher.group(1)), Long.parseLong(matcher.group(2)));
      }
    } catch (IllegalArgumentException notARange) {
      throw new InputException("--filter " + text + ": " + notARange.getMessage(), notARange);
    }
    throw new InputException("--filter must be LO..HI, as 0..999, not " + text);
  }

  private void print(
      VectorIndex index,
      VectorSet asked,
      @Nullable IdFilter ids,
      SnapshotManifest manifest,
      long openNanos) {
    Times times;
    if (json) {
      times = printJson(index, asked, ids, manifest, openNanos);
    } else {
      int[] query = {0};
      times =
          new Times(
              openNanos,
              search(
                  index,
                  asked,
                  ids,
                  result -> out.println("query " + query[0]++ + ": " + inWords(result))));
    }
    out.flush();
    progress.note(
        "searched for %s in %s, opened in %s"
            .formatted(
                Amounts.of(asked.rows(), "vector"),
                Amounts.seconds(times.search()),
                Amounts.seconds(times.open())));
  }

  private static String inWords(SearchResult result) {
    StringJoiner hits = new StringJoiner(", ").setEmptyValue("nothing");
    for (Hit hit : result.hits()) {
      hits.add(hit.id() + " at " + hit.distance());
    }
    return hits.toString();
  }

  /**
   * Searches for all of them.
   *
   * @param printer gets each result, in the order of the queries
   * @return the nanoseconds that the searches alone took
   */
  private long search(
      VectorIndex index, VectorSet asked, @Nullable IdFilter ids, Consumer<SearchResult> printer) {
    long rowBytes = 4L * asked.dimension();
    long nanos = 0;
    progress.step("Searching");
    try (Batches batches = new Batches(asked, null)) {
      while (batches.next()) {
        for (int from = 0; from < batches.count(); from += QUERIES_AT_A_TIME) {
          int count = Math.min(QUERIES_AT_A_TIME, batches.count() - from);
          MemorySegment part = batches.rows().asSlice(from * rowBytes, count * rowBytes);
          SearchRequest request = SearchRequest.of(part, k);
          request = ids == null ? request : request.filter(ids);
          request = exact ? request.exact() : request;
          long began = System.nanoTime();
          List<SearchResult> results = index.searchAll(request);
          nanos += System.nanoTime() - began;
          progress.clear();
          results.forEach(printer);
          progress.at(batches.first() + from + count, asked.rows());
        }
      }
    }
    progress.clear();
    return nanos;
  }

  private Times printJson(
      VectorIndex index,
      VectorSet asked,
      @Nullable IdFilter ids,
      SnapshotManifest manifest,
      long openNanos) {
    try (JsonGenerator to =
        new JsonFactory()
            .createGenerator(out)
            .disable(JsonGenerator.Feature.AUTO_CLOSE_TARGET)
            .useDefaultPrettyPrinter()) {
      to.writeStartObject();
      to.writeStringField("snapshot", directory.toString());
      to.writeNumberField("generation", manifest.generation());
      to.writeStringField("backend", manifest.backend());
      to.writeNumberField("k", k);
      to.writeBooleanField("exact", exact);
      to.writeStringField("filter", filter);
      to.writeBooleanField("view", view);
      to.writeArrayFieldStart("results");
      int[] query = {0};
      long nanos =
          search(
              index,
              asked,
              ids,
              result -> {
                try {
                  write(to, query[0]++, result);
                } catch (IOException failed) {
                  throw new UncheckedIOException(failed);
                }
              });
      to.writeEndArray();
      to.writeNumberField("openMillis", openNanos / 1e6);
      to.writeNumberField("searchMillis", nanos / 1e6);
      to.writeEndObject();
      to.writeRaw('\n');
      return new Times(openNanos, nanos);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  private static void write(JsonGenerator to, int query, SearchResult result) throws IOException {
    to.writeStartObject();
    to.writeNumberField("query", query);
    to.writeArrayFieldStart("hits");
    for (Hit hit : result.hits()) {
      to.writeStartObject();
      to.writeNumberField("id", hit.id());
      to.writeNumberField("distance", hit.distance());
      to.writeEndObject();
    }
    to.writeEndArray();
    to.writeEndObject();
  }
}
