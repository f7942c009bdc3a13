package io.github.panvec.conformance;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;

/**
 * Makes, fills, searches and closes far more indexes of every kind than there are file descriptors,
 * in memory and, where a backend takes {@code path}, in files.
 */
final class DescriptorProgram {
  private static final int INDEXES = 300;

  private DescriptorProgram() {}

  public static void main(String[] arguments) throws Exception {
    Path folder = Path.of(arguments[0]);
    for (Subject subject : Subjects.all()) {
      Metric metric = subject.any(Metric.L2);
      Rows rows = Rows.gaussian(metric, 8, 20);
      use(subject, subject.spec(8, metric), rows);
      long before = descriptors();
      for (int i = 0; i < INDEXES; i++) {
        use(subject, subject.spec(8, metric), rows);
      }
      if (subject.takes("path")) {
        for (int i = 0; i < INDEXES; i++) {
          Path file = folder.resolve("index" + i);
          use(subject, subject.spec(8, metric).with("path", file), rows);
        }
      }
      long after = descriptors();
      System.out.println(subject + ": " + before + " descriptors before, " + after + " after");
      if (after > before + 4) {
        throw new AssertionError("descriptors leak");
      }
    }
    System.out.println("bounded");
  }

  private static void use(Subject subject, IndexSpec spec, Rows rows) {
    try (VectorIndex index = subject.create(spec)) {
      rows.addTo(index);
      index.search(rows.query(), 3);
      index.searchAll(SearchRequest.of(rows.queries(30), 3));
    }
  }

  static long descriptors() throws IOException {
    Path list = Path.of(Files.isDirectory(Path.of("/proc/self/fd")) ? "/proc/self/fd" : "/dev/fd");
    try (Stream<Path> open = Files.list(list)) {
      return open.count();
    }
  }
}
