package io.github.panvec.loader;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What the first bytes of a file say about the platform it was built for.
 *
 * @param kind what the file is
 * @param text the same for people, for example {@code an ELF file for aarch64}
 * @param os {@code linux} or {@code macos}; empty when it is no library
 * @param arch {@code x86_64}, {@code aarch64}, or another one; empty when unknown or several
 */
record BinaryHeader(Kind kind, String text, String os, String arch) {

  /** Kinds of files. */
  enum Kind {
    /** A file of the Linux kind for one architecture. */
    ELF,
    /** A file of the macOS kind for one architecture. */
    MACH_O,
    /** A file of the macOS kind for several architectures. */
    UNIVERSAL,
    /** Anything else. */
    OTHER
  }

  private static final int HEADER_BYTES = 64;
  private static final int ELF_MAGIC = 0x7f454c46;
  private static final int ELF_CLASS_32 = 1;
  private static final int ELF_BIG_ENDIAN = 2;
  private static final int ELF_MACHINE_OFFSET = 18;
  private static final int MACH_O_64_MAGIC = 0xfeedfacf;
  private static final int UNIVERSAL_MAGIC = 0xcafebabe;

  static BinaryHeader read(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      return of(in.readNBytes(HEADER_BYTES));
    }
  }

  static BinaryHeader of(byte[] start) {
    if (start.length == 0) {
      return other("an empty file");
    }
    if (start.length < 20) {
      return other("no library: it is only " + start.length + " bytes long");
    }
    ByteBuffer header = ByteBuffer.wrap(start);
    int magic = header.getInt(0);
    if (magic == ELF_MAGIC) {
      return elf(header);
    }
    if (magic == UNIVERSAL_MAGIC) {
      return new BinaryHeader(Kind.UNIVERSAL, "a universal Mach-O file", "macos", "");
    }
    if (header.order(ByteOrder.LITTLE_ENDIAN).getInt(0) == MACH_O_64_MAGIC) {
      String arch =
          switch (header.getInt(4)) {
            case 0x01000007 -> "x86_64";
            case 0x0100000c -> "aarch64";
            default -> "CPU type " + header.getInt(4);
          };
      return new BinaryHeader(Kind.MACH_O, "a Mach-O file for " + arch, "macos", arch);
    }
    return other("no library: it begins with " + printable(start));
  }

  private static BinaryHeader elf(ByteBuffer header) {
    header.order(header.get(5) == ELF_BIG_ENDIAN ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN);
    int machine = header.getShort(ELF_MACHINE_OFFSET) & 0xffff;
    String arch =
        switch (machine) {
          case 3 -> "i386";
          case 40 -> "arm";
          case 62 -> header.get(4) == ELF_CLASS_32 ? "x32" : "x86_64";
          case 183 -> "aarch64";
          case 243 -> "riscv64";
          default -> "machine type " + machine;
        };
    return new BinaryHeader(Kind.ELF, "an ELF file for " + arch, "linux", arch);
  }

  private static BinaryHeader other(String text) {
    return new BinaryHeader(Kind.OTHER, text, "", "");
  }

  private static String printable(byte[] start) {
    StringBuilder text = new StringBuilder("\"");
    for (int i = 0; i < 12; i++) {
      int value = start[i] & 0xff;
      text.append(value >= ' ' && value < 0x7f ? (char) value : '.');
    }
    return text.append('"').toString();
  }

  /** Whether it is a library, but one that {@code platform} cannot run. */
  boolean isForeignTo(Platform platform) {
    return kind != Kind.OTHER
        && (!os.equals(platform.os()) || !arch.isEmpty() && !arch.equals(platform.arch()));
  }
}
