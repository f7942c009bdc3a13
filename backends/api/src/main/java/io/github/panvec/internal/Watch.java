package io.github.panvec.internal;

import java.io.IOException;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * What watches the calls of an index.
 *
 * @param flight where calls are noted, or null
 * @param leaks what reports indexes that nobody closes, or null
 */
record Watch(@Nullable FlightRecorder flight, @Nullable LeakReporter leaks) {
  /** The file of the flight recorder; {@code %p} in it stands for the number of the process. */
  static final String FLIGHT_PROPERTY = "panvec.flight";

  /** {@code report} turns the reporter on. */
  static final String LEAKS_PROPERTY = "panvec.leaks";

  /** What the system properties ask for. */
  static Watch byProperties() {
    return Once.WATCH;
  }

  /** Properties count when the first index is created; what is wrong with them is told once. */
  private static final class Once {
    static final Watch WATCH = read(System.getLogger("io.github.panvec"));
  }

  private static Watch read(System.Logger logger) {
    return new Watch(flight(logger), leaks(logger));
  }

  private static @Nullable FlightRecorder flight(System.Logger logger) {
    String file = System.getProperty(FLIGHT_PROPERTY, "");
    if (file.isEmpty()) {
      return null;
    }
    String name = file.replace("%p", String.valueOf(ProcessHandle.current().pid()));
    try {
      return FlightRecorder.open(Path.of(name)).watchingTheProcess();
    } catch (IOException | InvalidPathException | IllegalStateException failed) {
      // Whoever serves searches goes on without it.
      logger.log(
          System.Logger.Level.WARNING,
          "-D" + FLIGHT_PROPERTY + "=" + file + ": calls are not noted: " + failed);
      return null;
    }
  }

  private static @Nullable LeakReporter leaks(System.Logger logger) {
    String value = System.getProperty(LEAKS_PROPERTY, "");
    if (!value.isEmpty() && !value.equals("report")) {
      logger.log(
          System.Logger.Level.WARNING,
          "-D" + LEAKS_PROPERTY + "=" + value + ": the one value it takes is report");
    }
    return value.equals("report") ? new LeakReporter(logger) : null;
  }
}
