package io.github.panvec.bench.doctor;

import io.github.panvec.bench.InputException;
import io.github.panvec.bench.eval.TextTable;
import io.github.panvec.internal.FlightLog;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Locale;

/** What the flight file of a JVM says about its end. */
public final class PostMortem {
  private final Path file;
  private final FlightLog log;

  private PostMortem(Path file, FlightLog log) {
    this.file = file;
    this.log = log;
  }

  /**
   * Reads a flight file.
   *
   * @throws InputException when it is none, or a damaged one
   */
  public static PostMortem of(Path file) {
    if (!Files.exists(file)) {
      throw new InputException("no such file: " + file);
    }
    try {
      return new PostMortem(file, FlightLog.read(file));
    } catch (FlightLog.UnreadableException unreadable) {
      throw new InputException(unreadable.getMessage(), unreadable);
    } catch (IOException failed) {
      throw new InputException(file + " cannot be read: " + failed.getMessage(), failed);
    }
  }

  /**
   * Prints who was inside what, and the last calls that had ended.
   *
   * @throws InputException when entries were damaged, after the others have been printed
   */
  public void print(PrintWriter out, int mostEnded) {
    out.printf("process    %d, %s%n", log.pid(), log.runtime());
    out.printf("from       %s%n", millis(log.started()));
    out.printf("last sign  %s, %s%n%n", millis(log.lastSign()), end());
    printInside(out);
    if (log.unrecorded() > 0) {
      out.printf(
          "%n%,d calls were not noted: there were more at once than the file has room for.%n",
          log.unrecorded());
    }
    printEnded(out, mostEnded);
    out.flush();
    if (log.damaged() > 0) {
      throw new InputException(
          file
              + " is damaged: "
              + log.damaged()
              + (log.damaged() == 1
                  ? " entry makes no sense and was left out"
                  : " entries make no sense and were left out"));
    }
  }

  private String end() {
    if (log.endedInOrder()) {
      return "when it ended in order";
    }
    boolean fresh = log.lastSign().isAfter(Instant.now().minusSeconds(2));
    return fresh && ProcessHandle.of(log.pid()).isPresent()
        ? "and it is still there"
        : "it did not end in order";
  }

  private void printInside(PrintWriter out) {
    if (log.inside().isEmpty()) {
      out.println("No thread was inside a call.");
      return;
    }
    int count = log.inside().size();
    out.printf("%d %s inside a call:%n", count, count == 1 ? "thread was" : "threads were");
    TextTable table = table("for at least");
    log.inside().forEach(call -> table.row(cells(call, duration(call.took()))));
    out.print(table);
    out.println("at least: until the last sign of life, which is given ten times a second");
  }

  private void printEnded(PrintWriter out, int most) {
    List<FlightLog.Call> all = log.ended();
    List<FlightLog.Call> last = all.subList(Math.max(0, all.size() - most), all.size());
    if (last.isEmpty()) {
      return;
    }
    out.printf("%nThe last calls that had ended, %d of %d in the file:%n", last.size(), all.size());
    TextTable table = table("took");
    last.forEach(
        call -> table.row(cells(call, duration(call.took()) + (call.returned() ? "" : ", threw"))));
    out.print(table);
  }

  private static TextTable table(String time) {
    return new TextTable(
        4, "since (UTC)", "thread", "operation", "index", "rows", "k", "filter", time);
  }

  private static String[] cells(FlightLog.Call call, String time) {
    String thread =
        (call.thread().isEmpty() ? "" : call.thread() + " ")
            + (call.virtual() ? "virtual #" : "#")
            + call.threadId();
    return new String[] {
      call.began().truncatedTo(ChronoUnit.MICROS).toString().replaceAll(".*T|Z$", ""),
      thread,
      call.operation().toString(),
      call.backend() + (call.index() == 0 ? "" : " #" + call.index()),
      call.rows() == 0 ? "-" : String.format(Locale.ROOT, "%,d", call.rows()),
      call.k() == 0 ? "-" : String.format(Locale.ROOT, "%,d", call.k()),
      call.filter().toString(),
      time
    };
  }

  private static String millis(Instant instant) {
    return instant.truncatedTo(ChronoUnit.MILLIS).toString();
  }

  private static String duration(Duration took) {
    double nanos = took.toNanos();
    if (nanos < 1e6) {
      return String.format(Locale.ROOT, "%.1f µs", nanos / 1e3);
    }
    return nanos < 1e9
        ? String.format(Locale.ROOT, "%.1f ms", nanos / 1e6)
        : String.format(Locale.ROOT, "%,.1f s", nanos / 1e9);
  }
}
