package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Metric;
import io.github.panvec.VectorIndex;
import java.io.RandomAccessFile;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Beside a gigabyte of files that the process has mapped. */
class MappedFilesTest extends ConformanceTest {
  private static final int FILES = 4;
  private static final long FILE_BYTES = 256L << 20;
  private static final long PAGE = 4096;

  static Stream<Subject> subjects() {
    return Subjects.keepingVectors().filter(Subject::isCoveredInFull);
  }

  @TempDir private Path folder;

  private static MemorySegment mapped(Path path, Arena arena) throws Exception {
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(FILE_BYTES);
      file.seek(FILE_BYTES - 1);
      file.write(1);
      return file.getChannel().map(FileChannel.MapMode.READ_ONLY, 0, FILE_BYTES, arena);
    }
  }

  @Test
  @Contract({"compact.beside-reads-and-writes", "compact.keeps-answers"})
  void removingAndCompactingGoOn() throws Exception {
    Metric metric = any(Metric.L2);
    Rows rows = Rows.gaussian(metric, 32, 2000);
    float[] query = rows.query();
    try (Arena arena = Arena.ofShared();
        VectorIndex index = rows.index(subject)) {
      List<MemorySegment> files = new ArrayList<>();
      for (int f = 0; f < FILES; f++) {
        files.add(mapped(folder.resolve("file" + f), arena));
      }
      AtomicLong page = new AtomicLong();
      Readers.Step readFiles =
          () -> {
            for (MemorySegment file : files) {
              long at = page.getAndAdd(17) * PAGE % FILE_BYTES;
              assertThat(file.get(ValueLayout.JAVA_BYTE, at)).isZero();
              assertThat(file.get(ValueLayout.JAVA_BYTE, FILE_BYTES - 1)).isEqualTo((byte) 1);
            }
          };
      Readers.Step search = () -> assertThat(index.search(query, 10).count()).isEqualTo(10);
      Readers.whileRunning(
          List.of(readFiles, search),
          readers -> {
            for (int round = 0; round < 5; round++) {
              for (long id : rows.every(2)) {
                index.remove(id);
                rows.remove(id);
              }
              index.compact();
              assertThat(index.stats().dead()).isZero();
              rows.assertUnchanged(index);
              for (long id = 0; id < 1000; id++) {
                rows.put(10_000 + 1000 * round + id, rows.query());
                index.add(10_000 + 1000 * round + id, rows.byId.get(10_000 + 1000 * round + id));
              }
              readers.awaitNextRound();
            }
          });
    }
  }
}
