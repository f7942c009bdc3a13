package io.github.panvec.loader;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SimdVariantTest {
  @TempDir Path directory;
  private Fixtures fixtures;

  @BeforeEach
  void setUp() {
    fixtures = new Fixtures(directory);
  }

  private Path nativeDirectory() throws IOException {
    Path folder = Files.createDirectories(directory.resolve("natives"));
    fixtures.properties.put("panvec.native.dir", folder.toString());
    return folder;
  }

  private static void allVariantsIn(Path folder) throws IOException {
    for (SimdLevel level : SimdLevel.values()) {
      Fixtures.write(
          folder.resolve(Fixtures.HERE.fileName(level.variantOf("fixture"))),
          Fixtures.realLibrary(level.ordinal()));
    }
  }

  private void allVariantsOnClassPath() throws IOException {
    for (SimdLevel level : SimdLevel.values()) {
      fixtures.onClassPath(level.variantOf("fixture"), Fixtures.realLibrary(level.ordinal()));
    }
  }

  private String opened() {
    return fixtures.loader("fixture").load().file().getFileName().toString();
  }

  private NativeLoadException failure() {
    return catchThrowableOfType(NativeLoadException.class, () -> fixtures.loader("fixture").load());
  }

  @ParameterizedTest(name = "a CPU of {0} with panvec.simd={1} gets {2}")
  @CsvSource({
    "BASELINE, , fixture",
    "AVX2, , fixture_avx2",
    "AVX512, , fixture_avx512",
    "AVX512, auto, fixture_avx512",
    "AVX512, avx512, fixture_avx512",
    "AVX512, avx2, fixture_avx2",
    "AVX512, baseline, fixture",
    "AVX2, avx512, fixture_avx2",
    "AVX2, baseline, fixture",
    "BASELINE, avx512, fixture",
    "AVX512, nonsense, fixture",
  })
  void everyPlaceGivesTheBestVariantThatTheCpuRunsAndTheSettingLeaves(
      SimdLevel cpu, String setting, String expected) throws IOException {
    fixtures.cpu = cpu;
    if (setting != null) {
      fixtures.properties.put("panvec.simd", setting);
    }
    String fileName = Fixtures.HERE.fileName(expected);
    allVariantsOnClassPath();
    assertThat(opened()).as("class path").isEqualTo(fileName);
    Path folder = nativeDirectory();
    allVariantsIn(folder.resolve(Fixtures.HERE.toString()));
    assertThat(opened()).as("directory by platform").isEqualTo(fileName);
    allVariantsIn(folder);
    assertThat(fixtures.loader("fixture").load().file())
        .as("directory")
        .isEqualTo(folder.resolve(fileName));
  }

  @Test
  void aCpuThatIsNotKnownGetsThePlainLibrary() throws IOException {
    fixtures.cpu = null;
    allVariantsOnClassPath();
    assertThat(opened()).isEqualTo(Fixtures.HERE.fileName("fixture"));
  }

  @Test
  void aLevelWithoutAVariantOfItsOwnGetsTheNextLower() throws IOException {
    fixtures.cpu = SimdLevel.AVX512;
    fixtures.onClassPath("fixture", Fixtures.realLibrary(0));
    fixtures.onClassPath("fixture_avx2", Fixtures.realLibrary(1));
    assertThat(opened()).isEqualTo(Fixtures.HERE.fileName("fixture_avx2"));
  }

  @Test
  void theCpuIsNotAskedAboutALibraryWithoutVariants() throws IOException {
    fixtures.onClassPath("fixture", Fixtures.realLibrary());
    assertThat(opened()).isEqualTo(Fixtures.HERE.fileName("fixture"));
    assertThat(fixtures.cpuQuestions).isZero();
  }

  @Test
  void aDirectoryWithNothingButAVariantForABetterCpuLeavesItToTheClassPath() throws IOException {
    Fixtures.write(
        nativeDirectory().resolve(Fixtures.HERE.fileName("fixture_avx512")),
        Fixtures.realLibrary(1));
    fixtures.cpu = SimdLevel.AVX2;
    fixtures.onClassPath("fixture", Fixtures.realLibrary());
    assertThat(fixtures.loader("fixture").load().file()).startsWith(fixtures.cacheRoot());
  }

  @Test
  void aNamedVariantThatTheCpuLacksIsRefused() throws IOException {
    Path file =
        Fixtures.write(
            directory.resolve(Fixtures.HERE.fileName("fixture_avx512")), Fixtures.realLibrary(1));
    fixtures.properties.put("panvec.fixture.path", file.toString());
    fixtures.cpu = SimdLevel.AVX2;
    assertThat(failure())
        .hasMessageContaining(
            file + " was built for AVX-512 (x86-64-v4), but this CPU runs no more")
        .hasMessageContaining("than AVX2 (x86-64-v3)")
        .hasMessageContaining("Use " + Fixtures.HERE.fileName("fixture_avx2"));
    fixtures.cpu = null;
    assertThat(failure()).hasMessageContaining("libpanvec_cpu could not be opened");
    fixtures.cpu = SimdLevel.AVX512;
    assertThat(opened()).isEqualTo(file.getFileName().toString());
  }

  @Test
  void aNamedVariantIsOpenedWhateverTheSettingLeaves() throws IOException {
    Path file =
        Fixtures.write(
            directory.resolve(Fixtures.HERE.fileName("fixture_avx2")), Fixtures.realLibrary(1));
    fixtures.properties.put("panvec.fixture.path", file.toString());
    fixtures.properties.put("panvec.simd", "baseline");
    fixtures.cpu = SimdLevel.AVX2;
    assertThat(opened()).isEqualTo(file.getFileName().toString());
  }

  @ParameterizedTest(name = "marked {0}: {1}")
  @CsvSource({"4, AVX2 (x86-64-v3)", "12, AVX-512 (x86-64-v4)", "15, AVX-512 (x86-64-v4)"})
  @EnabledOnOs(value = OS.LINUX, disabledReason = "the mark is of ELF files")
  void aFileWithoutALevelInItsNameIsRefusedByItsMark(int mark, String level) throws IOException {
    Path file = Fixtures.write(directory.resolve("renamed.so"), Fixtures.libraryMarkedFor(mark));
    fixtures.properties.put("panvec.fixture.path", file.toString());
    assertThat(failure())
        .hasMessageContaining("renamed.so was built for " + level)
        .hasMessageContaining("no more than the baseline")
        .hasMessageContaining("Use " + Fixtures.HERE.fileName("fixture"));
  }

  @ParameterizedTest(name = "marked {0}")
  @CsvSource({"4, AVX2", "8, AVX512", "3, BASELINE", "0, BASELINE"})
  @EnabledOnOs(value = OS.LINUX, disabledReason = "the mark is of ELF files")
  void theMarkOfAnElfFileIsReadAsItsLevel(int mark, SimdLevel level) throws IOException {
    Path file = Fixtures.write(directory.resolve("marked.so"), Fixtures.libraryMarkedFor(mark));
    assertThat(ElfFile.read(file).simdLevel()).isEqualTo(level);
  }

  @Test
  @EnabledOnOs(value = OS.LINUX, disabledReason = "the mark is of ELF files")
  void noteBytesThatMakeNoSenseAreNoLevelAndNoFailure() throws IOException {
    byte[] library = Fixtures.libraryMarkedFor(8);
    int note = library.length - 48;
    for (int at = 0; at < 28; at++) {
      for (int value : new int[] {0, 0x7f, 0x80, 0xff}) {
        byte[] damaged = library.clone();
        damaged[note + at] = (byte) value;
        Path file = Fixtures.write(directory.resolve("damaged.so"), damaged);
        assertThat(ElfFile.read(file)).as("byte %d = %d", at, value).isNotNull();
      }
    }
  }
}
