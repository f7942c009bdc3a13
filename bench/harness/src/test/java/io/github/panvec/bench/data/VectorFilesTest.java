package io.github.panvec.bench.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Metric;
import io.github.panvec.bench.InputException;
import io.github.panvec.bench.Progress;
import io.jhdf.HdfFile;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class VectorFilesTest {
  private static final float[][] ROWS = {{1, 2, 3}, {-4, 0.5f, 6}, {7, 8, -9.25f}};

  @TempDir private Path folder;
  private final Arena arena = Arena.ofShared();

  @AfterEach
  void unmap() {
    arena.close();
  }

  private Dataset open(Path file) {
    return Datasets.open(
        file.toString(), arena, folder, new Progress(new PrintWriter(new StringWriter()), false));
  }

  private static byte[] fvecs(float[]... rows) {
    int bytes = Arrays.stream(rows).mapToInt(row -> 4 + 4 * row.length).sum();
    ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (float[] row : rows) {
      buffer.putInt(row.length);
      for (float component : row) {
        buffer.putFloat(component);
      }
    }
    return buffer.array();
  }

  private static byte[] npy(VectorSet.Element element, float[]... rows) {
    byte[] header = NpyFormat.header(element, rows.length, rows[0].length);
    ByteBuffer buffer =
        ByteBuffer.allocate(header.length + rows.length * rows[0].length * element.bytes())
            .order(ByteOrder.LITTLE_ENDIAN);
    buffer.put(header);
    for (float[] row : rows) {
      for (float component : row) {
        if (element == VectorSet.Element.FLOAT16) {
          buffer.putShort(Float.floatToFloat16(component));
        } else {
          buffer.putFloat(component);
        }
      }
    }
    return buffer.array();
  }

  private Path write(String name, byte[] bytes) throws IOException {
    return Files.write(folder.resolve(name), bytes);
  }

  private static void assertRows(VectorSet set, float[]... rows) {
    assertThat(set.rows()).isEqualTo(rows.length);
    for (int i = 0; i < rows.length; i++) {
      assertThat(set.row(i)).containsExactly(rows[i]);
    }
  }

  @Test
  void fvecsIsReadWithItsQueriesByName() throws IOException {
    Path base = write("toy_base.fvecs", fvecs(ROWS));
    write("toy_query.fvecs", fvecs(ROWS[1]));

    Dataset dataset = open(base);

    assertRows(dataset.base(), ROWS);
    assertRows(dataset.queries(), ROWS[1]);
  }

  @Test
  void fvecsCutAnywhereButBetweenRowsIsRefused() throws IOException {
    byte[] whole = fvecs(ROWS);
    write("toy_query.fvecs", fvecs(ROWS[0]));
    for (int length = 0; length < whole.length; length++) {
      Path file = write("toy_base.fvecs", Arrays.copyOf(whole, length));
      if (length > 0 && length % 16 == 0) {
        assertThat(open(file).base().rows()).isEqualTo(length / 16);
      } else {
        String where =
            length == 0
                ? "is empty"
                : "cut off in row " + length / 16 + " at byte " + length / 16 * 16;
        assertThatThrownBy(() -> open(file))
            .as("cut at byte %d", length)
            .isInstanceOf(InputException.class)
            .hasMessageContaining(file.toString())
            .hasMessageContaining(where);
      }
    }
  }

  @Test
  void fvecsOfMixedDimensionNamesTheRow() throws IOException {
    Path file = write("mixed_base.fvecs", fvecs(ROWS[0], ROWS[1], new float[] {1, 2}));

    assertThatThrownBy(() -> open(file))
        .isInstanceOf(InputException.class)
        .hasMessage(file + ": row 2 at byte 32 states dimension 2, the rows before have 3");
  }

  @Test
  void anotherFileCalledFvecsIsRefused() throws IOException {
    Path file = write("text.fvecs", "not vectors at all".getBytes(StandardCharsets.US_ASCII));

    assertThatThrownBy(() -> open(file))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("no fvecs");
  }

  @Test
  void queriesOfAnotherDimensionAreRefused() throws IOException {
    Path base = write("toy_base.fvecs", fvecs(ROWS));
    Path query = write("toy_query.fvecs", fvecs(new float[] {1, 2}));

    assertThatThrownBy(() -> open(base))
        .isInstanceOf(InputException.class)
        .hasMessageContaining(query + ": its rows have dimension 2");
  }

  @Test
  void ivecsBeyondFloatPrecisionIsRefused() throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(24).order(ByteOrder.LITTLE_ENDIAN);
    buffer.putInt(2).putInt(5).putInt(-7).putInt(2).putInt(1).putInt((1 << 24) + 1);
    write("toy_query.ivecs", Arrays.copyOf(buffer.array(), 12));
    Dataset dataset = open(write("toy_base.ivecs", buffer.array()));

    assertThat(dataset.base().row(0)).containsExactly(5, -7);
    assertThatThrownBy(() -> dataset.base().verify(Metric.L2))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("row 1, component 1 (byte 20) does not fit");
  }

  @Test
  void aFileAloneGivesSomeOfItsRowsAsQueriesAndKeepsTheRest() throws IOException {
    float[][] rows = new float[40][];
    for (int i = 0; i < rows.length; i++) {
      rows[i] = new float[] {i, 1};
    }
    Dataset dataset = open(write("alone.fvecs", fvecs(rows)));

    assertThat(dataset.queries().rows()).isEqualTo(4);
    assertThat(dataset.base().rows()).isEqualTo(36);
    boolean[] seen = new boolean[40];
    for (VectorSet set : List.of(dataset.base(), dataset.queries())) {
      for (int i = 0; i < set.rows(); i++) {
        int row = (int) set.row(i)[0];
        assertThat(seen[row]).isFalse();
        seen[row] = true;
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"FLOAT32", "FLOAT16"})
  void npyIsReadWithQueriesAndNames(String element) throws IOException {
    write("base.npy", npy(VectorSet.Element.valueOf(element), ROWS));
    write("query.npy", npy(VectorSet.Element.valueOf(element), ROWS[2]));
    Files.writeString(folder.resolve("base_names.txt"), "one\ntwo\nthree\n");

    Dataset dataset = open(folder);

    assertRows(dataset.base(), ROWS);
    assertRows(dataset.queries(), ROWS[2]);
    assertThat(dataset.baseNames()).containsExactly("one", "two", "three");
    assertThat(dataset.queryNames()).isNull();
  }

  @Test
  void equalVectorsHashAlikeWhateverTheirFormat() throws IOException {
    write("toy_query.fvecs", fvecs(ROWS[0]));
    write("query.npy", npy(VectorSet.Element.FLOAT16, ROWS[0]));
    String fromFvecs = open(write("toy_base.fvecs", fvecs(ROWS))).base().verify(Metric.L2);
    String fromNpy =
        open(write("base.npy", npy(VectorSet.Element.FLOAT16, ROWS))).base().verify(Metric.L2);

    assertThat(fromNpy).isEqualTo(fromFvecs);
    assertThat(open(folder.resolve("base.npy")).base().head(2).verify(Metric.L2))
        .isNotEqualTo(fromNpy);
  }

  @Test
  void npyCutAnywhereIsRefused() throws IOException {
    byte[] whole = npy(VectorSet.Element.FLOAT32, ROWS);
    for (int length = 0; length < whole.length; length++) {
      Path file = write("base.npy", Arrays.copyOf(whole, length));
      int cut = length;
      assertThatThrownBy(() -> open(file))
          .as("cut at byte %d", length)
          .isInstanceOf(InputException.class)
          .hasMessageContaining(file.toString())
          .hasMessageContaining(cut == 0 ? "is empty" : "at byte " + cut);
    }
  }

  @Test
  void npyWithBytesTooManyIsRefused() throws IOException {
    byte[] whole = npy(VectorSet.Element.FLOAT32, ROWS);
    Path file = write("base.npy", Arrays.copyOf(whole, whole.length + 5));

    assertThatThrownBy(() -> open(file))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("5 bytes too many, from byte " + whole.length);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{'descr': '>f4', 'fortran_order': False, 'shape': (3, 3), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 3), }",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (x, 3), }",
        "{'descr': '<f4', 'shape': (3, 3), }"
      })
  void npyOfAnotherKindIsRefused(String header) throws IOException {
    byte[] whole = npy(VectorSet.Element.FLOAT32, ROWS);
    Arrays.fill(whole, 10, 128, (byte) ' ');
    byte[] text = header.getBytes(StandardCharsets.US_ASCII);
    System.arraycopy(text, 0, whole, 10, text.length);
    Path file = write("base.npy", whole);

    assertThatThrownBy(() -> open(file))
        .isInstanceOf(InputException.class)
        .hasMessageStartingWith(file + ": ")
        .hasMessageNotContaining("\n");
  }

  @ParameterizedTest
  @ValueSource(bytes = {2, 3})
  void npyVersionsWithALongHeaderLengthAreRead(byte version) throws IOException {
    byte[] whole = npy(VectorSet.Element.FLOAT32, ROWS);
    ByteBuffer longer = ByteBuffer.allocate(whole.length + 2).order(ByteOrder.LITTLE_ENDIAN);
    longer
        .put(whole, 0, 6)
        .put(version)
        .put((byte) 0)
        .putInt(118)
        .put(whole, 10, whole.length - 10);
    write("query.npy", whole);

    assertRows(open(write("base.npy", longer.array())).base(), ROWS);
  }

  @Test
  void namesThatDoNotFitTheRowsAreRefused() throws IOException {
    write("base.npy", npy(VectorSet.Element.FLOAT32, ROWS));
    write("query.npy", npy(VectorSet.Element.FLOAT32, ROWS));
    Files.writeString(folder.resolve("base_names.txt"), "one\ntwo\n");

    assertThatThrownBy(() -> open(folder))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("has 2 lines, base.npy has 3 rows");
  }

  @Test
  void nanNamesFileRowAndByte() throws IOException {
    write("toy_query.fvecs", fvecs(ROWS[0]));
    Path file = write("toy_base.fvecs", fvecs(ROWS[0], new float[] {1, Float.NaN, 2}));

    assertThatThrownBy(() -> open(file).base().verify(Metric.L2))
        .isInstanceOf(InputException.class)
        .hasMessage(file + ": row 1, component 1 (byte 24) is NaN");
  }

  @Test
  void aZeroRowIsRefusedUnderCosineOnly() throws IOException {
    write("toy_query.fvecs", fvecs(ROWS[0]));
    VectorSet base = open(write("toy_base.fvecs", fvecs(ROWS[0], new float[] {0, -0f, 0}))).base();

    assertThat(base.verify(Metric.DOT)).hasSize(64);
    assertThatThrownBy(() -> base.verify(Metric.COSINE))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("row 1");
  }

  @Test
  void hdf5IsReadWithItsMetricAndNeighbours() {
    Path file = folder.resolve("toy.hdf5");
    try (var hdf = HdfFile.write(file)) {
      hdf.putDataset("train", ROWS);
      hdf.putDataset("test", new float[][] {{1, 2, 3}});
      hdf.putDataset("neighbors", new int[][] {{0, 1}});
      hdf.putAttribute("distance", "angular");
    }

    Dataset dataset = open(file);

    assertRows(dataset.base(), ROWS);
    assertThat(dataset.metric()).isEqualTo(Metric.COSINE);
    assertThat(dataset.neighbors()).isDeepEqualTo(new int[][] {{0, 1}});
    assertThat(dataset.limit(2, 1).neighbors()).isNull();
  }

  @Test
  void hdf5CutAnywhereOrForeignIsRefused() throws IOException {
    Path file = folder.resolve("toy.hdf5");
    try (var hdf = HdfFile.write(file)) {
      hdf.putDataset("train", ROWS);
      hdf.putDataset("test", ROWS);
    }
    byte[] whole = Files.readAllBytes(file);
    for (int length = 0; length < whole.length; length += 7) {
      Files.write(file, Arrays.copyOf(whole, length));
      assertThatThrownBy(() -> open(file))
          .as("cut at byte %d", length)
          .isInstanceOf(InputException.class)
          .hasMessageContaining(file.toString())
          .hasMessageContaining(
              length < 48 ? "of its " + length + " bytes its superblock" : "cut off at byte")
          .hasMessageNotContaining("\n");
    }
  }

  @Test
  void damagedHdf5IsReadOrRefusedInOneLine() throws IOException {
    Path file = folder.resolve("toy.hdf5");
    try (var hdf = HdfFile.write(file)) {
      hdf.putDataset("train", ROWS);
      hdf.putDataset("test", ROWS);
      hdf.putAttribute("distance", "angular");
    }
    byte[] whole = Files.readAllBytes(file);
    int refused = 0;
    for (int at = 0; at < Math.min(whole.length, 2_000); at++) {
      byte[] damaged = whole.clone();
      damaged[at] ^= (byte) 0x81;
      Files.write(file, damaged);
      try {
        open(file);
      } catch (InputException plain) {
        refused++;
        assertThat(plain.getMessage()).as("byte %d", at).startsWith(file.toString());
        assertThat(plain.getMessage()).as("byte %d", at).doesNotContain("\n");
      }
    }
    assertThat(refused).isPositive();
  }

  @Test
  void hdf5WithoutTestIsRefused() {
    Path file = folder.resolve("toy.h5");
    try (var hdf = HdfFile.write(file)) {
      hdf.putDataset("train", ROWS);
    }

    assertThatThrownBy(() -> open(file))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("no dataset \"test\"");
  }

  @ParameterizedTest
  @ValueSource(strings = {"missing.fvecs", "missing.npy", "missing.hdf5", "some/missing"})
  void aMissingFileIsSaidToBeMissing(String name) {
    assertThatThrownBy(() -> open(folder.resolve(name)))
        .isInstanceOf(InputException.class)
        .hasMessageContaining("no such file");
  }

  @Test
  void theEmbeddedSetIsWhole() {
    Dataset dataset =
        Datasets.open(
            "embedded", arena, folder, new Progress(new PrintWriter(new StringWriter()), false));

    assertThat(dataset.base().rows()).isEqualTo(25_000);
    assertThat(dataset.queries().rows()).isEqualTo(1_000);
    assertThat(dataset.base().dimension()).isEqualTo(100);
    assertThat(dataset.baseNames()).hasSize(25_000).startsWith("the", ",", ".");
    assertThat(dataset.queryNames()).hasSize(1_000).doesNotContain("the");
    assertThat(dataset.base().verify(Metric.COSINE))
        .isNotEqualTo(dataset.queries().verify(Metric.COSINE));
  }

  @Test
  void aDrawIsTheSameEverywhere() {
    assertThat(SeededDraw.draw(5, 26_000)).containsExactly(18394, 2543, 16543, 6952, 17205);
    assertThat(SeededDraw.rest(new int[] {3, 0}, 5)).containsExactly(1, 2, 4);
  }
}
