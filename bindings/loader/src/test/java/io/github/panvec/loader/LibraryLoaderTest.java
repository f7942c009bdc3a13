package io.github.panvec.loader;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class LibraryLoaderTest {
  private static final byte[] GARBAGE =
      "this is not a library at all, only some text".getBytes(US_ASCII);

  @TempDir Path directory;
  private Fixtures fixtures;

  @BeforeEach
  void setUp() {
    fixtures = new Fixtures(directory);
  }

  private NativeLoadException failureOf(String library) {
    return catchThrowableOfType(NativeLoadException.class, () -> fixtures.loader(library).load());
  }

  private Path nativeDirectory() throws IOException {
    Path folder = Files.createDirectories(directory.resolve("natives"));
    fixtures.properties.put("panvec.native.dir", folder.toString());
    return folder;
  }

  /** What dlopen itself says about the file. */
  private static String linkerWords(Path file) throws IOException {
    try {
      Fixtures.LINKER.open(file);
      throw new AssertionError(file + " was opened");
    } catch (DynamicLinker.LinkerException refused) {
      return refused.getMessage();
    }
  }

  @Test
  void opensTheFileThatThePropertyNames() throws IOException {
    Path file = Fixtures.write(directory.resolve("any name.bin"), Fixtures.realLibrary());
    fixtures.properties.put("panvec.fixture.path", file.toString());
    LibraryLoader.Opened opened = fixtures.loader("fixture").load();
    assertThat(opened.file()).isEqualTo(file);
    assertThat(Fixtures.LINKER.find(opened.handle(), Fixtures.SYMBOL)).isNotNull();
    assertThat(Fixtures.LINKER.find(opened.handle(), "no_such_symbol")).isNull();
  }

  @Test
  void aNamedFileThatIsMissingIsNotReplacedByAnother() throws IOException {
    fixtures.onClassPath("fixture", Fixtures.realLibrary());
    fixtures.properties.put("panvec.fixture.path", directory.resolve("gone.so").toString());
    assertThat(failureOf("fixture"))
        .hasMessageContaining("property panvec.fixture.path")
        .hasMessageContaining("gone.so does not exist")
        .hasMessageNotContaining("class path");
  }

  @Test
  void garbageIsReportedInTheLinkersWordsWithARemedy() throws IOException {
    Path file = Fixtures.write(directory.resolve("garbage.so"), GARBAGE);
    fixtures.properties.put("panvec.fixture.path", file.toString());
    assertThat(failureOf("fixture"))
        .hasMessageContaining(linkerWords(file))
        .hasMessageContaining("no library: it begins with \"this is not \"")
        .hasMessageContaining(Fixtures.HERE.toString());
  }

  @Test
  void anEmptyFileIsReportedAsEmpty() throws IOException {
    Path file = Fixtures.write(directory.resolve("empty.so"), new byte[0]);
    fixtures.properties.put("panvec.fixture.path", file.toString());
    assertThat(failureOf("fixture"))
        .hasMessageContaining(linkerWords(file))
        .hasMessageContaining("an empty file");
  }

  @Test
  @EnabledOnOs(value = OS.LINUX, disabledReason = "the linker of macOS checks this itself")
  void aLibraryThatWasCutOffIsRefusedBeforeTheLinkerMapsIt() throws IOException {
    byte[] library = Fixtures.realLibrary();
    for (int length : new int[] {64, 200, library.length / 4, library.length / 2}) {
      Path file = Fixtures.write(directory.resolve("cut.so"), Arrays.copyOf(library, length));
      fixtures.properties.put("panvec.fixture.path", file.toString());
      assertThat(failureOf("fixture"))
          .hasMessageContaining("cut.so is cut off: it has " + length + " of at least ");
    }
  }

  @Test
  void aDirectoryThatDoesNotExistIsReported() throws IOException {
    fixtures.onClassPath("fixture", Fixtures.realLibrary());
    fixtures.environment.put("PANVEC_NATIVE_DIR", directory.resolve("gone").toString());
    assertThat(failureOf("fixture"))
        .hasMessageContaining("environment variable PANVEC_NATIVE_DIR")
        .hasMessageContaining("gone is no directory");
  }

  @Test
  void aLibraryForAnotherCpuIsNamedAsSuch() throws IOException {
    Path file = Fixtures.write(directory.resolve("foreign.so"), Fixtures.libraryForAnotherCpu());
    fixtures.properties.put("panvec.fixture.path", file.toString());
    assertThat(failureOf("fixture"))
        .hasMessageContaining(linkerWords(file))
        .hasMessageContaining(
            "file for " + Fixtures.otherArch() + ", but this JVM runs on " + Fixtures.HERE);
  }

  @Test
  void aDirectoryHoldsLibrariesDirectlyOrByPlatformAndDirectlyWins() throws IOException {
    Path folder = nativeDirectory();
    String fileName = Fixtures.HERE.fileName("fixture");
    Path byPlatform =
        Fixtures.write(
            folder.resolve(Fixtures.HERE.toString()).resolve(fileName), Fixtures.realLibrary());
    assertThat(fixtures.loader("fixture").load().file()).isEqualTo(byPlatform);
    Path direct = Fixtures.write(folder.resolve(fileName), Fixtures.realLibrary());
    assertThat(fixtures.loader("fixture").load().file()).isEqualTo(direct);
  }

  @Test
  void thePropertyForTheDirectoryWinsOverTheEnvironment() throws IOException {
    String fileName = Fixtures.HERE.fileName("fixture");
    Path fromEnvironment =
        Fixtures.write(directory.resolve("env").resolve(fileName), Fixtures.realLibrary());
    fixtures.environment.put("PANVEC_NATIVE_DIR", fromEnvironment.getParent().toString());
    assertThat(fixtures.loader("fixture").load().file()).isEqualTo(fromEnvironment);
    Path fromProperty = Fixtures.write(nativeDirectory().resolve(fileName), Fixtures.realLibrary());
    assertThat(fixtures.loader("fixture").load().file()).isEqualTo(fromProperty);
  }

  @Test
  void aDirectoryWithoutTheLibraryLeavesItToTheClassPath() throws IOException {
    nativeDirectory();
    fixtures.onClassPath("fixture", Fixtures.realLibrary());
    assertThat(fixtures.loader("fixture").load().file()).startsWith(fixtures.cacheRoot());
  }

  @Test
  void garbageInTheDirectoryIsNotReplacedFromTheClassPath() throws IOException {
    Path file =
        Fixtures.write(nativeDirectory().resolve(Fixtures.HERE.fileName("fixture")), GARBAGE);
    fixtures.onClassPath("fixture", Fixtures.realLibrary());
    assertThat(failureOf("fixture"))
        .hasMessageContaining(linkerWords(file))
        .hasMessageContaining("panvec.native.dir");
  }

  @Test
  void everyPlaceThatHasNothingIsListed() throws IOException {
    nativeDirectory();
    assertThat(failureOf("fixture"))
        .hasMessageContaining("tried property panvec.native.dir: neither ")
        .hasMessageContaining("tried class path: no resource " + Fixtures.HERE.resource("fixture"))
        .hasMessageContaining("panvec-natives");
  }

  @Test
  void aResourceIsCopiedToAPrivateFolderNamedAfterItsContent() throws IOException {
    byte[] library = Fixtures.realLibrary();
    fixtures.onClassPath("fixture", library);
    Path file = fixtures.loader("fixture").load().file();
    assertThat(file)
        .isEqualTo(
            fixtures
                .cacheRoot()
                .resolve("natives")
                .resolve(Fixtures.sha256(library))
                .resolve(Fixtures.HERE.fileName("fixture")))
        .hasBinaryContent(library);
    for (Path folder = file.getParent();
        folder.startsWith(fixtures.cacheRoot());
        folder = folder.getParent()) {
      assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(folder)))
          .as("%s", folder)
          .isEqualTo("rwx------");
    }
  }

  @Test
  void aResourceThatDiffersFromItsChecksumIsRefusedAndLeavesNothingBehind() throws IOException {
    String recorded = Fixtures.sha256(Fixtures.realLibrary());
    byte[] changed = Fixtures.realLibrary();
    changed[changed.length / 2] ^= 1;
    fixtures.onClassPath("fixture", changed, recorded);
    assertThat(failureOf("fixture"))
        .hasMessageContaining(recorded)
        .hasMessageContaining(Fixtures.sha256(changed))
        .hasMessageContaining("damaged");
    assertThat(filesIn(fixtures.cacheRoot())).isEmpty();
  }

  @Test
  void garbageAsAResourceIsAlsoReportedInTheLinkersWords() throws IOException {
    fixtures.onClassPath("fixture", GARBAGE, Fixtures.sha256(Fixtures.realLibrary()));
    String words = linkerWords(Fixtures.write(directory.resolve("garbage.so"), GARBAGE));
    assertThat(failureOf("fixture"))
        .hasMessageContaining("it begins with \"this is not \"")
        .hasMessageContaining(words.substring(words.lastIndexOf(':')));
    assertThat(filesIn(fixtures.cacheRoot())).isEmpty();
  }

  @Test
  void aResourceWithoutAUsableChecksumIsRefused() throws IOException {
    fixtures.onClassPath("fixture", Fixtures.realLibrary(), "../../../tmp/x");
    assertThat(failureOf("fixture")).hasMessageContaining("does not begin with a SHA-256");
    assertThat(fixtures.cacheRoot()).doesNotExist();
  }

  @Test
  void aDamagedCopyIsReplacedAtTheNextLoad() throws IOException {
    byte[] library = Fixtures.realLibrary();
    fixtures.onClassPath("fixture", library);
    Path file = fixtures.loader("fixture").load().file();
    // Moved over, as another program would: writing into a file that is open would change the open
    // library.
    Files.move(
        Files.write(directory.resolve("damaged"), GARBAGE),
        file,
        StandardCopyOption.REPLACE_EXISTING);
    fixtures.loader("fixture").load();
    assertThat(file).hasBinaryContent(library);
    assertThat(filesIn(file.getParent())).containsExactly(file);
  }

  @Test
  void aCacheThatOthersMayWriteToIsClosedToThem() throws IOException {
    fixtures.onClassPath("fixture", Fixtures.realLibrary());
    Files.createDirectory(fixtures.cacheRoot());
    Files.setPosixFilePermissions(
        fixtures.cacheRoot(), PosixFilePermissions.fromString("rwxrwxrwx"));
    fixtures.loader("fixture").load();
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(fixtures.cacheRoot())))
        .isEqualTo("rwxr-xr-x");
  }

  @Test
  void aCacheThatCannotBeCreatedIsReportedWithTheSettingThatMovesIt() throws IOException {
    fixtures.onClassPath("fixture", Fixtures.realLibrary());
    fixtures.properties.put(
        "panvec.cache",
        Files.write(directory.resolve("file"), GARBAGE).resolve("cache").toString());
    assertThat(failureOf("fixture"))
        .hasMessageContaining("could not be copied to")
        .hasMessageContaining("-Dpanvec.cache=DIR");
  }

  @Test
  void eightThreadsExtractAtOnceAndAllGetTheWholeFile() throws Exception {
    byte[] library = Fixtures.realLibrary();
    fixtures.onClassPath("fixture", library);
    int threads = 8;
    for (int round = 0; round < 20; round++) {
      fixtures.properties.put("panvec.cache", directory.resolve("cache" + round).toString());
      CyclicBarrier together = new CyclicBarrier(threads);
      Set<Path> files = new HashSet<>();
      try (ExecutorService pool = Executors.newFixedThreadPool(threads)) {
        List<Future<Path>> opened = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
          opened.add(
              pool.submit(
                  () -> {
                    together.await();
                    return fixtures.loader("fixture").load().file();
                  }));
        }
        for (Future<Path> file : opened) {
          files.add(file.get());
        }
      }
      assertThat(files).hasSize(1).allSatisfy(file -> assertThat(file).hasBinaryContent(library));
      assertThat(filesIn(fixtures.cacheRoot())).hasSize(1);
    }
  }

  @Test
  void aPlatformWithoutLibrariesIsToldPlainly() {
    Platform windows = Platform.of("Windows 11", "amd64");
    LibraryLoader loader =
        new LibraryLoader(
            "fixture",
            windows,
            Fixtures.LINKER,
            name -> null,
            name -> null,
            name -> null,
            () -> SimdLevel.BASELINE);
    assertThatThrownBy(loader::load)
        .isInstanceOf(NativeLoadException.class)
        .hasMessageContaining("run on Linux and macOS")
        .hasMessageContaining("windows 11-x86_64");
  }

  @Test
  void aLibraryThatNeedsAMissingOneNamesIt() throws IOException {
    assumeFalse(Fixtures.HERE.isMac(), "edits the needed names of an ELF file");
    byte[] library = Fixtures.realLibrary();
    // Same length, so that the string table stays as it is.
    int at = indexOf(library, "libc.so.6\0");
    System.arraycopy("libX.so.6".getBytes(US_ASCII), 0, library, at, 9);
    Path file = Fixtures.write(directory.resolve("needy.so"), library);
    fixtures.properties.put("panvec.fixture.path", file.toString());
    assertThat(failureOf("fixture"))
        .hasMessageContaining("libX.so.6")
        .hasMessageContaining("install the package");
  }

  @Test
  void aLibraryOfANewerGlibcIsToldFromOtherFailures() throws IOException {
    assumeFalse(Fixtures.HERE.isMac(), "macOS has no glibc");
    byte[] library = Fixtures.realLibrary();
    int at = indexOf(library, "GLIBC_2.");
    int end = at;
    while (library[end] != 0) {
      end++;
    }
    // The version is compared by name and by the ELF hash stored beside it, so both are changed.
    int oldHash = elfHash(library, at, end);
    library[end - 1] = (byte) (library[end - 1] == '9' ? '8' : '9');
    library[at + 6] = '9';
    replaceInt(library, oldHash, elfHash(library, at, end));
    Path file = Fixtures.write(directory.resolve("newer.so"), library);
    fixtures.properties.put("panvec.fixture.path", file.toString());
    assertThat(failureOf("fixture"))
        .hasMessageContaining("version `GLIBC_9.")
        .hasMessageContaining("built on a newer Linux");
  }

  private static List<Path> filesIn(Path root) throws IOException {
    try (Stream<Path> all = Files.walk(root)) {
      return all.filter(Files::isRegularFile).toList();
    }
  }

  private static int indexOf(byte[] bytes, String text) {
    int at = new String(bytes, StandardCharsets.ISO_8859_1).indexOf(text);
    assertThat(at).as(text).isPositive();
    return at;
  }

  private static int elfHash(byte[] bytes, int from, int to) {
    int hash = 0;
    for (int i = from; i < to; i++) {
      hash = (hash << 4) + (bytes[i] & 0xff);
      int high = hash & 0xf0000000;
      hash ^= high >>> 24;
      hash &= ~high;
    }
    return hash;
  }

  private static void replaceInt(byte[] bytes, int from, int to) {
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    for (int at = 0; at + 4 <= bytes.length; at += 4) {
      if (buffer.getInt(at) == from) {
        buffer.putInt(at, to);
      }
    }
  }
}
