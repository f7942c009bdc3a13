package io.github.panvec.bench.doctor;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Runs a class in a JVM of its own, of the same kind and class path, and tells how that JVM ended.
 */
final class ChildJvm {
  private static final Pattern SIGNAL = Pattern.compile("#\\s+(SIG[A-Z]+|EXCEPTION_[A-Z_]+) \\(");
  private static final Pattern FRAME = Pattern.compile("# Problematic frame:\\R#\\s+(.+)");
  private static final Map<Integer, String> LINUX_SIGNALS =
      Map.of(
          4, "SIGILL", 5, "SIGTRAP", 6, "SIGABRT", 7, "SIGBUS", 8, "SIGFPE", 9, "SIGKILL", 11,
          "SIGSEGV", 15, "SIGTERM");
  private static final Map<Integer, String> MAC_SIGNALS =
      Map.of(
          4, "SIGILL", 5, "SIGTRAP", 6, "SIGABRT", 8, "SIGFPE", 9, "SIGKILL", 10, "SIGBUS", 11,
          "SIGSEGV", 15, "SIGTERM");

  /** How it ended. */
  sealed interface Outcome {}

  /**
   * It ran to its end.
   *
   * @param output what it wrote to the standard output, line by line
   */
  record Finished(List<String> output) implements Outcome {}

  /**
   * It ended itself with an exit status that is not 0.
   *
   * @param errorOutput what it wrote to the error stream
   */
  record Failed(int status, String errorOutput) implements Outcome {}

  /**
   * A signal ended it.
   *
   * @param signal by name
   * @param frame the function in which it happened, when the JVM could say
   * @param output what it had written to the standard output by then
   */
  record Crashed(String signal, @Nullable String frame, List<String> output) implements Outcome {}

  /**
   * It had to be stopped.
   *
   * @param output what it had written to the standard output by then
   */
  record Hung(Duration limit, List<String> output) implements Outcome {}

  private ChildJvm() {}

  /**
   * Runs {@code mainClass} and waits for at most {@code limit}.
   *
   * @param options further options of the JVM
   */
  static Outcome run(
      Class<?> mainClass, List<String> options, List<String> arguments, Duration limit) {
    Path folder = null;
    try {
      folder = Files.createTempDirectory("panvec-doctor");
      return run(folder, mainClass, options, arguments, limit);
    } catch (IOException failed) {
      throw new UncheckedIOException(
          "a child JVM cannot be started: " + failed.getMessage(), failed);
    } finally {
      deleteTree(folder);
    }
  }

  private static Outcome run(
      Path folder, Class<?> mainClass, List<String> options, List<String> arguments, Duration limit)
      throws IOException {
    Path crashReport = folder.resolve("hs_err.log");
    Path output = folder.resolve("out");
    Path errors = folder.resolve("err");
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(
        List.of(
            "--enable-native-access=ALL-UNNAMED",
            "-Xmx512m",
            "-XX:-CreateCoredumpOnCrash",
            "-XX:ErrorFile=" + crashReport,
            "-Dstdout.encoding=UTF-8",
            "-Dstderr.encoding=UTF-8"));
    command.addAll(options);
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), mainClass.getName()));
    command.addAll(arguments);
    Process child =
        new ProcessBuilder(command)
            .redirectOutput(output.toFile())
            .redirectError(errors.toFile())
            .start();
    child.getOutputStream().close();
    try {
      if (!child.waitFor(limit.toMillis(), TimeUnit.MILLISECONDS)) {
        child.destroyForcibly().waitFor();
        return new Hung(limit, read(output).lines().toList());
      }
    } catch (InterruptedException stopped) {
      child.destroyForcibly();
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", stopped);
    }
    return outcome(child.exitValue(), crashReport, output, errors);
  }

  private static Outcome outcome(int status, Path crashReport, Path output, Path errors)
      throws IOException {
    if (Files.exists(crashReport)) {
      String report = read(crashReport);
      Matcher signal = SIGNAL.matcher(report);
      Matcher frame = FRAME.matcher(report);
      return new Crashed(
          signal.find()
              ? signal.group(1)
              : Objects.requireNonNullElse(signalOf(status), "a fatal error of the JVM"),
          frame.find() ? frame.group(1).strip() : null,
          read(output).lines().toList());
    }
    String signal = signalOf(status);
    if (signal != null) {
      return new Crashed(signal, null, read(output).lines().toList());
    }
    return status == 0
        ? new Finished(read(output).lines().toList())
        : new Failed(status, read(errors));
  }

  private static String read(Path file) throws IOException {
    return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
  }

  /** An exit status above 128 is 128 and the number of a signal. */
  static @Nullable String signalOf(int status) {
    boolean mac = System.getProperty("os.name").startsWith("Mac");
    return new TreeMap<>(mac ? MAC_SIGNALS : LINUX_SIGNALS).get(status - 128);
  }

  private static void deleteTree(@Nullable Path folder) {
    if (folder == null) {
      return;
    }
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException leftBehind) {
      // A few bytes in the system's temporary folder, which it cleans.
    }
  }
}
