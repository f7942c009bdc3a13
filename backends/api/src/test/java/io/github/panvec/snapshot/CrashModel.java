package io.github.panvec.snapshot;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A file system as a loss of power leaves it. Steps change what processes see; only forcing makes
 * it last: {@code FORCE} a file's content, {@code FORCE_DIRECTORY} which names a directory has.
 * Everything else is kept, dropped, or kept in part.
 */
final class CrashModel {

  /** What becomes of what was not forced. */
  enum Loss {
    /** All is kept: the process was killed, the operating system was not. */
    NOTHING,
    /** All is lost. */
    ALL,
    /** Names are kept, content is lost. */
    CONTENT,
    /** Content is kept, names are lost. */
    NAMES,
    /** All is lost but the last change of each directory's names. */
    ALL_BUT_THE_LAST_NAME,
    /** Any part of each: some changes of names without earlier ones; torn content. */
    ANY
  }

  /** A file: content on disk, and what was appended since. */
  private static final class FileNode {
    private byte[] durable = new byte[0];
    private final ByteArrayOutputStream pending = new ByteArrayOutputStream();
  }

  /** A directory: names on disk, names as processes see them, and changes since. */
  private static final class DirectoryNode {
    private final Map<String, Object> durable = new TreeMap<>();
    private final Map<String, Object> seen = new TreeMap<>();
    private final List<Change> pending = new ArrayList<>();

    void change(Change change) {
      change.apply(seen);
      pending.add(change);
    }
  }

  /** A name that goes, and one that comes. */
  private record Change(@Nullable String gone, @Nullable String name, @Nullable Object node) {
    void apply(Map<String, Object> names) {
      if (gone != null) {
        names.remove(gone);
      }
      if (name != null && node != null) {
        names.put(name, node);
      }
    }
  }

  private final Path root;
  private final DirectoryNode top = new DirectoryNode();

  /** What is under {@code root} now, all of it on disk for good. */
  CrashModel(Path root) throws IOException {
    this.root = root;
    load(root, top);
  }

  private static void load(Path folder, DirectoryNode into) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      for (Path entry : entries.toList()) {
        Object node;
        if (Files.isDirectory(entry)) {
          DirectoryNode directory = new DirectoryNode();
          load(entry, directory);
          node = directory;
        } else {
          FileNode file = new FileNode();
          file.durable = Files.readAllBytes(entry);
          node = file;
        }
        into.durable.put(entry.getFileName().toString(), node);
      }
    }
    into.seen.putAll(into.durable);
  }

  void apply(Step step) {
    Path path = step.path();
    String name = path.getFileName().toString();
    switch (step.kind()) {
      case LEASE:
        break;
      case LOCK:
        if (!directory(path.getParent()).seen.containsKey(name)) {
          directory(path.getParent()).change(new Change(null, name, new FileNode()));
        }
        break;
      case CREATE:
        directory(path.getParent()).change(new Change(null, name, new FileNode()));
        break;
      case CREATE_DIRECTORY:
        directory(path.getParent()).change(new Change(null, name, new DirectoryNode()));
        break;
      case WRITE:
        file(path).pending.writeBytes(step.data());
        break;
      case FORCE:
        file(path).durable = seen(file(path));
        file(path).pending.reset();
        break;
      case FORCE_DIRECTORY:
        DirectoryNode forced = directory(path);
        forced.pending.clear();
        forced.durable.clear();
        forced.durable.putAll(forced.seen);
        break;
      case RENAME:
        String to = step.target().getFileName().toString();
        directory(path.getParent()).change(new Change(name, to, file(path)));
        break;
      case DELETE:
        directory(path.getParent()).change(new Change(name, null, null));
        break;
    }
  }

  private DirectoryNode directory(Path path) {
    DirectoryNode node = top;
    for (Path name : root.relativize(path)) {
      if (!name.toString().isEmpty()) {
        node = (DirectoryNode) node.seen.get(name.toString());
      }
    }
    return node;
  }

  private FileNode file(Path path) {
    return (FileNode) directory(path.getParent()).seen.get(path.getFileName().toString());
  }

  private static byte[] seen(FileNode file) {
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    all.writeBytes(file.durable);
    all.writeBytes(file.pending.toByteArray());
    return all.toByteArray();
  }

  /** Writes to {@code target} what is there after the loss of power. */
  void crash(Path target, Loss loss, Random random) throws IOException {
    write(top, target, loss, random);
  }

  private static void write(DirectoryNode from, Path target, Loss loss, Random random)
      throws IOException {
    Files.createDirectories(target);
    Map<String, Object> names = new TreeMap<>(from.durable);
    for (int i = 0; i < from.pending.size(); i++) {
      boolean last = i == from.pending.size() - 1;
      boolean kept =
          switch (loss) {
            case NOTHING, CONTENT -> true;
            case ALL, NAMES -> false;
            case ALL_BUT_THE_LAST_NAME -> last;
            case ANY -> random.nextBoolean();
          };
      if (kept) {
        from.pending.get(i).apply(names);
      }
    }
    for (Map.Entry<String, Object> entry : names.entrySet()) {
      Path path = target.resolve(entry.getKey());
      if (entry.getValue() instanceof DirectoryNode directory) {
        write(directory, path, loss, random);
      } else {
        Files.write(path, content((FileNode) entry.getValue(), loss, random));
      }
    }
  }

  private static byte[] content(FileNode file, Loss loss, Random random) {
    if (loss == Loss.NOTHING || loss == Loss.NAMES) {
      return seen(file);
    }
    byte[] pending = file.pending.toByteArray();
    if (loss != Loss.ANY || pending.length == 0) {
      return file.durable;
    }
    // Torn: any length, and blocks of it that never came to the disk.
    byte[] all =
        Arrays.copyOf(seen(file), file.durable.length + random.nextInt(pending.length + 1));
    for (int at = file.durable.length; at < all.length; at += 512) {
      if (random.nextInt(4) == 0) {
        Arrays.fill(all, at, Math.min(all.length, at + 512), (byte) 0);
      }
    }
    return all;
  }
}
