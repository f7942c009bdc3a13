package io.github.panvec.conformance;

import io.github.panvec.conformance.RecordedFiles.Change;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * A folder as a loss of power leaves it. Changes are what processes see; only a force makes them
 * last: of a file its content, of a directory which names it has. What was not forced is kept, lost
 * or kept in part.
 */
final class CutDisk {
  /** What becomes of what was not forced. */
  enum Loss {
    /** All is kept: the process was killed, the operating system was not. */
    NOTHING,
    /** All is lost. */
    ALL,
    /** Names are kept, content is lost. */
    CONTENT,
    /** Any part of each: some names without others; torn content. */
    ANY
  }

  /** A file: content on disk, and what was appended since; or a directory, without any. */
  private static final class Node {
    private final boolean directory;
    private byte[] durable = new byte[0];
    private final ByteArrayOutputStream pending = new ByteArrayOutputStream();

    Node(boolean directory) {
      this.directory = directory;
    }

    byte[] seen() {
      ByteArrayOutputStream all = new ByteArrayOutputStream();
      all.writeBytes(durable);
      all.writeBytes(pending.toByteArray());
      return all.toByteArray();
    }
  }

  private final Path root;

  /** Parents before what is in them. */
  private final Map<Path, Node> seen = new TreeMap<>();

  private final Map<Path, Node> durable = new TreeMap<>();

  /** What is under {@code root} now, all of it on disk for good. */
  CutDisk(Path root) throws IOException {
    this.root = root;
    try (Stream<Path> paths = Files.walk(root)) {
      for (Path path : paths.filter(path -> !path.equals(root)).toList()) {
        Node node = new Node(Files.isDirectory(path));
        if (!node.directory) {
          node.durable = Files.readAllBytes(path);
        }
        seen.put(path, node);
      }
    }
    durable.putAll(seen);
  }

  void apply(Change change) {
    Path path = change.path();
    switch (change.action()) {
      case LOCK:
        seen.putIfAbsent(path, new Node(false));
        break;
      case CREATE:
        seen.put(path, new Node(false));
        break;
      case CREATE_DIRECTORY:
        seen.put(path, new Node(true));
        break;
      case WRITE:
        seen.get(path).pending.writeBytes(change.data());
        break;
      case FORCE:
        Node forced = seen.get(path);
        forced.durable = forced.seen();
        forced.pending.reset();
        break;
      case FORCE_DIRECTORY:
        durable.keySet().removeIf(each -> path.equals(each.getParent()));
        seen.forEach(
            (each, node) -> {
              if (path.equals(each.getParent())) {
                durable.put(each, node);
              }
            });
        break;
      case RENAME:
        seen.put(change.target(), seen.remove(path));
        break;
      case DELETE:
        seen.remove(path);
        break;
    }
  }

  /** Writes to {@code target} what is there after the loss of power. */
  void leave(Path target, Loss loss, Random random) throws IOException {
    Files.createDirectories(target);
    Set<Path> names = new TreeSet<>(seen.keySet());
    names.addAll(durable.keySet());
    List<Path> missing = new ArrayList<>();
    for (Path name : names) {
      boolean kept =
          loss == Loss.NOTHING
              || loss == Loss.CONTENT
              || (loss == Loss.ANY && random.nextBoolean());
      Node node = (kept ? seen : durable).get(name);
      if (node == null || missing.contains(name.getParent())) {
        missing.add(name);
      } else if (node.directory) {
        Files.createDirectory(target.resolve(root.relativize(name)));
      } else {
        Files.write(target.resolve(root.relativize(name)), content(node, loss, random));
      }
    }
  }

  private static byte[] content(Node file, Loss loss, Random random) {
    int pending = file.pending.size();
    if (loss == Loss.NOTHING) {
      return file.seen();
    }
    if (loss != Loss.ANY || pending == 0) {
      return file.durable;
    }
    // Torn: any length, and blocks of it that never came to the disk.
    byte[] torn = Arrays.copyOf(file.seen(), file.durable.length + random.nextInt(pending + 1));
    for (int at = file.durable.length; at < torn.length; at += 512) {
      if (random.nextInt(4) == 0) {
        Arrays.fill(torn, at, Math.min(torn.length, at + 512), (byte) 0);
      }
    }
    return torn;
  }
}
