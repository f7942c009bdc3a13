package io.github.panvec;

import io.github.panvec.snapshot.FileOperations;
import io.github.panvec.snapshot.SnapshotReader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Files of other programs become snapshots: in a JVM of its own, which may crash, and in a
 * directory beside the one that is wanted, which gets its name when it is complete.
 */
final class FileImport {
  /** What {@link ImportProgram} says when all went well. */
  static final String DONE = "done";

  private static final int MOST_LOG_CHARACTERS = 2000;

  /** Those that the other process may have thrown; all else is a {@link VectorIndexException}. */
  private static final Map<String, Function<String, RuntimeException>> EXCEPTIONS =
      Map.ofEntries(
          Map.entry("CorruptIndexException", CorruptIndexException::new),
          Map.entry("ForeignFileException", ForeignFileException::new),
          Map.entry("IllegalArgumentException", IllegalArgumentException::new),
          Map.entry("IndexIoException", IndexIoException::new),
          Map.entry("NativeMemoryException", NativeMemoryException::new),
          Map.entry("ReadOnlyIndexException", ReadOnlyIndexException::new),
          Map.entry("UnknownBackendException", UnknownBackendException::new),
          Map.entry("UnsupportedOperationException", UnsupportedOperationException::new),
          Map.entry(
              "BackendUnavailableException",
              message -> new BackendUnavailableException(message, null)));

  private final Path file;
  private final IndexSpec asked;
  private final boolean anyDimension;
  private final Path snapshot;

  FileImport(Path file, IndexSpec asked, boolean anyDimension, Path snapshot) {
    this.file = file.toAbsolutePath();
    this.asked = asked;
    this.anyDimension = anyDimension;
    this.snapshot = snapshot.toAbsolutePath();
  }

  SnapshotManifest run() {
    Path folder = null;
    try {
      checkFile();
      checkTarget();
      folder = Files.createTempDirectory(parent(), "." + snapshot.getFileName() + ".");
      Path made = folder.resolve("snapshot");
      convert(folder, made);
      Files.move(made, snapshot, StandardCopyOption.ATOMIC_MOVE);
      FileOperations.disk().forceDirectory(parent());
      return SnapshotReader.describe(SnapshotSource.of(snapshot), FileOperations.disk());
    } catch (IOException failed) {
      throw io("importing " + file + " to " + snapshot + ": " + failed, failed);
    } finally {
      deleteTree(folder);
    }
  }

  private static IndexIoException io(String message, IOException cause) {
    IndexIoException exception = new IndexIoException(message);
    exception.initCause(cause);
    return exception;
  }

  private Path parent() {
    Path parent = snapshot.getParent();
    if (parent == null) {
      throw new ForeignFileException(snapshot + " exists already; nothing was imported");
    }
    return parent;
  }

  private void checkFile() throws IOException {
    FileOperations.Kind kind = FileOperations.disk().kind(file);
    if (kind != FileOperations.Kind.OTHER) {
      throw new ForeignFileException(
          file
              + (kind == FileOperations.Kind.MISSING
                  ? " does not exist"
                  : " is a directory; an engine's own file is wanted"));
    }
    // A pipe would be read for ever.
    if (!Files.isRegularFile(file)) {
      throw new ForeignFileException(file + " is a device or a pipe; a file is wanted");
    }
  }

  private void checkTarget() throws IOException {
    FileOperations.Kind kind = FileOperations.disk().kind(snapshot);
    boolean free =
        switch (kind) {
          case MISSING -> true;
          case DIRECTORY -> FileOperations.disk().list(snapshot).isEmpty();
          case OTHER -> false;
        };
    if (!free) {
      throw new ForeignFileException(snapshot + " exists already; nothing was imported");
    }
  }

  // -------------------------------------------------------------------------------- the other JVM

  private void convert(Path folder, Path made) throws IOException {
    Path outcome = folder.resolve("outcome");
    Path log = folder.resolve("log");
    ProcessBuilder builder =
        new ProcessBuilder(command(folder, made, outcome))
            .redirectErrorStream(true)
            .redirectOutput(log.toFile());
    // A debugger or an agent there is for this process.
    builder.environment().keySet().removeAll(List.of("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS"));
    Process process = builder.start();
    int status;
    try {
      status = process.waitFor();
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new VectorIndexException("importing " + file + ": the thread was interrupted");
    } finally {
      process.destroyForcibly();
      awaitEnd(process);
    }
    String said = Files.exists(outcome) ? Files.readString(outcome) : "";
    if (status == 0 && said.equals(DONE)) {
      return;
    }
    if (status == 0 && !said.isEmpty()) {
      throw failure(said);
    }
    throw new VectorIndexException(
        "importing "
            + file
            + ": the process that read it ended with status "
            + status
            + "; nothing was imported. Its last words: "
            + lastWords(log));
  }

  /** It may have files open in the directory that is to be deleted. */
  private static void awaitEnd(Process process) {
    boolean interrupted = false;
    while (process.isAlive()) {
      try {
        process.waitFor();
      } catch (InterruptedException again) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  private RuntimeException failure(String said) {
    int end = said.indexOf('\n');
    String kind = said.substring(0, Math.max(0, end));
    String message = said.substring(end + 1);
    Function<String, RuntimeException> known = EXCEPTIONS.get(kind);
    return known != null
        ? known.apply(message)
        : new VectorIndexException("importing " + file + ": " + kind + ": " + message);
  }

  private static String lastWords(Path log) throws IOException {
    String words = new String(Files.readAllBytes(log), StandardCharsets.UTF_8).strip();
    return words.isEmpty()
        ? "none"
        : words.substring(Math.max(0, words.length() - MOST_LOG_CHARACTERS));
  }

  private List<String> command(Path folder, Path made, Path outcome) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-XX:-CreateCoredumpOnCrash");
    command.add("-XX:+UseSerialGC");
    command.add("-XX:ErrorFile=" + folder.resolve("hs_err.log"));
    for (String name : new TreeSet<>(System.getProperties().stringPropertyNames())) {
      // What watches this process is not to be watched twice.
      boolean watches = name.equals("panvec.flight") || name.equals("panvec.leaks");
      if (name.startsWith("panvec.") && !watches) {
        command.add("-D" + name + "=" + System.getProperty(name));
      }
    }
    addPaths(command);
    command.addAll(List.of(file.toString(), made.toString(), outcome.toString()));
    command.addAll(List.of(asked.backend(), asked.metric().name()));
    command.add(anyDimension ? "0" : String.valueOf(asked.dimension()));
    asked.parameters().forEach((name, value) -> command.addAll(List.of(name, value.toString())));
    return command;
  }

  /** The same classes as here. */
  private void addPaths(List<String> command) {
    String classPath = classPath();
    Module module = Panvec.class.getModule();
    if (!classPath.isEmpty()) {
      command.addAll(List.of("-cp", classPath));
    }
    if (!module.isNamed()) {
      command.add("--enable-native-access=ALL-UNNAMED");
      command.add(ImportProgram.class.getName());
      return;
    }
    List<String> ours =
        module.getLayer().modules().stream()
            .map(Module::getName)
            .filter(name -> name.startsWith(module.getName()))
            .sorted()
            .toList();
    command.add("--enable-native-access=" + String.join(",", ours));
    String modulePath = System.getProperty("jdk.module.path", "");
    if (!modulePath.isEmpty()) {
      command.addAll(List.of("-p", modulePath));
    }
    // Those that no module requires, in a runtime image for example.
    command.add("--add-modules=" + String.join(",", ours));
    command.addAll(List.of("-m", module.getName() + "/" + ImportProgram.class.getName()));
  }

  /** That of the JVM, and what other class loaders say where they have the backend from. */
  private String classPath() {
    Set<String> entries = new LinkedHashSet<>();
    ClassLoader loader = Panvec.backend(asked.backend()).getClass().getClassLoader();
    for (; loader != null; loader = loader.getParent()) {
      if (loader instanceof URLClassLoader known) {
        Stream.of(known.getURLs()).flatMap(url -> fileOf(url).stream()).forEach(entries::add);
      }
    }
    entries.add(System.getProperty("java.class.path", ""));
    entries.remove("");
    return String.join(File.pathSeparator, entries);
  }

  private static Optional<String> fileOf(URL url) {
    try {
      return url.getProtocol().equals("file")
          ? Optional.of(Path.of(url.toURI()).toString())
          : Optional.empty();
    } catch (URISyntaxException | IllegalArgumentException notWritten) {
      return Optional.of(url.getPath()); // with a space in it, for example
    }
  }

  private static void deleteTree(@Nullable Path folder) {
    if (folder == null) {
      return;
    }
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path each : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(each);
      }
    } catch (IOException | UncheckedIOException left) {
      // Its name says where it comes from.
    }
  }
}
