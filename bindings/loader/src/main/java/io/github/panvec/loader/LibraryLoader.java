package io.github.panvec.loader;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.URL;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * One look through all the places of {@code package-info}, keeping a record of what each one said.
 */
final class LibraryLoader {

  /** A library that was opened: its file and the linker's handle. */
  record Opened(Path file, MemorySegment handle) {}

  private final String library;
  private final Platform platform;
  private final DynamicLinker linker;
  private final UnaryOperator<@Nullable String> properties;
  private final UnaryOperator<@Nullable String> environment;
  private final Function<String, @Nullable URL> resources;
  private final List<String> attempts = new ArrayList<>();

  LibraryLoader(
      String library,
      Platform platform,
      DynamicLinker linker,
      UnaryOperator<@Nullable String> properties,
      UnaryOperator<@Nullable String> environment,
      Function<String, @Nullable URL> resources) {
    this.library = library;
    this.platform = platform;
    this.linker = linker;
    this.properties = properties;
    this.environment = environment;
    this.resources = resources;
  }

  /**
   * Opens the library from the first place that has it.
   *
   * @throws NativeLoadException when that place's file does not load, or none has it
   */
  Opened load() {
    String pathProperty = "panvec." + library + ".path";
    String path = given(properties.apply(pathProperty));
    if (path != null) {
      return open(Path.of(path), "property " + pathProperty);
    }
    Opened configured = fromDirectory();
    return configured != null ? configured : fromClassPath();
  }

  private @Nullable Opened fromDirectory() {
    String source = "property panvec.native.dir";
    String directory = given(properties.apply("panvec.native.dir"));
    if (directory == null) {
      source = "environment variable PANVEC_NATIVE_DIR";
      directory = given(environment.apply("PANVEC_NATIVE_DIR"));
    }
    if (directory == null) {
      return null;
    }
    if (!Files.isDirectory(Path.of(directory))) {
      throw failure(
          source + ": " + directory + " is no directory", "Correct or remove the setting.");
    }
    String fileName = platform.fileName(library);
    Path direct = Path.of(directory, fileName);
    Path byPlatform = Path.of(directory, platform.toString(), fileName);
    for (Path file : List.of(direct, byPlatform)) {
      if (Files.exists(file)) {
        return open(file, source);
      }
    }
    attempts.add(source + ": neither " + direct + " nor " + byPlatform + " exists");
    return null;
  }

  private Opened fromClassPath() {
    String unsupported = platform.unsupported();
    if (unsupported != null) {
      throw failure("class path: no library for " + platform, unsupported);
    }
    String name = platform.resource(library);
    URL resource = resources.apply(name);
    if (resource == null) {
      throw failure(
          "class path: no resource " + name,
          "Put the jar panvec-natives for "
              + platform
              + " on the class path, or name a directory by -Dpanvec.native.dir=DIR.");
    }
    URL checksum = resources.apply(name + ".sha256");
    if (checksum == null) {
      throw failure(
          "class path: " + resource + " has no checksum: no resource " + name + ".sha256",
          "Build or download the jar panvec-natives again.");
    }
    LibraryCache cache = new LibraryCache(cacheRoot(), linker);
    Path file;
    try {
      file = cache.extract(resource, checksum, platform.fileName(library));
    } catch (LibraryCache.ChecksumException damaged) {
      throw failure(
          "class path: " + damaged.getMessage(),
          "Build or download the jar panvec-natives again.",
          damaged);
    } catch (IOException failed) {
      throw failure(
          "class path: "
              + resource
              + " could not be copied to "
              + cache.root()
              + ": "
              + words(failed),
          "Name another cache directory, one that only you may write to, by -Dpanvec.cache=DIR or PANVEC_CACHE=DIR.",
          failed);
    }
    return open(file, "class path (" + resource + ")");
  }

  private Path cacheRoot() {
    String root = given(properties.apply("panvec.cache"));
    if (root == null) {
      root = given(environment.apply("PANVEC_CACHE"));
    }
    return (root == null
            ? Path.of(String.valueOf(properties.apply("user.home")), ".cache", "panvec")
            : Path.of(root))
        .toAbsolutePath();
  }

  private static @Nullable String given(@Nullable String value) {
    return value == null || value.isBlank() ? null : value;
  }

  private Opened open(Path file, String source) {
    Path absolute = file.toAbsolutePath();
    try {
      long least = Files.isRegularFile(absolute) ? ElfExtent.leastBytes(absolute) : 0;
      if (Files.exists(absolute) && Files.size(absolute) < least) {
        throw failure(
            source
                + ": "
                + absolute
                + " is cut off: it has "
                + Files.size(absolute)
                + " of at least "
                + least
                + " bytes",
            "Build or download it again.");
      }
      return new Opened(absolute, linker.open(absolute));
    } catch (NoSuchFileException missing) {
      throw failure(
          source + ": " + absolute + " does not exist", "Correct or remove the setting.", missing);
    } catch (IOException unreadable) {
      throw failure(
          source + ": " + absolute + " cannot be read: " + words(unreadable),
          "Correct its permissions.",
          unreadable);
    } catch (DynamicLinker.LinkerException refused) {
      throw failure(
          source + ": " + absolute + ": " + refused.getMessage(),
          remedy(absolute, refused.getMessage()),
          refused);
    }
  }

  /** What a person can do about the linker's words. */
  private String remedy(Path file, String linkerWords) {
    String words = linkerWords.toLowerCase(Locale.ROOT);
    BinaryHeader header;
    try {
      header = BinaryHeader.read(file);
    } catch (IOException unreadable) {
      return "The file cannot be read (" + words(unreadable) + "): correct its permissions.";
    }
    if (header.kind() == BinaryHeader.Kind.OTHER) {
      return "The file is " + header.text() + ". Put a library built for " + platform + " there.";
    }
    if (header.isForeignTo(platform)) {
      return "The file is "
          + header.text()
          + ", but this JVM runs on "
          + platform
          + ". Use the library for that platform.";
    }
    if (!platform.isMac() && Platform.runsOnMusl()) {
      return "This JVM runs on musl (Alpine Linux), but the library needs glibc. Use a distribution with glibc, or build Panvec here.";
    }
    if (words.contains("version `glibc_")) {
      return "The library was built on a newer Linux than this one. Build Panvec on this machine, or update the C library.";
    }
    if (words.contains("failed to map segment") || words.contains("operation not permitted")) {
      return "Does "
          + file.getParent()
          + " lie on a file system mounted noexec? Name a directory from which programs may run by -Dpanvec.cache=DIR"
          + " or PANVEC_CACHE=DIR.";
    }
    if (words.contains("cannot open shared object file") || words.contains("library not loaded")) {
      return "The library needs another one that is missing here: install the package that has it.";
    }
    if (words.contains("undefined symbol") || words.contains("symbol not found")) {
      return "The library is incomplete or needs a newer system library. Build Panvec on this machine.";
    }
    return "The file is damaged or does not fit this system. Build or download it again.";
  }

  private static String words(IOException failed) {
    if (failed instanceof AccessDeniedException denied) {
      return denied.getFile() + ": permission denied";
    }
    if (failed instanceof FileSystemException known && known.getReason() == null) {
      return failed.getClass().getSimpleName() + " " + failed.getMessage();
    }
    return String.valueOf(failed.getMessage());
  }

  private NativeLoadException failure(String attempt, String remedy) {
    return new NativeLoadException(message(attempt, remedy));
  }

  private NativeLoadException failure(String attempt, String remedy, Throwable cause) {
    return new NativeLoadException(message(attempt, remedy), cause);
  }

  private String message(String lastAttempt, String remedy) {
    attempts.add(lastAttempt);
    StringBuilder text =
        new StringBuilder("The native library \"" + library + "\" could not be opened.");
    attempts.forEach(attempt -> text.append("\n  tried ").append(attempt));
    return text.append("\n  ").append(remedy).toString();
  }
}
