package io.github.panvec.loader;

import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;

/** Libraries to open, and a loader whose settings and class path are given by the test. */
final class Fixtures {
  /** A function of {@link #realLibrary}. */
  static final String SYMBOL = "JIMAGE_FindResource";

  static final Platform HERE = Platform.current();
  static final DynamicLinker LINKER = new DynamicLinker(HERE);

  final Map<String, String> properties = new HashMap<>();
  final Map<String, String> environment = new HashMap<>();
  private final Path classPath;

  /**
   * @param directory empty; holds class path and cache
   */
  Fixtures(Path directory) {
    classPath = directory.resolve("classpath");
    properties.put("panvec.cache", directory.resolve("cache").toString());
  }

  /**
   * A real shared library that every JDK has and that needs nothing but the C library: its reader
   * of module images.
   */
  static byte[] realLibrary() throws IOException {
    return Files.readAllBytes(
        Path.of(System.getProperty("java.home"), "lib", System.mapLibraryName("jimage")));
  }

  /** The real library, but said to be for another CPU. */
  static byte[] libraryForAnotherCpu() throws IOException {
    byte[] library = realLibrary();
    boolean arm = HERE.arch().equals("aarch64");
    // The low byte of e_machine in an ELF header, of cputype in a Mach-O header.
    library[HERE.isMac() ? 4 : 18] = (byte) (HERE.isMac() ? (arm ? 0x07 : 0x0c) : (arm ? 62 : 183));
    return library;
  }

  static String otherArch() {
    return HERE.arch().equals("aarch64") ? "x86_64" : "aarch64";
  }

  static String sha256(byte[] content) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
    } catch (GeneralSecurityException impossible) {
      throw new AssertionError(impossible);
    }
  }

  /** Puts a library on the class path, with the checksum that belongs to it. */
  void onClassPath(String library, byte[] content) throws IOException {
    onClassPath(library, content, sha256(content) + "  " + HERE.fileName(library) + "\n");
  }

  void onClassPath(String library, byte[] content, String checksum) throws IOException {
    Path file = classPath.resolve(HERE.resource(library));
    write(file, content);
    Files.writeString(file.resolveSibling(file.getFileName() + ".sha256"), checksum);
  }

  Path cacheRoot() {
    return Path.of(properties.get("panvec.cache"));
  }

  LibraryLoader loader(String library) {
    return new LibraryLoader(
        library, HERE, LINKER, properties::get, environment::get, this::resource);
  }

  private URL resource(String name) {
    Path file = classPath.resolve(name);
    try {
      return Files.exists(file) ? file.toUri().toURL() : null;
    } catch (MalformedURLException impossible) {
      throw new AssertionError(impossible);
    }
  }

  static Path write(Path file, byte[] content) throws IOException {
    Files.createDirectories(file.getParent());
    return Files.write(file, content);
  }
}
