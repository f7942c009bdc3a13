package io.github.panvec.loader;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.net.URL;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * A native library of Panvec's that is open, for as long as the JVM lives. Where it is looked for
 * says {@linkplain io.github.panvec.loader the package}. Thread-safe.
 */
public final class NativeLibrary {
  private static final String CPU = "cpu";
  private static final Map<String, Slot> SLOTS = new ConcurrentHashMap<>();
  private static @Nullable DynamicLinker sharedLinker;

  /** What became of one library: not tried, open, or failed. */
  private static final class Slot {
    private @Nullable NativeLibrary library;
    private @Nullable NativeLoadException failure;
  }

  private final String name;
  private final Path file;
  private final MemorySegment handle;
  private final DynamicLinker linker;

  private NativeLibrary(String name, LibraryLoader.Opened opened, DynamicLinker linker) {
    this.name = name;
    this.file = opened.file();
    this.handle = opened.handle();
    this.linker = linker;
  }

  /**
   * Opens a library, once: later calls return the same one, or fail for the same reason without
   * trying again.
   *
   * @param library its short name, for example {@code hnswlib} for {@code libpanvec_hnswlib}
   * @throws NativeLoadException when it cannot be opened; the message lists every attempt and the
   *     remedy
   */
  public static NativeLibrary open(String library) {
    if (!library.matches("[a-z0-9_]+")) {
      throw new IllegalArgumentException("no name of a library: \"" + library + "\"");
    }
    Slot slot = SLOTS.computeIfAbsent(library, unused -> new Slot());
    synchronized (slot) {
      if (slot.library != null) {
        return slot.library;
      }
      if (slot.failure != null) {
        throw new NativeLoadException(slot.failure.getMessage(), slot.failure);
      }
      try {
        DynamicLinker linker = linker();
        LibraryLoader loader =
            new LibraryLoader(
                library,
                Platform.current(),
                linker,
                System::getProperty,
                System::getenv,
                NativeLibrary::resource,
                library.equals(CPU) ? () -> SimdLevel.BASELINE : NativeLibrary::cpu);
        slot.library = new NativeLibrary(library, loader.load(), linker);
        return slot.library;
      } catch (NativeLoadException failed) {
        slot.failure = failed;
        throw failed;
      } catch (RuntimeException unexpected) {
        slot.failure =
            new NativeLoadException(
                "The native library \"" + library + "\" could not be opened: " + unexpected,
                unexpected);
        throw slot.failure;
      }
    }
  }

  /**
   * The symbols of a library that is opened by the first look-up, not now; for generated bindings.
   * In place of an empty result its {@code find} throws {@link NativeLoadException}, because
   * bindings have no use for one, and the message says which file lacks the symbol.
   */
  public static SymbolLookup lookup(String library) {
    return symbol -> Optional.of(open(library).symbol(symbol));
  }

  /**
   * The option of the {@code java} command that permits native access to the modules of Panvec that
   * need it, for example {@code --enable-native-access=ALL-UNNAMED} on the class path.
   */
  public static String nativeAccessOption() {
    Module own = NativeLibrary.class.getModule();
    if (own.getLayer() == null) {
      return "--enable-native-access=ALL-UNNAMED";
    }
    return own.getLayer().modules().stream()
        .filter(module -> module == own || module.canRead(own))
        .map(Module::getName)
        .sorted()
        .collect(Collectors.joining(",", "--enable-native-access=", ""));
  }

  /** The file that was opened. */
  public Path file() {
    return file;
  }

  /** Its symbols; a name that it does not have gives an empty result. */
  public SymbolLookup lookup() {
    return symbol -> Optional.ofNullable(linker.find(handle, symbol));
  }

  private MemorySegment symbol(String symbol) {
    return lookup()
        .find(symbol)
        .orElseThrow(
            () ->
                new NativeLoadException(
                    "The native library \""
                        + name
                        + "\" has no function "
                        + symbol
                        + ".\n  tried "
                        + file
                        + "\n  It was built from another version of Panvec: build or download both together again."));
  }

  /**
   * Not a static initializer's work: without native access it throws, and has to say so each time
   * in the same words.
   */
  private static synchronized DynamicLinker linker() {
    if (sharedLinker == null) {
      String unsupported = Platform.current().unsupported();
      if (unsupported != null && Platform.current().os().startsWith("windows")) {
        throw new NativeLoadException(unsupported);
      }
      try {
        sharedLinker = new DynamicLinker(Platform.current());
      } catch (IllegalCallerException denied) {
        throw new NativeLoadException(
            "This JVM does not let Panvec call native libraries: "
                + denied.getMessage()
                + "\n  Start java with "
                + nativeAccessOption(),
            denied);
      }
    }
    return sharedLinker;
  }

  /** What this CPU runs, by the library that tells; null without it. */
  private static @Nullable SimdLevel cpu() {
    try {
      return SimdLevel.named(DynamicLinker.text(open(CPU).symbol("panvec_cpu_simd_level")));
    } catch (NativeLoadException missing) {
      return null;
    }
  }

  private static @Nullable URL resource(String name) {
    ClassLoader own = NativeLibrary.class.getClassLoader();
    URL found = own == null ? ClassLoader.getSystemResource(name) : own.getResource(name);
    ClassLoader context = Thread.currentThread().getContextClassLoader();
    return found == null && context != null ? context.getResource(name) : found;
  }

  /** For example {@code hnswlib (/opt/panvec/libpanvec_hnswlib.so)}. */
  @Override
  public String toString() {
    return name + " (" + file + ")";
  }
}
