package io.github.panvec.bench;

import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.Parameter;
import io.github.panvec.UnknownBackendException;
import io.github.panvec.bench.soak.SoakOptions;
import io.github.panvec.bench.soak.SoakRun;
import io.github.panvec.spi.VectorBackend;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Reads the options of {@code soak}. */
@Command(
    name = "soak",
    sortOptions = false,
    description = {
      "Search an index for minutes beside a writer, and check every answer.",
      "One thread searches an index all the time. Another one adds, replaces and removes rows, one"
          + " by one and in batches, now in that index, now the same in another one. Prints how"
          + " much longer the slowest hundredth of searches takes beside a writer to the same"
          + " index: p99 by p99."
    },
    footer = {
      "",
      "Rows are made from the seed. Both indexes are filled before anything counts. The indexes"
          + " compact by themselves at compactAt=20 (percent of dead rows) unless --set says"
          + " otherwise; what has no such parameter, as sqlite-vec, which is soaked in a file of a"
          + " temporary folder, is told to compact as often.",
      "Wrong are: a removed or replaced row in the hits of a search that began afterwards; a row"
          + " that get or exact search does not find once it has been added; a distance that is"
          + " not that of its row, to the last bit; hits of more than one state of the index;"
          + " anything thrown; in the end, other rows than must be there.",
      "The exit code is 1 when anything was wrong, a writer did not finish, a backend did not load,"
          + " or a ratio is above 3 (--max-ratio)."
    })
final class SoakCommand implements Callable<Integer> {
  private static final List<String> KINDS = List.of("type", "quantization", "keepVectors");
  private static final int LEAST_ROWS = 1000;
  private static final int MOST_ROWS = 50_000_000;

  private final PrintWriter out;
  private final Progress progress;

  @Option(
      names = "--minutes",
      paramLabel = "M",
      defaultValue = "5",
      description =
          "How long to write, for each kind of index; filling it comes on top, and so does the rest"
              + " of a compaction. Default: ${DEFAULT-VALUE}.")
  private double minutes;

  @Option(
      names = "--backend",
      split = ",",
      paramLabel = "NAME",
      description = "Backends to soak, separated by commas. Default: all on the class path.")
  private @Nullable List<String> names;

  @Option(
      names = "--set",
      paramLabel = "NAME=VALUE",
      description =
          "A parameter of a backend, for example type=ivf_flat; every chosen backend that takes it"
              + " gets it. Default: those of the backend, but threads=1 and compactAt=20.")
  private Map<String, String> parameters = new LinkedHashMap<>();

  @Option(
      names = "--rows",
      paramLabel = "N",
      defaultValue = "100000",
      description = "Rows of each index to begin with. Default: ${DEFAULT-VALUE}.")
  private int rows;

  @Option(
      names = "--dimension",
      paramLabel = "D",
      defaultValue = "384",
      description = "Components of a row. Default: ${DEFAULT-VALUE}.")
  private int dimension;

  @Option(
      names = "--seed",
      paramLabel = "S",
      defaultValue = "1",
      description = "Seed of rows, queries and operations. Default: ${DEFAULT-VALUE}.")
  private long seed;

  @Option(
      names = "--max-ratio",
      paramLabel = "R",
      defaultValue = "3",
      description = "The largest ratio that is well. Default: ${DEFAULT-VALUE}.")
  private double maxRatio;

  @Option(names = "--json", paramLabel = "FILE", description = "Write the figures there too.")
  private @Nullable Path json;

  SoakCommand(PrintWriter out, Progress progress) {
    this.out = out;
    this.progress = progress;
  }

  @Override
  public Integer call() {
    require(
        minutes > 0 && minutes <= 100_000,
        "--minutes must be above 0 and at most 100000, not " + minutes);
    require(
        rows >= LEAST_ROWS && rows <= MOST_ROWS,
        "--rows must be from " + LEAST_ROWS + " to " + MOST_ROWS + ", not " + rows);
    require(dimension >= 1, "--dimension must be at least 1, not " + dimension);
    require(maxRatio > 0, "--max-ratio must be above 0, not " + maxRatio);
    require(
        !parameters.containsKey(SoakRun.PATH_PARAMETER),
        "--set path: two indexes cannot have one file; they get one each, in a temporary folder");
    List<VectorBackend> chosen = chosenBackends();
    checkParameters(chosen);
    List<Variant> variants = new ArrayList<>();
    for (VectorBackend backend : chosen) {
      variants.add(variant(backend));
    }
    return new SoakRun(
            new SoakOptions(variants, minutes, rows, dimension, seed, maxRatio, json),
            out,
            progress)
        .run();
  }

  private static void require(boolean holds, String message) {
    if (!holds) {
      throw new InputException(message);
    }
  }

  private List<VectorBackend> chosenBackends() {
    if (names == null) {
      List<VectorBackend> all = Panvec.backends();
      require(!all.isEmpty(), "no backend is on the class path");
      return all;
    }
    Map<String, VectorBackend> chosen = new LinkedHashMap<>();
    for (String name : names) {
      try {
        chosen.putIfAbsent(name.strip(), Panvec.backend(name.strip()));
      } catch (UnknownBackendException unknown) {
        throw new InputException(unknown.getMessage(), unknown);
      }
    }
    return List.copyOf(chosen.values());
  }

  /** What no chosen backend knows is a mistake; what one of them does not take, the others may. */
  private void checkParameters(List<VectorBackend> chosen) {
    TreeSet<String> known = new TreeSet<>();
    for (VectorBackend backend : chosen) {
      for (Parameter parameter : backend.parameters()) {
        known.add(parameter.name());
      }
    }
    for (String name : parameters.keySet()) {
      require(known.contains(name), Hints.unknown("parameter", name, known));
    }
  }

  /** The kind of index that the parameters name, or that the backend has without any. */
  private Variant variant(VectorBackend backend) {
    Map<String, String> given = new LinkedHashMap<>(parameters);
    for (Parameter parameter : backend.parameters()) {
      if (KINDS.contains(parameter.name()) && parameter.defaultValue() != null) {
        given.putIfAbsent(parameter.name(), parameter.defaultValue().toString());
      }
    }
    try {
      Variant variant = Variant.of(backend, given).get(0);
      require(
          !variant.codesOnly(), variant.name() + ": what keeps codes only has no true distances");
      String refusal = variant.refusal(dimension, Metric.L2);
      require(refusal == null, variant.name() + ": " + refusal);
      return variant;
    } catch (IllegalArgumentException unknown) {
      throw new InputException(backend.name() + ": " + unknown.getMessage(), unknown);
    }
  }
}
