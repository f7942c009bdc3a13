package io.github.panvec.snapshot;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The folder of one generation, and the list of its files that is on disk before the first of them
 * is created. So a later save knows what it may delete, whether the generation was ever complete or
 * not.
 */
record GenerationFiles(FileOperations operations, Path folder, long generation) {
  static final long MAX_GENERATION = 1L << 40;

  /** The list's own name. */
  static final String LIST = "files";

  private static final Pattern NAME = Pattern.compile("[a-z][a-z0-9_-]{0,63}(\\.[a-z0-9]{1,16})?");
  private static final Pattern NUMBER = Pattern.compile("[1-9][0-9]{0,12}");
  private static final int MAX_LIST_BYTES = 1 << 16;

  static GenerationFiles of(FileOperations operations, Path directory, long generation) {
    return new GenerationFiles(
        operations, directory.resolve(Long.toString(generation)), generation);
  }

  /** Whether a backend may call a file so: the same on every file system. */
  static boolean isName(String name) {
    return NAME.matcher(name).matches() && !name.equals(LIST);
  }

  /** The generations among these names of a snapshot's directory. */
  static List<Long> generations(List<String> names) {
    List<Long> generations = new ArrayList<>();
    for (String name : names) {
      if (NUMBER.matcher(name).matches() && Long.parseLong(name) <= MAX_GENERATION) {
        generations.add(Long.parseLong(name));
      }
    }
    return generations;
  }

  /** Creates the list, and has it on disk. */
  void list(List<String> names) throws IOException {
    StringBuilder text = new StringBuilder(title());
    names.forEach(name -> text.append(name).append('\n'));
    byte[] covered = text.toString().getBytes(StandardCharsets.US_ASCII);
    text.append(seal(covered));
    try (FileOperations.Output list = operations.create(folder.resolve(LIST))) {
      list.write(ByteBuffer.wrap(text.toString().getBytes(StandardCharsets.US_ASCII)));
      list.force();
    }
    operations.forceDirectory(folder);
  }

  private String title() {
    return "Panvec generation " + generation + "\n";
  }

  private static String seal(byte[] covered) {
    return "CRC-32C " + Checksum.hex(Checksum.of(covered, covered.length)) + "\n";
  }

  /** Whether nothing in the folder is of unknown origin. */
  boolean areOurs() throws IOException {
    switch (operations.kind(folder)) {
      case DIRECTORY:
        try {
          return own().containsAll(operations.list(folder));
        } catch (NoSuchFileException deletedJustNow) {
          return true;
        }
      case MISSING:
        return true;
      default:
        return false;
    }
  }

  /**
   * Deletes what was listed, then the list, then the folder. A file that was not listed stays, and
   * the folder with it.
   */
  void delete() throws IOException {
    Set<String> own = own();
    List<String> present = operations.list(folder);
    for (String name : present) {
      if (own.contains(name) && !name.equals(LIST)) {
        operations.delete(folder.resolve(name));
      }
    }
    if (present.contains(LIST) && own.containsAll(present)) {
      // Or the list could be gone after a loss of power, and a file that it names still be there.
      operations.forceDirectory(folder);
      operations.delete(folder.resolve(LIST));
    }
    if (own.containsAll(present)) {
      operations.delete(folder);
    }
  }

  /**
   * What a save has put there: the list, and what it lists. A list that a loss of power cut off
   * lists nothing, since it is on disk before any file is created; what else is called like it is
   * nobody's here.
   */
  private Set<String> own() throws IOException {
    Set<String> names = new HashSet<>();
    Path file = folder.resolve(LIST);
    if (operations.kind(file) != FileOperations.Kind.OTHER) {
      return names;
    }
    byte[] bytes = Whole.read(operations, file, MAX_LIST_BYTES);
    String text = new String(bytes, StandardCharsets.ISO_8859_1);
    if (Whole.isBeginning(text, title())) {
      names.add(LIST);
    }
    int end = text.lastIndexOf("CRC-32C ");
    if (text.startsWith(title()) && end > 0) {
      String covered = text.substring(0, end);
      if (text.substring(end).equals(seal(covered.getBytes(StandardCharsets.ISO_8859_1)))) {
        covered
            .substring(title().length())
            .lines()
            .filter(GenerationFiles::isName)
            .forEach(names::add);
      }
    }
    return names;
  }

  /** Whether all these files are there. */
  boolean isComplete(List<String> names) throws IOException {
    return operations.kind(folder) == FileOperations.Kind.DIRECTORY
        && operations.list(folder).containsAll(names);
  }
}
