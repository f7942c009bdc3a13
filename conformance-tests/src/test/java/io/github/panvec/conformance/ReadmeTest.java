package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.tools.JavaCompiler;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The programs in README.md compile, run, and print what the README says. */
class ReadmeTest {
  private static final Pattern PROGRAM =
      Pattern.compile(
          "```java\n([^`]*?class (\\w+)[^`]*)```\n.*?```text\n(.*?)```", Pattern.DOTALL);

  @Test
  void theProgramsPrintWhatTheReadmeSays(@TempDir Path folder) throws Exception {
    Path readme = Path.of(System.getProperty("panvec.test.root", ".."), "README.md");
    Matcher blocks = PROGRAM.matcher(Files.readString(readme));
    int programs = 0;
    while (blocks.find()) {
      programs++;
      String name = blocks.group(2);
      assertThat(printed(folder, name, blocks.group(1))).as(name).isEqualTo(blocks.group(3));
    }
    assertThat(programs).as("java blocks and text blocks in %s", readme).isEqualTo(3);
  }

  private static String printed(Path folder, String name, String program) throws Exception {
    Path source = Files.writeString(folder.resolve(name + ".java"), program);
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    ByteArrayOutputStream errors = new ByteArrayOutputStream();
    String classPath = System.getProperty("java.class.path");
    int failed =
        compiler.run(
            null, null, errors, "-cp", classPath, "-d", folder.toString(), source.toString());
    assertThat(failed).as(errors.toString(StandardCharsets.UTF_8)).isZero();
    return runMain(folder, name);
  }

  private static String runMain(Path classes, String name) throws Exception {
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream console = System.out;
    try (URLClassLoader loader = new URLClassLoader(new URL[] {classes.toUri().toURL()})) {
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      loader.loadClass(name).getMethod("main", String[].class).invoke(null, (Object) new String[0]);
    } finally {
      System.setOut(console);
    }
    return printed.toString(StandardCharsets.UTF_8).replace(System.lineSeparator(), "\n");
  }
}
