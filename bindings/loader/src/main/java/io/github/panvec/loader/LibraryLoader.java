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
import java.util.function.Predicate;
import java.util.function.Supplier;
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
  private final Supplier<@Nullable SimdLevel> cpu;
  private final List<String> attempts = new ArrayList<>();

  /**
   * @param cpu what this CPU runs, or null when that is not known; asked only when there is a
   *     library for whose sake it matters
   */
  LibraryLoader(
      String library,
      Platform platform,
      DynamicLinker linker,
      UnaryOperator<@Nullable String> properties,
      UnaryOperator<@Nullable String> environment,
      Function<String, @Nullable URL> resources,
      Supplier<@Nullable SimdLevel> cpu) {
    this.library = library;
    this.platform = platform;
    this.linker = linker;
    this.properties = properties;
    this.environment = environment;
    this.resources = resources;
    this.cpu = cpu;
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
    Path direct = Path.of(directory);
    Path byPlatform = direct.resolve(platform.toString());
    for (Path folder : List.of(direct, byPlatform)) {
      String found = best(name -> Files.exists(folder.resolve(platform.fileName(name))));
      if (found != null) {
        return open(folder.resolve(platform.fileName(found)), source);
      }
    }
    String fileName = platform.fileName(library);
    attempts.add(
        source
            + ": neither "
            + direct.resolve(fileName)
            + " nor "
            + byPlatform.resolve(fileName)
            + " exists");
    return null;
  }

  /**
   * The name of the best variant that a place has and this CPU may open, the plain library being
   * the least of them; null when it has none.
   */
  private @Nullable String best(Predicate<String> present) {
    SimdLevel[] levels = SimdLevel.values();
    for (int i = levels.length - 1; i >= 0; i--) {
      String name = levels[i].variantOf(library);
      if (present.test(name)
          && (levels[i] == SimdLevel.BASELINE || levels[i].compareTo(limit()) <= 0)) {
        return name;
      }
    }
    return null;
  }

  /** The highest level that this CPU runs and {@code -Dpanvec.simd} leaves. */
  private SimdLevel limit() {
    SimdLevel cap = SimdLevel.cap(properties.apply("panvec.simd"));
    SimdLevel runs = cpu.get();
    if (runs == null) {
      return SimdLevel.BASELINE;
    }
    return runs.compareTo(cap) < 0 ? runs : cap;
  }

  private Opened fromClassPath() {
    String unsupported = platform.unsupported();
    if (unsupported != null) {
      throw failure("class path: no library for " + platform, unsupported);
    }
    String found = best(name -> resources.apply(platform.resource(name)) != null);
    String name = platform.resource(found == null ? library : found);
    URL resource = resources.apply(name);
    if (found == null || resource == null) {
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
      file = cache.extract(resource, checksum, platform.fileName(found));
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
      if (Files.isRegularFile(absolute)) {
        refuseWhatWouldEndTheJvm(absolute, source);
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

  private void refuseWhatWouldEndTheJvm(Path file, String source) throws IOException {
    ElfFile elf = ElfFile.read(file);
    if (Files.size(file) < elf.leastBytes()) {
      throw failure(
          source
              + ": "
              + file
              + " is cut off: it has "
              + Files.size(file)
              + " of at least "
              + elf.leastBytes()
              + " bytes",
          "Build or download it again.");
    }
    SimdLevel needed = SimdLevel.ofFile(file.getFileName().toString());
    if (elf.simdLevel().compareTo(needed) > 0) {
      needed = elf.simdLevel();
    }
    if (needed == SimdLevel.BASELINE || BinaryHeader.read(file).isForeignTo(platform)) {
      return;
    }
    SimdLevel runs = cpu.get();
    if (runs == null) {
      throw failure(
          source
              + ": "
              + file
              + " was built for "
              + needed.text()
              + ", and whether this CPU has that is not known: libpanvec_cpu could not be opened",
          "Use "
              + platform.fileName(library)
              + ", or put "
              + platform.fileName("cpu")
              + " where it is found, for example by -Dpanvec.cpu.path=FILE.");
    }
    if (runs.compareTo(needed) < 0) {
      throw failure(
          source
              + ": "
              + file
              + " was built for "
              + needed.text()
              + ", but this CPU runs no more than "
              + runs.text(),
          "Use "
              + platform.fileName(runs.variantOf(library))
              + ", or build Panvec on this machine.");
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
