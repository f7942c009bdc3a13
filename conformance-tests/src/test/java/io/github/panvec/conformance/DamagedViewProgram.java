package io.github.panvec.conformance;

import io.github.panvec.Capabilities;
import io.github.panvec.CorruptIndexException;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.VectorIndex;
import io.github.panvec.Verify;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.LongStream;

/**
 * Searches views of snapshots whose files were damaged and not verified: every kind of index of a
 * backend. What is damaged is refused as such, or leads to other answers.
 */
final class DamagedViewProgram {
  private static final int DIMENSION = 12;
  private static final int ROWS = 250;

  private DamagedViewProgram() {}

  /**
   * @param arguments the backend; a folder; how many views in all; whether of every metric or one
   */
  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[1]);
    boolean everyMetric = Boolean.parseBoolean(arguments[3]);
    Map<Subject, List<Metric>> kinds = new LinkedHashMap<>();
    for (Subject kind : Subjects.all()) {
      if (kind.backend().equals(arguments[0])) {
        kinds.put(kind, everyMetric ? kind.metrics() : List.of(kind.any(Metric.COSINE)));
      }
    }
    int snapshots = kinds.values().stream().mapToInt(List::size).sum();
    int each = 1 + Integer.parseInt(arguments[2]) / snapshots;
    int first = 0;
    for (Subject kind : kinds.keySet()) {
      for (Metric metric : kinds.get(kind)) {
        Views views = new Views(folder, kind, metric);
        for (int i = 0; i < each; i++) {
          views.next(first + i);
        }
        System.out.println(kind + " " + metric + ": " + views);
        views.saved.delete();
        first += each;
      }
    }
    System.out.println("survived");
  }

  /** Damaged copies of one snapshot. */
  private static final class Views {
    private final String kind;
    private final SnapshotFolder saved;
    private final Path current;
    private final List<Path> files;
    private int answered;
    private int refused;

    Views(Path folder, Subject subject, Metric metric) {
      this.kind = subject + " " + metric;
      this.saved = new SnapshotFolder(folder.resolve("saved"));
      this.current = folder.resolve("current.txt");
      Rows rows = Rows.gaussian(metric, DIMENSION, ROWS);
      try (VectorIndex index = rows.index(subject)) {
        index.removeAll(rows.every(9));
        index.save(saved.path());
      }
      this.files = saved.dataFiles().stream().filter(file -> file.toFile().length() > 0).toList();
    }

    void next(int number) throws IOException {
      Random random = new Random(TestVectors.seed() + number);
      // Most of what there is to damage is in the first.
      Path file = files.get(random.nextInt(3) > 0 ? 0 : random.nextInt(files.size()));
      byte[] good = Files.readAllBytes(file);
      byte[] bad = good.clone();
      MemorySegment bytes = MemorySegment.ofArray(bad);
      int places = 1 + random.nextInt(random.nextBoolean() ? 1 : 12);
      StringBuilder words = new StringBuilder(kind + ", number " + number + ", " + file + ":");
      for (int i = 0; i < places; i++) {
        words.append(' ').append(damage(bytes, random));
      }
      Files.writeString(current, words);
      boolean mapped = random.nextInt(4) > 0;
      if (mapped) {
        Files.write(file, bad);
      }
      SnapshotSource source = mapped ? SnapshotSource.of(saved.path()) : inMemory(file, bytes);
      try (VectorIndex view = Panvec.view(source, Verify.SIZES)) {
        use(view, random);
        if (!Arrays.equals(bad, good)) {
          requireNoCopy(view);
        }
        answered++;
      } catch (CorruptIndexException seen) {
        String snapshot = mapped ? saved.path().toString() : "snapshot in memory";
        if (!seen.getMessage().contains(snapshot)) {
          throw new AssertionError("names no file", seen);
        }
        refused++;
      } finally {
        Files.write(file, good);
      }
    }

    /** Under a checksum of its own the damage would pass for data. */
    private void requireNoCopy(VectorIndex view) {
      Path copy = current.resolveSibling("copy");
      for (boolean export : new boolean[] {false, true}) {
        try {
          if (export) {
            view.export(copy);
          } else {
            view.save(copy);
          }
        } catch (CorruptIndexException refused) {
          continue;
        } catch (UnsupportedOperationException noSuchFile) {
          continue;
        }
        throw new AssertionError("a copy of damaged files");
      }
      if (Files.isRegularFile(copy)) {
        throw new AssertionError(copy + " is there");
      }
    }

    private SnapshotSource inMemory(Path file, MemorySegment bytes) {
      Map<String, MemorySegment> all = saved.inMemory();
      all.put(saved.path().relativize(file).toString().replace('\\', '/'), bytes);
      return SnapshotSource.of(all);
    }

    @Override
    public String toString() {
      return answered + " views answered, " + refused + " were refused";
    }
  }

  /** Flips a bit, or puts a number there that is at the end of some range; says where. */
  private static String damage(MemorySegment bytes, Random random) {
    // Headers are short and tell the most.
    long size = bytes.byteSize();
    long at = random.nextInt(3) == 0 ? random.nextLong(Math.min(size, 128)) : random.nextLong(size);
    int kind = random.nextInt(8);
    if (kind < 5 || at + Long.BYTES > size) {
      byte value = bytes.get(ValueLayout.JAVA_BYTE, at);
      bytes.set(ValueLayout.JAVA_BYTE, at, (byte) (value ^ 1 << random.nextInt(8)));
      return "bit at " + at;
    }
    long[] numbers = {0, -1, 1, ROWS, ROWS - 1, Integer.MAX_VALUE, Integer.MIN_VALUE, 1L << 40};
    long number = numbers[random.nextInt(numbers.length)];
    at &= -4;
    if (kind == 5) {
      bytes.set(ValueLayout.JAVA_LONG_UNALIGNED, Math.min(at, size - Long.BYTES), number);
    } else {
      bytes.set(ValueLayout.JAVA_INT_UNALIGNED, at, (int) number);
    }
    return number + " at " + at;
  }

  /** Everything that reads. */
  private static void use(VectorIndex view, Random random) {
    float[] queries = TestVectors.gaussian(random, 3 * DIMENSION);
    SearchRequest request = SearchRequest.of(queries, 10);
    Capabilities capabilities = view.capabilities();
    view.searchAll(request);
    view.searchAll(request.filter(IdFilter.range(-5, 60)));
    view.searchAll(SearchRequest.of(queries, 2 * ROWS));
    float[] query = TestVectors.gaussian(random, DIMENSION);
    if (!capabilities.codesOnly()) {
      view.searchAll(request.exact());
      view.searchRange(SearchRequest.of(query, 50), 1.5f);
      for (long id : LongStream.range(-12, 20).toArray()) {
        view.get(id);
      }
      view.get(ROWS - 11);
    }
    view.search(SearchRequest.of(query, 5).filter(IdFilter.in(1, 2, 3, 70, 200)));
    view.search(SearchRequest.of(query, 5).filter(IdFilter.matching(id -> id % 2 == 0)));
    view.ids();
    view.contains(7);
    view.size();
    view.stats();
  }
}
