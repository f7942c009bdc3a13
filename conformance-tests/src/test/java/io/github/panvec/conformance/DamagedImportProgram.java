package io.github.panvec.conformance;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.VectorIndex;
import io.github.panvec.VectorIndexException;
import io.github.panvec.snapshot.FileOperations;
import io.github.panvec.snapshot.SnapshotWriter;
import io.github.panvec.spi.ForeignFile;
import io.github.panvec.spi.VectorBackend;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;

/**
 * Reads damaged copies of files that an engine wrote by itself, as an import does, without a
 * process of its own for each: what becomes a snapshot is opened and searched.
 */
final class DamagedImportProgram {
  private final VectorBackend backend;
  private final Path folder;
  private int taken;
  private int refused;

  private DamagedImportProgram(VectorBackend backend, Path folder) {
    this.backend = backend;
    this.folder = folder;
  }

  /**
   * @param arguments the backend; a folder; how many files of all kinds together
   */
  public static void main(String[] arguments) throws IOException {
    VectorBackend backend =
        Panvec.backends().stream()
            .filter(each -> each.name().equals(arguments[0]))
            .findFirst()
            .orElseThrow();
    List<Subject> kinds =
        ForeignFilesTest.kinds().filter(kind -> kind.backend().equals(arguments[0])).toList();
    int each = 1 + Integer.parseInt(arguments[2]) / kinds.size();
    DamagedImportProgram program = new DamagedImportProgram(backend, Path.of(arguments[1]));
    for (Subject kind : kinds) {
      program.read(kind, each);
    }
    System.out.println(
        arguments[0] + ": " + program.taken + " taken, " + program.refused + " refused");
    System.out.println("survived");
  }

  private void read(Subject kind, int count) throws IOException {
    IndexSpec spec = ForeignFilesTest.spec(kind, kind.any(Metric.L2));
    Path file = folder.resolve("exported");
    try (VectorIndex index = Panvec.create(spec)) {
      ForeignFilesTest.rows(spec.metric()).addTo(index);
      index.export(file);
    }
    byte[] whole = Files.readAllBytes(file);
    Files.delete(file);
    Random random = new Random(TestVectors.seed());
    for (int i = 0; i < count; i++) {
      Mutation mutation = Mutation.of(whole, random, i);
      Files.writeString(folder.resolve("current.txt"), kind + ", " + mutation.what());
      read(spec, file, mutation.bytes());
    }
  }

  private void read(IndexSpec spec, Path file, byte[] bytes) {
    Path snapshot = folder.resolve("imported");
    try (Arena arena = Arena.ofConfined()) {
      // In room of its own size.
      MemorySegment copy = arena.allocate(bytes.length, 1).copyFrom(MemorySegment.ofArray(bytes));
      ForeignFile foreign =
          new ForeignFile(file, copy.asReadOnly(), spec, false, DamagedImportProgram::complete);
      new SnapshotWriter(snapshot, FileOperations.disk()).write(backend.importFile(foreign));
      try (VectorIndex index = Panvec.open(SnapshotSource.of(snapshot))) {
        for (int i = 0; i < 5; i++) {
          float[] query = TestVectors.gaussian(new Random(i), spec.dimension());
          index.search(SearchRequest.of(query, 10));
        }
        taken++;
      }
    } catch (VectorIndexException said) {
      refused++;
    }
  }

  private static IndexSpec complete(IndexSpec spec) {
    try (VectorIndex index = Panvec.create(spec)) {
      return index.spec();
    }
  }
}
