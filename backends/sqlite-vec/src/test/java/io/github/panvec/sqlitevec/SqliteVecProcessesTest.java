package io.github.panvec.sqlitevec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.IndexBusyException;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.VectorIndex;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file between processes, and how the library's failures look in a fresh one. */
class SqliteVecProcessesTest {
  @TempDir Path directory;

  private IndexSpec spec(Path file) {
    return Rows.spec(Metric.L2, Programs.DIMENSION).with("path", file).with("busyTimeoutMs", 20);
  }

  @Test
  void anotherProcessReadsWhatThisOneWrites() throws Exception {
    Path file = directory.resolve("shared.db");
    try (VectorIndex index = Panvec.create(spec(file))) {
      index.add(7, new float[] {0, 0});
      try (ChildJvm reader = ChildJvm.start(List.of(), Programs.Reader.class, file)) {
        assertThat(reader.readLine()).isEqualTo("open");
        reader.writeLine("1 1");
        assertThat(reader.readLine()).isEqualTo("1 7");
        index.add(8, new float[] {1, 1});
        reader.writeLine("1 1");
        assertThat(reader.readLine()).isEqualTo("2 8");
        index.remove(8);
        reader.writeLine("1 1");
        assertThat(reader.readLine()).isEqualTo("1 7");
      }
    }
  }

  @Test
  void whileAnotherProcessWritesWritersAreBusyAndReadersGoOn() throws Exception {
    Path file = directory.resolve("locked.db");
    try (VectorIndex index = Panvec.create(spec(file))) {
      index.add(1, new float[] {1, 1});
      try (ChildJvm holder = ChildJvm.start(List.of(), Programs.LockHolder.class, file)) {
        assertThat(holder.readLine()).isEqualTo("locked");
        assertThatThrownBy(() -> index.add(2, new float[] {2, 2}))
            .isInstanceOf(IndexBusyException.class)
            .hasMessageContaining(file.toString());
        assertThatThrownBy(() -> index.remove(1)).isInstanceOf(IndexBusyException.class);
        assertThatThrownBy(() -> Panvec.create(spec(file))).isInstanceOf(IndexBusyException.class);
        assertThat(index.search(new float[] {0, 0}, 5).ids()).containsExactly(1);
        holder.writeLine("let go");
        holder.awaitSuccess();
      }
      index.add(2, new float[] {2, 2});
      assertThat(index.size()).isEqualTo(2);
    }
  }

  @Test
  void whatWasAddedBeforeAKillIsThere() throws Exception {
    Path file = directory.resolve("killed.db");
    long last = -1;
    try (ChildJvm adder = ChildJvm.start(List.of(), Programs.Adder.class, file)) {
      while (last < 100) {
        last = Long.parseLong(adder.readLine());
      }
      adder.kill();
      for (String line = adder.readLine(); line != null; line = adder.readLine()) {
        if (!line.isEmpty()) {
          last = Math.max(last, Long.parseLong(line));
        }
      }
    }
    try (VectorIndex index = Panvec.create(spec(file))) {
      // One more may have been committed without a chance to say so.
      assertThat(index.size()).isBetween(last + 1, last + 2);
      for (long id = 0; id <= last; id++) {
        assertThat(index.get(id).orElseThrow()).containsExactly(id, -id);
      }
    }
  }

  @Test
  void aSimdLevelThatTheCpuLacksMakesTheBackendUnavailable() throws IOException {
    String foreign = System.getProperty("os.arch").equals("aarch64") ? "avx2" : "neon";
    assertThat(doctor("-Dpanvec.simd=" + foreign))
        .contains("-Dpanvec.simd=" + foreign)
        .contains("baseline");
    assertThat(doctor("-Dpanvec.simd=nonsense")).contains("nonsense").contains("baseline");
  }

  @Test
  void aSimdLevelThatTheCpuHasIsUsed() throws IOException {
    assertThat(doctor("-Dpanvec.simd=baseline")).startsWith("available 0.1.9 baseline ");
  }

  @Test
  void garbageInPlaceOfTheLibraryIsToldInTheLinkersWords() throws IOException {
    Path garbage =
        Files.writeString(directory.resolve("garbage.so"), "garbage, garbage, garbage, garbage");
    assertThat(doctor("-Dpanvec.sqlitevec.path=" + garbage))
        .contains("tried property panvec.sqlitevec.path: " + garbage)
        .contains("begins with \"garbage, gar\"");
  }

  private static String doctor(String option) throws IOException {
    try (ChildJvm doctor = ChildJvm.start(List.of(option), Programs.Doctor.class)) {
      return doctor.readAll();
    }
  }
}
