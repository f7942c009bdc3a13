package io.github.panvec.bindings.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
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

/** The program in a README: its only Java block that declares a public class with a main method. */
public final class ReadmeProgram {
  private static final Pattern PROGRAM =
      Pattern.compile(
          "```java\n((?:(?!```).)*?^public class (\\w+) .*?)```",
          Pattern.DOTALL | Pattern.MULTILINE);

  private static final Pattern OUTPUT = Pattern.compile("```text\n(.*?)```", Pattern.DOTALL);

  private ReadmeProgram() {}

  /** What the README says that the program prints: its first text block. */
  public static String output(String readme) throws IOException {
    Matcher output = OUTPUT.matcher(Files.readString(file(readme)));
    assertThat(output.find()).as("a text block in %s", readme).isTrue();
    return output.group(1);
  }

  /**
   * Compiles the program, without a warning, and runs it in this JVM.
   *
   * @param readme from the root of the repository
   * @param folder an empty one, for the source and the classes
   * @return what it printed
   */
  public static String run(String readme, Path folder)
      throws IOException, ReflectiveOperationException {
    Path file = file(readme);
    Matcher program = PROGRAM.matcher(Files.readString(file));
    assertThat(program.find()).as("a program in %s", file).isTrue();
    String name = program.group(2);
    Path source = Files.writeString(folder.resolve(name + ".java"), program.group(1));
    JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    String classPath = System.getProperty("java.class.path");
    int failed =
        compiler.run(
            null,
            null,
            said,
            "-Xlint:all,-path,-processing,-restricted",
            "-Werror",
            "-cp",
            classPath,
            "-d",
            folder.toString(),
            source.toString());
    assertThat(failed).as(said.toString(StandardCharsets.UTF_8)).isZero();
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    PrintStream console = System.out;
    try (URLClassLoader loader = new URLClassLoader(new URL[] {folder.toUri().toURL()})) {
      System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
      loader.loadClass(name).getMethod("main", String[].class).invoke(null, (Object) new String[0]);
    } finally {
      System.setOut(console);
    }
    return printed.toString(StandardCharsets.UTF_8).replace(System.lineSeparator(), "\n");
  }

  private static Path file(String readme) {
    return Path.of(System.getProperty("panvec.test.root", "../.."), readme);
  }
}
