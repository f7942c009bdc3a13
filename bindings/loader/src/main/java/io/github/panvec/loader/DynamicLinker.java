package io.github.panvec.loader;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The operating system's {@code dlopen}, {@code dlsym} and {@code dlerror}. Thread-safe.
 *
 * <p>The error text belongs to the calling thread and to its last call, and anything the JVM links
 * in between would overwrite it: so all handles are made beforehand and {@code dlerror} is the very
 * next call.
 */
final class DynamicLinker {
  private static final int RTLD_NOW = 2;
  private static final int RTLD_LOCAL_LINUX = 0;
  private static final int RTLD_LOCAL_MACOS = 4;

  /** The linker refused; the message is its own. */
  static final class LinkerException extends Exception {
    private static final long serialVersionUID = 1L;

    LinkerException(String message) {
      super(message);
    }
  }

  private final int flags;
  private final MethodHandle dlopen;
  private final MethodHandle dlsym;
  private final MethodHandle dlerror;
  private final Map<Path, MemorySegment> open = new HashMap<>();

  /**
   * @throws IllegalCallerException when native access is not enabled for this module
   */
  DynamicLinker(Platform platform) {
    flags = RTLD_NOW | (platform.isMac() ? RTLD_LOCAL_MACOS : RTLD_LOCAL_LINUX);
    dlopen =
        function(
            "dlopen",
            FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
    dlsym =
        function(
            "dlsym",
            FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.ADDRESS));
    dlerror = function("dlerror", FunctionDescriptor.of(ValueLayout.ADDRESS));
    lastError();
  }

  private static MethodHandle function(String name, FunctionDescriptor descriptor) {
    Linker linker = Linker.nativeLinker();
    MemorySegment address =
        linker
            .defaultLookup()
            .find(name)
            .orElseThrow(() -> new NativeLoadException("the C library has no " + name));
    return linker.downcallHandle(address, descriptor);
  }

  /** Opens a file for the life of the JVM; the same file again gives the same handle. */
  synchronized MemorySegment open(Path file) throws LinkerException, IOException {
    Path canonical = file.toRealPath();
    MemorySegment known = open.get(canonical);
    if (known != null) {
      return known;
    }
    try (Arena arena = Arena.ofConfined()) {
      lastError();
      MemorySegment handle =
          (MemorySegment) dlopen.invokeExact(arena.allocateFrom(canonical.toString()), flags);
      if (handle.address() == 0) {
        String error = lastError();
        throw new LinkerException(error == null ? "dlopen failed without a reason" : error);
      }
      open.put(canonical, handle);
      return handle;
    } catch (LinkerException refused) {
      throw refused;
    } catch (Throwable unexpected) {
      throw rethrow(unexpected);
    }
  }

  /**
   * What the linker says about a file that is no library at all, as the end of a sentence; nothing
   * about any other file: to open a library that may be damaged could end the JVM.
   */
  String wordsAbout(Path file) {
    try {
      if (BinaryHeader.read(file).kind() == BinaryHeader.Kind.OTHER) {
        open(file);
      }
      return "";
    } catch (LinkerException refused) {
      return " The linker says: " + refused.getMessage();
    } catch (IOException unreadable) {
      return "";
    }
  }

  /** The address of a symbol of an open library, or null when it has none of that name. */
  @Nullable MemorySegment find(MemorySegment handle, String symbol) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment address = (MemorySegment) dlsym.invokeExact(handle, arena.allocateFrom(symbol));
      return address.address() == 0 ? null : address;
    } catch (Throwable unexpected) {
      throw rethrow(unexpected);
    }
  }

  /** The text that a function without parameters returns. */
  static String text(MemorySegment function) {
    try {
      MethodHandle handle =
          Linker.nativeLinker()
              .downcallHandle(function, FunctionDescriptor.of(ValueLayout.ADDRESS));
      MemorySegment text = (MemorySegment) handle.invokeExact();
      return text.reinterpret(Long.MAX_VALUE).getString(0);
    } catch (Throwable unexpected) {
      throw rethrow(unexpected);
    }
  }

  private @Nullable String lastError() {
    try {
      MemorySegment text = (MemorySegment) dlerror.invokeExact();
      return text.address() == 0 ? null : text.reinterpret(Long.MAX_VALUE).getString(0);
    } catch (Throwable unexpected) {
      throw rethrow(unexpected);
    }
  }

  private static RuntimeException rethrow(Throwable unexpected) {
    if (unexpected instanceof Error error) {
      throw error;
    }
    if (unexpected instanceof RuntimeException runtime) {
      throw runtime;
    }
    throw new AssertionError("a C function threw", unexpected);
  }
}
