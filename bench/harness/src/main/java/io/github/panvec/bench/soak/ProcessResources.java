package io.github.panvec.bench.soak;

import java.io.File;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What this process holds, as Linux tells it: threads and file descriptors. */
final class ProcessResources {
  static final int UNKNOWN = -1;

  /** The JVM starts and ends these as it likes. */
  private static final List<String> THREADS_OF_THE_JVM =
      List.of("C1 Comp", "C2 Comp", "GC Thread", "G1 ", "Attach");

  private static final Path TASKS = Path.of("/proc/self/task");
  private static final File DESCRIPTORS = new File("/proc/self/fd");

  private int mostThreads = UNKNOWN;
  private int mostDescriptors = UNKNOWN;

  /** Looks now. */
  void sample() {
    mostThreads = Math.max(mostThreads, threads());
    mostDescriptors = Math.max(mostDescriptors, descriptors());
  }

  /** The most that were seen, or {@link #UNKNOWN}. */
  int mostThreads() {
    return mostThreads;
  }

  /** The most that were seen, or {@link #UNKNOWN}. */
  int mostDescriptors() {
    return mostDescriptors;
  }

  /** What has come on top; {@link #UNKNOWN} where it cannot be known. */
  static int more(int before, int most) {
    return most == UNKNOWN ? UNKNOWN : most - before;
  }

  /** Threads of all kinds, compilers and collectors of the JVM left out. */
  private static int threads() {
    int count = 0;
    try (DirectoryStream<Path> tasks = Files.newDirectoryStream(TASKS)) {
      for (Path task : tasks) {
        String name = name(task);
        if (THREADS_OF_THE_JVM.stream().noneMatch(name::startsWith)) {
          count++;
        }
      }
      return count;
    } catch (IOException | DirectoryIteratorException notLinux) {
      return UNKNOWN;
    }
  }

  private static String name(Path task) {
    try {
      return Files.readString(task.resolve("comm"));
    } catch (IOException gone) {
      return THREADS_OF_THE_JVM.get(0);
    }
  }

  private static int descriptors() {
    String[] open = DESCRIPTORS.list();
    // One of them is the listing's own.
    return open == null ? UNKNOWN : open.length - 1;
  }
}
