package io.github.panvec.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.Panvec;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The commands {@code import} and {@code export}. */
class ImportCommandsTest {
  @TempDir private Path folder;
  private Path snapshot;
  private Path file;
  private String out = "";
  private String err = "";

  @BeforeEach
  void names() {
    snapshot = folder.resolve("chunks.panvec");
    file = folder.resolve("chunks.bin");
  }

  private int run(Object... args) {
    StringWriter outText = new StringWriter();
    StringWriter errText = new StringWriter();
    int status =
        Main.run(
            new PrintWriter(outText),
            new PrintWriter(errText),
            false,
            Arrays.stream(args).map(Object::toString).toArray(String[]::new));
    out = outText.toString();
    err = errText.toString();
    return status;
  }

  /** 300 vectors x 4 in text, ids from 0 on. */
  private void build(String backend) throws IOException {
    List<String> ids = new ArrayList<>();
    for (int row = 0; row < 300; row++) {
      ids.add(Integer.toString(7 * row));
    }
    Path rows = folder.resolve("rows.fvecs");
    ByteBuffer bytes = ByteBuffer.allocate(300 * 20).order(ByteOrder.LITTLE_ENDIAN);
    for (int row = 0; row < 300; row++) {
      bytes.putInt(4).putFloat(row).putFloat(1).putFloat(row % 7).putFloat(row % 11);
    }
    Files.write(rows, bytes.array());
    Files.write(folder.resolve("ids.txt"), ids);
    int status =
        run(
            "build",
            "--backend",
            backend,
            "--metric",
            "l2",
            "--input",
            rows,
            "--ids",
            folder.resolve("ids.txt"),
            "--out",
            snapshot);
    assertThat(status).as(err).isZero();
  }

  private String complaint() {
    List<String> lines = err.lines().filter(line -> line.startsWith("panvec: ")).toList();
    assertThat(lines).as(err).hasSize(1);
    assertThat(err).doesNotContain("\tat ");
    return lines.get(0);
  }

  @ParameterizedTest
  @CsvSource({"import, imprt", "export, exprt"})
  void eachHasHelpAndIsWhatAMisspeltOneIsTakenFor(String command, String misspelt) {
    assertThat(run(command, "--help")).isZero();
    assertThat(out).startsWith("Usage: panvec " + command);
    assertThat(run(misspelt)).isEqualTo(2);
    assertThat(err).contains("Did you mean " + command);
  }

  @ParameterizedTest
  @ValueSource(strings = {"hnswlib", "usearch", "faiss", "sqlite-vec"})
  void whatIsExportedIsImportedAgain(String backend) throws IOException {
    build(backend);
    assertThat(run("export", snapshot, "--out", file)).as(err).isZero();
    assertThat(out).startsWith(file + ": 300 vectors of " + backend);
    Path again = folder.resolve("again");
    assertThat(
            run("import", "--backend", backend, "--metric", "l2", "--input", file, "--out", again))
        .as(err)
        .isZero();
    assertThat(out).startsWith(again + ": generation 1, " + backend).contains("imported in ");
    assertThat(run("verify", again)).as(err).isZero();
    try (var index = Panvec.open(again)) {
      assertThat(index.ids()).hasSize(300).endsWith(7 * 299);
    }
  }

  @Test
  void nothingIsReplacedUnlessAskedFor() throws IOException {
    build("hnswlib");
    Files.writeString(file, "mine");
    assertThat(run("export", snapshot, "--out", file)).isEqualTo(2);
    assertThat(complaint()).contains(file + " exists already");
    assertThat(file).hasContent("mine");
    assertThat(run("export", snapshot, "--out", file, "--force")).as(err).isZero();
    assertThat(
            run(
                "import",
                "--backend",
                "hnswlib",
                "--metric",
                "l2",
                "--input",
                file,
                "--out",
                snapshot))
        .isEqualTo(2);
    assertThat(complaint()).contains(snapshot + " exists already");
    assertThat(Panvec.describe(snapshot).generation()).isEqualTo(1);
  }

  @ParameterizedTest
  @CsvSource({
    "--backend faiss --metric l2, it is no index of FAISS's",
    "--backend hnswlib --metric l2 --dimension 5, 'its vectors have 4 components, not 5'",
    "--backend hnswlib --metric l2 --set m=8, --set needs --dimension",
    "--backend hnswlib --metric l2 --dimension 4 --set m=31, 'its m is 16, not 31'",
    "--backend hnswlib --metric manhattan, manhattan",
    "--backend nobody --metric l2, nobody",
    "--backend hnswlib --metric cosine, has length"
  })
  void whatIsOfAnotherKindIsWrongInput(String options, String message) throws IOException {
    build("hnswlib");
    assertThat(run("export", snapshot, "--out", file)).as(err).isZero();
    Path made = folder.resolve("made");
    List<Object> args = new ArrayList<>(List.of("import", "--input", file, "--out", made));
    args.addAll(List.of(options.split(" ")));
    assertThat(run(args.toArray())).isEqualTo(2);
    assertThat(complaint()).contains(message);
    assertThat(made).doesNotExist();
  }

  @Test
  void aDamagedFileIsNamedAndExitsWithOne() throws IOException {
    build("hnswlib");
    assertThat(run("export", snapshot, "--out", file)).as(err).isZero();
    byte[] bytes = Files.readAllBytes(file);
    bytes[96 + 4 + 3] = 0x40;
    Files.write(file, bytes);
    Path made = folder.resolve("made");
    assertThat(
            run("import", "--backend", "hnswlib", "--metric", "l2", "--input", file, "--out", made))
        .isEqualTo(1);
    assertThat(complaint()).contains(file + ": has a link to ");
    assertThat(made).doesNotExist();
  }

  @Test
  void aFileOrSnapshotThatIsNotThereIsWrongInput() throws IOException {
    assertThat(run("export", snapshot, "--out", file)).isEqualTo(2);
    assertThat(complaint()).contains(snapshot + " does not exist");
    assertThat(
            run(
                "import",
                "--backend",
                "hnswlib",
                "--metric",
                "l2",
                "--input",
                file,
                "--out",
                snapshot))
        .isEqualTo(2);
    assertThat(complaint()).contains(file + " does not exist");
  }
}
