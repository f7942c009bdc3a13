package io.github.panvec.bench.data;

import io.github.panvec.bench.InputException;
import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.concurrent.TimeUnit;
import java.util.zip.GZIPInputStream;

/**
 * A package of the npm registry, brought by the npm client.
 *
 * @param name its name
 * @param version its exact version
 * @param sha512 of its tarball, in hexadecimal
 */
record NpmPackage(String name, String version, String sha512) {
  private static final int BLOCK = 512;
  private static final long TIME_LIMIT_MINUTES = 15;

  /** Takes a file of the tarball; the stream ends where the file does. */
  interface EntryReader {
    void read(String path, InputStream content) throws IOException;
  }

  /**
   * Brings the tarball into {@code folder} unless it lies there, and checks it.
   *
   * @throws InputException when npm is missing or fails, or the tarball is another one than was
   *     pinned
   */
  Path fetch(Path folder) throws IOException {
    Path tarball = folder.resolve(name + "-" + version + ".tgz");
    if (!Files.exists(tarball)) {
      runNpm(folder);
    }
    String found = sha512(tarball);
    if (!found.equals(sha512)) {
      Files.delete(tarball);
      throw new InputException(
          "npm's "
              + name
              + " "
              + version
              + " has SHA-512 "
              + found.substring(0, 16)
              + "..., not "
              + sha512.substring(0, 16)
              + "... as pinned; the file was removed, try again");
    }
    return tarball;
  }

  private void runNpm(Path folder) throws IOException {
    Path log = Files.createTempFile(folder, "npm", ".log");
    try {
      Process npm =
          new ProcessBuilder("npm", "pack", "--silent", name + "@" + version)
              .directory(folder.toFile())
              .redirectErrorStream(true)
              .redirectOutput(log.toFile())
              .start();
      if (!npm.waitFor(TIME_LIMIT_MINUTES, TimeUnit.MINUTES)) {
        npm.destroyForcibly();
        throw new InputException(
            "npm pack "
                + name
                + "@"
                + version
                + " did not end within "
                + TIME_LIMIT_MINUTES
                + " minutes");
      }
      if (npm.exitValue() != 0) {
        String lastLine = Files.readString(log).strip().lines().reduce("", (before, line) -> line);
        throw new InputException("npm pack " + name + "@" + version + " failed: " + lastLine);
      }
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw new InputException("interrupted while npm was running", stopped);
    } catch (IOException missing) {
      throw new InputException(
          "this dataset comes through npm, which is not on the path; install it (Debian: apt-get install npm), "
              + "or put "
              + name
              + "-"
              + version
              + ".tgz into "
              + folder,
          missing);
    } finally {
      Files.deleteIfExists(log);
    }
  }

  private static String sha512(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      MessageDigest digest = MessageDigest.getInstance("SHA-512");
      try (DigestInputStream digesting = new DigestInputStream(in, digest)) {
        digesting.transferTo(OutputStream.nullOutputStream());
      }
      return HexFormat.of().formatHex(digest.digest());
    } catch (NoSuchAlgorithmException impossible) {
      throw new AssertionError(impossible);
    }
  }

  /** Reads a .tgz from start to end. */
  static void forEachFile(Path tarball, EntryReader reader) throws IOException {
    try (InputStream in =
        new BufferedInputStream(
            new GZIPInputStream(Files.newInputStream(tarball), 1 << 16), 1 << 16)) {
      byte[] header = new byte[BLOCK];
      while (in.readNBytes(header, 0, BLOCK) == BLOCK && header[0] != 0) {
        String path = text(header, 0, 100);
        long size = Long.parseLong(text(header, 124, 12).strip(), 8);
        Bounded content = new Bounded(in, size);
        if (header[156] == '0' || header[156] == 0) {
          reader.read(path, content);
        }
        content.skipRest();
        in.skipNBytes((BLOCK - size % BLOCK) % BLOCK);
      }
    }
  }

  private static String text(byte[] header, int at, int length) {
    String text = new String(header, at, length, StandardCharsets.UTF_8);
    int end = text.indexOf('\0');
    return end < 0 ? text : text.substring(0, end);
  }

  /** One file of the tarball; closing it leaves the tarball open. */
  private static final class Bounded extends InputStream {
    private final InputStream in;
    private long left;

    Bounded(InputStream in, long size) {
      this.in = in;
      this.left = size;
    }

    @Override
    public int read() throws IOException {
      byte[] one = new byte[1];
      return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] target, int at, int length) throws IOException {
      if (left == 0) {
        return -1;
      }
      int count = in.read(target, at, (int) Math.min(length, left));
      if (count < 0) {
        throw new EOFException("the tarball is cut off");
      }
      left -= count;
      return count;
    }

    void skipRest() throws IOException {
      in.skipNBytes(left);
      left = 0;
    }
  }
}
