package io.github.panvec.conformance.selftest;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.util.Locale;

/** What a library that was built with -ffast-math does to the thread that loads it. */
final class FloatingPoint {
  private static final Linker LINKER = Linker.nativeLinker();

  /** Of fenv_t, on any machine, and more. */
  private static final long ENVIRONMENT_BYTES = 64;

  private FloatingPoint() {}

  /** Whether {@link #flushDenormals} knows this machine. */
  static boolean isKnown() {
    return isLinux() && (isX86() || System.getProperty("os.arch").equals("aarch64"));
  }

  private static boolean isLinux() {
    return System.getProperty("os.name").toLowerCase(Locale.ROOT).contains("linux");
  }

  private static boolean isX86() {
    return System.getProperty("os.arch").equals("amd64");
  }

  /** Lets this thread, and those that it starts from now on, take denormals for zero. */
  static void flushDenormals() {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment environment = scratch.allocate(ENVIRONMENT_BYTES, 16);
      call("fegetenv", environment);
      // glibc's fenv_t: MXCSR behind the 28 bytes of the x87; FPCR first.
      long offset = isX86() ? 28 : 0;
      int flush = isX86() ? 0x8040 : 1 << 24;
      int control = environment.get(ValueLayout.JAVA_INT, offset);
      environment.set(ValueLayout.JAVA_INT, offset, control | flush);
      call("fesetenv", environment);
    }
  }

  private static void call(String name, MemorySegment environment) {
    MemorySegment function =
        SymbolLookup.libraryLookup("libm.so.6", Arena.global()).find(name).orElseThrow();
    try {
      int status =
          (int)
              LINKER
                  .downcallHandle(
                      function, FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.ADDRESS))
                  .invokeExact(environment);
      if (status != 0) {
        throw new IllegalStateException(name + " returned " + status);
      }
    } catch (RuntimeException | Error thrown) {
      throw thrown;
    } catch (Throwable impossible) {
      throw new AssertionError(impossible);
    }
  }
}
