package io.github.panvec.bench.soak;

import io.github.panvec.Availability;
import io.github.panvec.bench.InputException;
import io.github.panvec.bench.Progress;
import io.github.panvec.bench.Variant;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Soaks one kind of index after the other and says what came of it. */
public final class SoakRun {
  /** Of a backend that keeps its rows in a file. */
  public static final String PATH_PARAMETER = "path";

  private final SoakOptions options;
  private final PrintWriter out;
  private final Progress progress;

  public SoakRun(SoakOptions options, PrintWriter out, Progress progress) {
    this.options = options;
    this.out = out;
    this.progress = progress;
  }

  /** The exit code. */
  public int run() {
    List<Outcome> outcomes = new ArrayList<>();
    List<SoakReport.Absence> absences = new ArrayList<>();
    SoakReport report = new SoakReport(options, outcomes, absences);
    report.checkWritable();
    for (Variant variant : options.variants()) {
      Availability availability = variant.backend().availability();
      if (!availability.available()) {
        absences.add(
            new SoakReport.Absence(
                variant.name(),
                "not available (./panvec doctor tells more): " + availability.reason()));
        continue;
      }
      try {
        outcomes.add(new Soak(variant, options, progress).run());
      } catch (InputException wrong) {
        throw wrong;
      } catch (RuntimeException failed) {
        absences.add(new SoakReport.Absence(variant.name(), failed.toString()));
      } catch (InterruptedException stopped) {
        Thread.currentThread().interrupt();
        absences.add(new SoakReport.Absence(variant.name(), "interrupted"));
        break;
      } finally {
        progress.clear();
      }
    }
    return report.write(out);
  }
}
