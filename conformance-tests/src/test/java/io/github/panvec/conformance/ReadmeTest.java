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

/** The program in README.md compiles, runs, and prints what the README says. */
class ReadmeTest {
  private static final Pattern PROGRAM =
      Pattern.compile("```java\n(.*?)```\n.*?```text\n(.*?)```", Pattern.DOTALL);

  @Test
  void theProgramPrintsWhatTheReadmeSays(@TempDir Path folder) throws Exception {
    Path readme = Path.of(System.getProperty("panvec.test.root", ".."), "README.md");
    Matcher blocks = PROGRAM.matcher(Files.readString(readme));
    assertThat(blocks.find()).as("a java block and a text block in %s", readme).isTrue();
    Path source = Files.writeString(folder.resolve("Hello.java"), blocks.group(1));
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    ByteArrayOutputStream errors = new ByteArrayOutputStream();
    String classPath = System.getProperty("java.class.path");
    int failed =
        compiler.run(
            null, null, errors, "-cp", classPath, "-d", folder.toString(), source.toString());
    assertThat(failed).as(errors.toString(StandardCharsets.UTF_8)).isZero();
    assertThat(runMain(folder)).isEqualTo(blocks.group(2));
  }

  private static String runMain(Path classes) throws Exception {
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream console = System.out;
    try (URLClassLoader loader = new URLClassLoader(new URL[] {classes.toUri().toURL()})) {
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      loader
          .loadClass("Hello")
          .getMethod("main", String[].class)
          .invoke(null, (Object) new String[0]);
    } finally {
      System.setOut(console);
    }
    return printed.toString(StandardCharsets.UTF_8).replace(System.lineSeparator(), "\n");
  }
}
