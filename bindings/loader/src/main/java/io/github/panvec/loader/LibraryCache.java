package io.github.panvec.loader;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URL;
import java.net.URLConnection;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.Set;

/**
 * Copies libraries from the class path to files whose folder is named after their content, so that
 * any number of processes and versions share one directory without locks. Only the current user may
 * write there.
 */
final class LibraryCache {
  private static final Set<PosixFilePermission> PRIVATE =
      PosixFilePermissions.fromString("rwx------");
  private static final Set<PosixFilePermission> OF_OTHERS =
      Set.of(PosixFilePermission.GROUP_WRITE, PosixFilePermission.OTHERS_WRITE);

  private final Path root;
  private final DynamicLinker linker;

  /**
   * @param root the directory of all of Panvec's caches; created when it is needed
   */
  LibraryCache(Path root, DynamicLinker linker) {
    this.root = root;
    this.linker = linker;
  }

  Path root() {
    return root;
  }

  /** The resource is not the one that its checksum was made of. */
  static final class ChecksumException extends IOException {
    private static final long serialVersionUID = 1L;

    ChecksumException(String message) {
      super(message);
    }
  }

  /**
   * The file with the resource's content, verified now, and copied there first when it is missing
   * or damaged.
   *
   * @param checksum a resource whose first word is the SHA-256 of {@code resource} in hexadecimal
   */
  Path extract(URL resource, URL checksum, String fileName) throws IOException {
    String sha256 = readChecksum(checksum);
    Path folder = root.resolve("natives").resolve(sha256);
    Path file = folder.resolve(fileName);
    createPrivate(root);
    createPrivate(root.resolve("natives"));
    createPrivate(folder);
    if (!holds(file, sha256)) {
      replace(file, resource, sha256);
    }
    return file;
  }

  private static String readChecksum(URL checksum) throws IOException {
    String text;
    try (InputStream in = open(checksum)) {
      text = new String(in.readNBytes(1024), StandardCharsets.US_ASCII).strip();
    }
    String first = text.split("\\s", 2)[0];
    if (!first.matches("[0-9a-f]{64}")) {
      throw new ChecksumException(
          checksum + " does not begin with a SHA-256 of 64 hexadecimal digits");
    }
    return first;
  }

  /**
   * A jar that is replaced while the JVM runs must not be read through a cached, older file handle.
   */
  private static InputStream open(URL resource) throws IOException {
    URLConnection connection = resource.openConnection();
    connection.setUseCaches(false);
    return connection.getInputStream();
  }

  /**
   * A directory that somebody else could write to would let them swap the file after it was
   * verified.
   */
  private static void createPrivate(Path directory) throws IOException {
    if (!Files.isDirectory(directory)) {
      if (directory.getParent() != null) {
        Files.createDirectories(directory.getParent());
      }
      try {
        Files.createDirectory(directory, PosixFilePermissions.asFileAttribute(PRIVATE));
      } catch (FileAlreadyExistsException raced) {
        if (!Files.isDirectory(directory)) {
          throw raced;
        }
      }
    }
    Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(directory);
    if (permissions.removeAll(OF_OTHERS)) {
      // Shells with umask 002 make such directories; only their owner may do this.
      Files.setPosixFilePermissions(directory, permissions);
    }
  }

  private static boolean holds(Path file, String sha256) throws IOException {
    if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      return false;
    }
    try (InputStream in = Files.newInputStream(file)) {
      return copy(in, OutputStream.nullOutputStream()).equals(sha256);
    }
  }

  /**
   * Writes beside, verifies, and moves over atomically: nobody ever sees half a file, and a JVM
   * that has the old one open keeps it.
   */
  private void replace(Path file, URL resource, String sha256) throws IOException {
    Path temporary = Files.createTempFile(file.getParent(), file.getFileName().toString(), ".part");
    try {
      String copied;
      try (InputStream in = open(resource);
          OutputStream out = Files.newOutputStream(temporary)) {
        copied = copy(in, out);
      }
      if (!copied.equals(sha256)) {
        throw new ChecksumException(
            resource
                + " is damaged: it is "
                + BinaryHeader.read(temporary).text()
                + " with SHA-256 "
                + copied
                + ", but "
                + sha256
                + " was recorded when it was built."
                + linker.wordsAbout(temporary));
      }
      try (FileChannel channel = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
        channel.force(true);
      }
      Files.move(
          temporary, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  /** Copies and returns the SHA-256. */
  private static String copy(InputStream in, OutputStream out) throws IOException {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new AssertionError("every JVM has SHA-256", impossible);
    }
    new DigestInputStream(in, digest).transferTo(out);
    return HexFormat.of().formatHex(digest.digest());
  }
}
