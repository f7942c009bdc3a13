package io.github.panvec.loader;

import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
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

  /** What the CPU is said to run; null when it is not known. */
  SimdLevel cpu = SimdLevel.BASELINE;

  /** How often a loader asked for it. */
  int cpuQuestions;

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
        library,
        HERE,
        LINKER,
        properties::get,
        environment::get,
        this::resource,
        () -> {
          cpuQuestions++;
          return cpu;
        });
  }

  /** The real library with other bytes, so that each one opened is a file of its own. */
  static byte[] realLibrary(int difference) throws IOException {
    byte[] library = Arrays.copyOf(realLibrary(), realLibrary().length + 1);
    library[library.length - 1] = (byte) difference;
    return library;
  }

  /**
   * The real library, an ELF file, marked for a level as {@code ld -z x86-64-v3} marks it. It has
   * no room for one more segment, so that of its stack gives way: not to be opened.
   *
   * @param needed the bits of GNU_PROPERTY_X86_ISA_1_NEEDED
   */
  static byte[] libraryMarkedFor(int needed) throws IOException {
    byte[] library = realLibrary();
    ByteBuffer note = ByteBuffer.allocate(48).order(ByteOrder.LITTLE_ENDIAN);
    note.putInt(4).putInt(32).putInt(5).put("GNU\0".getBytes(StandardCharsets.US_ASCII));
    // Another property first, as compilers write it: indirect branch tracking.
    note.putInt(0xc0000002).putInt(4).putInt(3).putInt(0);
    note.putInt(0xc0008002).putInt(4).putInt(needed).putInt(0);
    byte[] marked = Arrays.copyOf(library, library.length + note.capacity());
    note.flip().get(marked, library.length, note.capacity());
    ByteBuffer file = ByteBuffer.wrap(marked).order(ByteOrder.LITTLE_ENDIAN);
    int table = (int) file.getLong(32);
    for (int i = 0; i < file.getShort(56); i++) {
      int segment = table + i * file.getShort(54);
      if (file.getInt(segment) == 0x6474e553) {
        file.putInt(segment, 0);
      }
      if (file.getInt(segment) == 0x6474e551) {
        file.putInt(segment, 0x6474e553);
        file.putLong(segment + 8, library.length);
        file.putLong(segment + 32, note.capacity());
        return marked;
      }
    }
    throw new AssertionError("no segment to give up");
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
