package io.github.panvec.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.ForeignFileException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.CopyOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file that is there complete or not at all. */
class ExportedFileTest {
  private static final byte[] CONTENT = "a graph, all of it".getBytes();

  @TempDir private Path folder;
  private int operations;
  private final List<String> done = new ArrayList<>();

  /** Refuses the operation of that number, counted from 1 on; those on the open file too. */
  private FileOperations refusing(int number) {
    operations = 0;
    return refusing(FileOperations.class, FileOperations.disk(), number);
  }

  private <T> T refusing(Class<T> type, T real, int number) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (proxy, method, arguments) -> {
              if (!method.getName().equals("close") && ++operations == number) {
                throw new IOException("No space left on device");
              }
              done.add(method.getName());
              try {
                Object result = method.invoke(real, arguments);
                return method.getReturnType() == FileOperations.Output.class
                    ? refusing(FileOperations.Output.class, (FileOperations.Output) result, number)
                    : result;
              } catch (InvocationTargetException thrown) {
                throw thrown.getCause();
              }
            }));
  }

  private void write(Path file, FileOperations files, CopyOption... options) {
    ExportedFile.write(file, files, sink -> sink.write(MemorySegment.ofArray(CONTENT)), options);
  }

  private String tree() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(path -> path.getFileName().toString()).sorted().toList().toString();
    }
  }

  @Test
  void whateverIsRefusedItIsThereCompleteOrAsItWas() throws IOException {
    Path file = folder.resolve("graph");
    for (boolean replaces : new boolean[] {false, true}) {
      int number = 1;
      boolean refused = true;
      for (; refused; number++) {
        Files.deleteIfExists(file);
        if (replaces) {
          Files.writeString(file, "old", StandardOpenOption.CREATE_NEW);
        }
        try {
          write(file, refusing(number), StandardCopyOption.REPLACE_EXISTING);
          refused = false;
        } catch (RuntimeException failed) {
          assertThat(failed).hasMessageContaining(folder.toString());
        }
        // One operation is the last of all, and comes after the file has its name.
        if (Files.exists(file) && Files.size(file) != 3) {
          assertThat(file).hasBinaryContent(CONTENT);
        } else {
          assertThat(refused).isTrue();
          assertThat(Files.exists(file)).isEqualTo(replaces);
        }
        assertThat(tree()).isIn("[]", "[graph]");
      }
      assertThat(number).isGreaterThan(7);
    }
  }

  @Test
  void itIsOnDiskBeforeItHasItsNameAndTheNameAfterwards() {
    write(folder.resolve("graph"), refusing(Integer.MAX_VALUE));
    done.retainAll(List.of("write", "force", "rename", "forceDirectory"));
    assertThat(done).containsExactly("write", "force", "rename", "forceDirectory");
  }

  @Test
  void whatIsThereIsNotReplacedUnasked() throws IOException {
    Path file = Files.writeString(folder.resolve("graph"), "mine");
    assertThatThrownBy(() -> write(file, FileOperations.disk()))
        .isInstanceOf(ForeignFileException.class)
        .hasMessage(file + " exists already; nothing was written");
    assertThatThrownBy(
            () -> write(folder, FileOperations.disk(), StandardCopyOption.REPLACE_EXISTING))
        .isInstanceOf(ForeignFileException.class);
    assertThatThrownBy(() -> write(file, FileOperations.disk(), StandardCopyOption.ATOMIC_MOVE))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(file).hasContent("mine");
    assertThat(tree()).isEqualTo("[graph]");
  }
}
