package io.github.panvec.bench;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/**
 * The {@code panvec} command. Exits with 0, 1 when something failed, 2 for wrong usage or input.
 */
@Command(
    name = "panvec",
    description = "Native nearest-neighbour engines from Java: use them, measure them, check them.",
    mixinStandardHelpOptions = true,
    version = "panvec 0.1.0-SNAPSHOT",
    scope = ScopeType.INHERIT,
    synopsisSubcommandLabel = "COMMAND",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {"0:all is well", "1:something failed", "2:wrong usage or input"},
    footer = {
      "",
      "PANVEC_CACHE is where downloads and ground truth are kept (default ~/.cache/panvec)."
    })
public final class Main implements Runnable {
  private static final int FAILED = 1;
  private static final int USAGE = 2;

  private final PrintWriter err;

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "On an error, print where in the code it arose (also: PANVEC_DEBUG=1).")
  private boolean debug = "1".equals(System.getenv("PANVEC_DEBUG"));

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  private Main(PrintWriter err) {
    this.err = err;
  }

  public static void main(String[] args) {
    // UTF-8 whatever the locale says: the table has a ± in it, and a redirected table should read
    // the same everywhere.
    PrintWriter out = writer(FileDescriptor.out);
    PrintWriter err = writer(FileDescriptor.err);
    boolean terminal =
        System.console() != null
            && System.console().isTerminal()
            && !"dumb".equals(System.getenv("TERM"));
    int status = run(out, err, terminal, args);
    err.flush();
    // A table that nobody got is a failure: the disk is full, or the reader of the pipe is gone.
    System.exit(out.checkError() ? Math.max(status, FAILED) : status);
  }

  private static PrintWriter writer(FileDescriptor descriptor) {
    return new PrintWriter(
        new PrintStream(new FileOutputStream(descriptor), false), false, StandardCharsets.UTF_8);
  }

  /**
   * Runs a command line.
   *
   * @param terminal whether progress may overwrite its line
   * @return the exit code
   */
  static int run(PrintWriter out, PrintWriter err, boolean terminal, String... args) {
    Main main = new Main(err);
    Progress progress = new Progress(err, terminal);
    CommandLine command =
        new CommandLine(main)
            .addSubcommand(new BuildCommand(out, progress))
            .addSubcommand(new QueryCommand(out, progress))
            .addSubcommand(new InspectCommand(out, progress))
            .addSubcommand(new VerifyCommand(out, progress))
            .addSubcommand(new ImportCommand(out, progress))
            .addSubcommand(new ExportCommand(out, progress))
            .addSubcommand(new EvalCommand(out, progress))
            .addSubcommand(new DoctorCommand(out, progress))
            .addSubcommand(new ConformanceCommand(out, progress))
            .addSubcommand(new SoakCommand(out, progress))
            .addSubcommand(new FilterPathsCommand(out))
            .addSubcommand(new TestCommand())
            .setOut(out)
            .setErr(err)
            .setCaseInsensitiveEnumValuesAllowed(true)
            .setUsageHelpAutoWidth(true);
    command.setExecutionExceptionHandler((thrown, at, parsed) -> main.report(thrown, progress));
    command.setParameterExceptionHandler(main::reportUsage);
    try {
      return command.execute(args);
    } catch (OutOfMemoryError full) {
      progress.clear();
      err.println("panvec: the Java heap is full; give it more with JDK_JAVA_OPTIONS=-Xmx8g");
      return FAILED;
    } finally {
      out.flush();
      err.flush();
    }
  }

  @Override
  public void run() {
    throw new CommandLine.ParameterException(
        spec.commandLine(),
        "Say what to do: build, query, inspect, verify, import, export, eval, doctor, conformance,"
            + " soak or test");
  }

  private int report(Exception thrown, Progress progress) {
    progress.clear();
    boolean input = thrown instanceof InputException;
    String message =
        thrown.getMessage() == null ? thrown.getClass().getSimpleName() : thrown.getMessage();
    err.println(
        "panvec: "
            + (input ? "" : "failed: ")
            + message
            + (input || debug ? "" : " (--debug tells where)"));
    if (debug) {
      thrown.printStackTrace(err);
    }
    return input ? USAGE : FAILED;
  }

  private int reportUsage(CommandLine.ParameterException wrong, String[] args) {
    CommandLine at = wrong.getCommandLine();
    err.println("panvec: " + wrong.getMessage());
    if (wrong instanceof CommandLine.UnmatchedArgumentException unmatched
        && !unmatched.getSuggestions().isEmpty()) {
      err.println("Did you mean " + String.join(" or ", unmatched.getSuggestions()) + "?");
    }
    err.println("Try: " + at.getCommandSpec().qualifiedName() + " --help");
    if (debug) {
      wrong.printStackTrace(err);
    }
    return USAGE;
  }
}
