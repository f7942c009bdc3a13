package io.github.panvec.conformance;

import io.github.panvec.Panvec;
import io.github.panvec.VectorIndex;
import io.github.panvec.Verify;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Saves an index of every backend, in memory and in a file where there is such a kind, again and
 * again, and leaves views of some generations open meanwhile.
 */
final class SnapshotDescriptorProgram {
  private SnapshotDescriptorProgram() {}

  /**
   * @param arguments a folder, saves, views
   */
  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]);
    int saves = Integer.parseInt(arguments[1]);
    int views = Integer.parseInt(arguments[2]);
    int each = 0;
    for (String name : NumberedIndex.kinds()) {
      NumberedIndex kind = NumberedIndex.named(name, null);
      run(kind, folder.resolve("saved" + each++), saves, views);
      if (kind.subject().takes("path")) {
        run(
            NumberedIndex.named(name, folder.resolve("live")),
            folder.resolve("saved" + each++),
            saves,
            views);
      }
    }
    System.out.println("bounded");
  }

  private static void run(NumberedIndex kind, Path directory, int saves, int views)
      throws IOException {
    SnapshotFolder saved = new SnapshotFolder(directory);
    List<VectorIndex> open = new ArrayList<>();
    try (VectorIndex index = Panvec.create(kind.spec())) {
      NumberedIndex.write(index, 0);
      index.save(directory);
      Panvec.view(directory).close();
      long before = DescriptorProgram.descriptors();
      for (int save = 1; save <= saves; save++) {
        if (save % (saves / views) == 0) {
          NumberedIndex.write(index, save);
        }
        index.save(directory);
        if (save % (saves / views) == 0) {
          open.add(Panvec.view(directory, save % 2 == 0 ? Verify.FULL : Verify.SIZES));
        }
      }
      long meanwhile = DescriptorProgram.descriptors();
      int generations = saved.names().size() - 2;
      for (int i = 0; i < open.size(); i++) {
        int number = NumberedIndex.number(open.get(i));
        require(number == (i + 1) * (saves / views), "view " + i + " shows state " + number);
        open.get(i).close();
      }
      index.save(directory);
      long after = DescriptorProgram.descriptors();
      System.out.printf(
          "%s%s: %d descriptors before %d saves, %d beside %d views, %d after; %d generations, %s%n",
          kind.subject(),
          kind.file() == null ? "" : " in a file",
          before,
          saves,
          meanwhile,
          open.size(),
          after,
          generations,
          "then " + (saved.names().size() - 2));
      // SQLite opens connections as they are needed and keeps them.
      require(after <= before + 4, "descriptors leak");
      require(meanwhile <= before + 8, "views keep descriptors");
      require(generations >= open.size() && saved.names().size() == 3, "generations are left");
    }
    saved.delete();
  }

  private static void require(boolean holds, String words) {
    if (!holds) {
      throw new AssertionError(words);
    }
  }
}
