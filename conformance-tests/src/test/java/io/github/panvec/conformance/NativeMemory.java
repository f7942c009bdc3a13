package io.github.panvec.conformance;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.LongSupplier;

/**
 * How much native memory this process has in use.
 *
 * @param name of what is counted
 * @param used counts it
 * @param bytesPerIndex what the JVM's own share may add to each of some hundred indexes
 * @param bytesPerSearch and to each of a hundred thousand searches
 */
record NativeMemory(String name, LongSupplier used, double bytesPerIndex, double bytesPerSearch) {

  /** Whether {@link #ofThisProcess} works here. */
  static boolean canBeCounted() {
    return Files.isReadable(Path.of("/proc/self/status"));
  }

  /** What malloc has given out, where that is glibc's, or else all that is not a file. */
  static NativeMemory ofThisProcess() {
    return Linker.nativeLinker()
        .defaultLookup()
        .find("mallinfo2")
        .map(NativeMemory::ofMalloc)
        .orElseGet(() -> new NativeMemory("RssAnon", NativeMemory::rss, 16_384, 512));
  }

  long bytes() {
    return used.getAsLong();
  }

  @Override
  public String toString() {
    return name;
  }

  /** Ten numbers, of which 4 is what was mapped for large blocks and 7 is what is in use. */
  private static NativeMemory ofMalloc(MemorySegment mallinfo2) {
    MethodHandle call =
        Linker.nativeLinker()
            .downcallHandle(
                mallinfo2,
                FunctionDescriptor.of(
                    MemoryLayout.structLayout(
                        MemoryLayout.sequenceLayout(10, ValueLayout.JAVA_LONG))));
    return new NativeMemory("malloc", () -> malloced(call), 128, 1);
  }

  private static long malloced(MethodHandle call) {
    try (Arena scratch = Arena.ofConfined()) {
      MemorySegment info = (MemorySegment) call.invokeExact((SegmentAllocator) scratch);
      return info.getAtIndex(ValueLayout.JAVA_LONG, 4) + info.getAtIndex(ValueLayout.JAVA_LONG, 7);
    } catch (Throwable impossible) {
      throw new AssertionError(impossible);
    }
  }

  private static long rss() {
    try {
      return Files.readAllLines(Path.of("/proc/self/status")).stream()
          .filter(line -> line.startsWith("RssAnon:"))
          .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("\\D", "")))
          .findFirst()
          .orElseThrow();
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }
}
