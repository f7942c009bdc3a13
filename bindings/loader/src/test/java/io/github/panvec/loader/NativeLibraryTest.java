package io.github.panvec.loader;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.lang.foreign.SymbolLookup;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A library's name is used by one test only, because a JVM tries each name once. */
class NativeLibraryTest {
  @TempDir Path directory;

  private Path realLibrary() throws IOException {
    return Fixtures.write(directory.resolve("real.so"), Fixtures.realLibrary());
  }

  @Test
  void opensOnceAndGivesTheSameLibraryAgain() throws IOException {
    Path file = realLibrary();
    System.setProperty("panvec.once.path", file.toString());
    NativeLibrary first = NativeLibrary.open("once");
    System.setProperty("panvec.once.path", "/nowhere");
    assertThat(NativeLibrary.open("once")).isSameAs(first);
    assertThat(first.file()).isEqualTo(file);
    assertThat(first.lookup().find(Fixtures.SYMBOL)).isPresent();
    assertThat(first.lookup().find("no_such_symbol")).isEmpty();
  }

  @Test
  void aFailureIsRememberedWithItsReason() throws IOException {
    System.setProperty("panvec.failing.path", directory.resolve("gone.so").toString());
    NativeLoadException first =
        catchThrowableOfType(NativeLoadException.class, () -> NativeLibrary.open("failing"));
    System.setProperty("panvec.failing.path", realLibrary().toString());
    assertThatThrownBy(() -> NativeLibrary.open("failing"))
        .isInstanceOf(NativeLoadException.class)
        .hasMessage(first.getMessage());
  }

  @Test
  void aLookupOpensNothingUntilASymbolIsWanted() throws IOException {
    SymbolLookup lookup = NativeLibrary.lookup("lazy");
    System.setProperty("panvec.lazy.path", realLibrary().toString());
    assertThat(lookup.find(Fixtures.SYMBOL)).isPresent();
  }

  @Test
  void aMissingSymbolIsNamedWithItsFile() throws IOException {
    Path file = realLibrary();
    System.setProperty("panvec.incomplete.path", file.toString());
    assertThatThrownBy(() -> NativeLibrary.lookup("incomplete").find("panvec_gone"))
        .isInstanceOf(NativeLoadException.class)
        .hasMessageContaining("\"incomplete\" has no function panvec_gone")
        .hasMessageContaining(file.toString())
        .hasMessageContaining("another version of Panvec");
  }

  @Test
  void aNameThatIsNoNameIsRefused() {
    assertThatThrownBy(() -> NativeLibrary.open("../evil"))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void twoClassLoadersOpenTheSameFile() throws Exception {
    System.setProperty("panvec.shared.path", realLibrary().toString());
    URL classes = NativeLibrary.class.getProtectionDomain().getCodeSource().getLocation();
    List<Class<?>> seen = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      try (URLClassLoader own =
          new URLClassLoader(new URL[] {classes}, ClassLoader.getPlatformClassLoader())) {
        Class<?> type = own.loadClass(NativeLibrary.class.getName());
        seen.add(type);
        Object library = type.getMethod("open", String.class).invoke(null, "shared");
        SymbolLookup symbols = (SymbolLookup) type.getMethod("lookup").invoke(library);
        assertThat(symbols.find(Fixtures.SYMBOL)).isPresent();
      }
    }
    assertThat(seen).doesNotHaveDuplicates().doesNotContain(NativeLibrary.class);
  }

  @Test
  void deniedNativeAccessIsToldWithTheOptionThatGrantsIt() throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    // Java 22 and 23 deny all modules but those named; later ones have an option of its own.
    command.add(
        Runtime.version().feature() < 24
            ? "--enable-native-access=java.sql"
            : "--illegal-native-access=deny");
    command.addAll(
        List.of(
            "-cp", System.getProperty("java.class.path"), OpenAndPrint.class.getName(), "denied"));
    Process child = new ProcessBuilder(command).redirectErrorStream(true).start();
    String output = new String(child.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(child.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(output)
        .contains("This JVM does not let Panvec call native libraries")
        .contains("Start java with --enable-native-access=ALL-UNNAMED");
  }

  /** Opens the library of that name and prints why it could not. */
  static final class OpenAndPrint {
    public static void main(String[] arguments) {
      try {
        System.out.println(NativeLibrary.open(arguments[0]));
      } catch (NativeLoadException failed) {
        System.out.println(failed.getMessage());
      }
    }
  }
}
