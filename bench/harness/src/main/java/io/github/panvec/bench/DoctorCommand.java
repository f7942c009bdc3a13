package io.github.panvec.bench;

import io.github.panvec.Panvec;
import io.github.panvec.UnknownBackendException;
import io.github.panvec.bench.doctor.Diagnosis;
import io.github.panvec.bench.doctor.PostMortem;
import io.github.panvec.spi.VectorBackend;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Checks every backend in a JVM of its own. */
@Command(
    name = "doctor",
    sortOptions = false,
    description = {
      "Check that every backend loads and answers.",
      "Each one runs in a JVM of its own with a time limit, so that a crash or a hang of one says"
          + " nothing about the others: create, train, add, search, compare with a brute force,"
          + " remove, close, for every type of index under every metric.",
      "With --post-mortem, print from a flight file who was inside which call when a JVM died."
    },
    footer = {
      "",
      "The exit code is 0 only when all backends are well; with --post-mortem when the file could be"
          + " read, whatever it says.",
      "A JVM writes a flight file with -Dpanvec.flight=FILE; %%p in FILE is the number of its"
          + " process."
    })
final class DoctorCommand implements Callable<Integer> {
  private final PrintWriter out;
  private final Progress progress;

  @Option(
      names = "--backend",
      split = ",",
      paramLabel = "NAME",
      description = "Backends to check, separated by commas. Default: all on the class path.")
  private @Nullable List<String> names;

  @Option(
      names = "--timeout",
      paramLabel = "SECONDS",
      defaultValue = "30",
      description = "How long a backend may take. Default: ${DEFAULT-VALUE}.")
  private double timeout;

  @Option(
      names = "--post-mortem",
      paramLabel = "FILE",
      description = "Read this flight file instead, and check nothing.")
  private @Nullable Path flightFile;

  @Option(
      names = "--calls",
      paramLabel = "N",
      defaultValue = "20",
      description =
          "With --post-mortem, how many of the last calls that had ended to print. Default:"
              + " ${DEFAULT-VALUE}.")
  private int calls;

  DoctorCommand(PrintWriter out, Progress progress) {
    this.out = out;
    this.progress = progress;
  }

  @Override
  public Integer call() {
    if (calls < 0) {
      throw new InputException("--calls must be at least 0, not " + calls);
    }
    if (flightFile != null) {
      if (names != null) {
        throw new InputException("--post-mortem reads a file; it takes no --backend");
      }
      PostMortem.of(flightFile).print(out, calls);
      return 0;
    }
    if (!(timeout > 0 && timeout <= 3600)) {
      throw new InputException(
          "--timeout must be above 0 and at most 3600 seconds, not " + timeout);
    }
    List<VectorBackend> backends = chosen();
    Environment.facts().forEach((key, value) -> out.printf("%-12s %s%n", key, value));
    out.printf("%-12s %s%n%n", "cache", CacheFolder.path());
    out.flush();
    int ill = 0;
    for (VectorBackend backend : backends) {
      progress.step("Checking " + backend.name());
      Diagnosis diagnosis =
          Diagnosis.of(backend.name(), Duration.ofMillis(Math.round(timeout * 1000)));
      progress.clear();
      print(backend, diagnosis);
      ill += diagnosis.well() ? 0 : 1;
    }
    out.printf("%n%d of %d backends are well%n", backends.size() - ill, backends.size());
    return ill == 0 ? 0 : 1;
  }

  private List<VectorBackend> chosen() {
    if (names == null) {
      List<VectorBackend> all = Panvec.backends();
      if (all.isEmpty()) {
        throw new InputException("no backend is on the class path");
      }
      return all;
    }
    try {
      return names.stream().map(String::strip).distinct().map(Panvec::backend).toList();
    } catch (UnknownBackendException unknown) {
      throw new InputException(unknown.getMessage(), unknown);
    }
  }

  private void print(VectorBackend backend, Diagnosis diagnosis) {
    Map<String, String> facts = diagnosis.facts();
    if (diagnosis.well()) {
      out.printf(
          "%-12s ok      version %s, SIMD %s, %s ms%n             %s%n",
          diagnosis.backend(),
          facts.get("version"),
          facts.get("simd"),
          facts.get("millis"),
          facts.get("library"));
      if (!facts.getOrDefault("tried", "").isEmpty()) {
        out.printf("             tried %s%n", facts.get("tried"));
      }
      facts.forEach(
          (key, value) -> {
            if (key.startsWith("kernel.")) {
              out.printf("             %s %s%n", key.substring("kernel.".length()), value);
            }
          });
    } else {
      String complaint = diagnosis.complaint().replace("\n", "\n             ");
      out.printf(
          "%-12s FAILED  version %s: %s%n",
          diagnosis.backend(), backend.upstreamVersion(), complaint);
      if (facts.containsKey("library")) {
        out.printf("             %s%n", facts.get("library"));
      }
    }
    out.flush();
  }
}
