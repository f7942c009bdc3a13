package io.github.panvec.bench;

import io.github.panvec.conformance.Machine;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** What a number depends on besides the code: processor, JDK, operating system, commit. */
public final class Environment {
  private static final Set<String> VECTOR_FLAGS =
      Set.of(
          "sse4_2",
          "avx",
          "avx2",
          "fma",
          "f16c",
          "avx512f",
          "avx512bw",
          "avx512vl",
          "avx512_vnni",
          "avx512_bf16",
          "neon",
          "asimd",
          "sve");

  private Environment() {}

  /** The environment by stable keys; a fact that cannot be had is left out. */
  public static Map<String, Object> facts() {
    Map<String, Object> facts = new LinkedHashMap<>();
    Machine machine = Machine.here();
    putIfKnown(facts, "cpu", machine.cpu());
    putIfKnown(facts, "cpuFlags", cpuFlags());
    facts.put("cores", machine.cores());
    facts.put("jdk", machine.jdk());
    facts.put("os", machine.os());
    facts.put("arch", machine.arch());
    putIfKnown(facts, "gitCommit", gitCommit());
    return facts;
  }

  private static void putIfKnown(Map<String, Object> facts, String key, @Nullable String value) {
    if (value != null && !value.isEmpty()) {
      facts.put(key, value);
    }
  }

  private static @Nullable String cpuFlags() {
    String flags = cpuInfo("flags");
    if (flags == null) {
      flags = cpuInfo("Features");
    }
    return flags == null
        ? null
        : Arrays.stream(flags.split("\\s+"))
            .filter(VECTOR_FLAGS::contains)
            .sorted()
            .collect(Collectors.joining(" "));
  }

  private static @Nullable String cpuInfo(String key) {
    Path file = Path.of("/proc/cpuinfo");
    if (!Files.isReadable(file)) {
      return null;
    }
    try {
      for (String line : Files.readAllLines(file, StandardCharsets.UTF_8)) {
        int colon = line.indexOf(':');
        if (colon > 0 && line.substring(0, colon).strip().equals(key)) {
          return line.substring(colon + 1).strip();
        }
      }
    } catch (IOException unreadable) {
      return null;
    }
    return null;
  }

  /** The commit of the clone that this program was built in, when it still lies there. */
  private static @Nullable String gitCommit() {
    Path code;
    try {
      code = Path.of(Environment.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    } catch (URISyntaxException | IllegalArgumentException notAFile) {
      return null;
    }
    for (Path folder = code; folder != null; folder = folder.getParent()) {
      if (Files.exists(folder.resolve(".git"))) {
        return output(
            List.of(
                "git",
                "-C",
                folder.toString(),
                "describe",
                "--always",
                "--dirty",
                "--abbrev=40",
                "--exclude=*"));
      }
    }
    return null;
  }

  /** What a command prints, or null when it fails or takes too long. */
  private static @Nullable String output(List<String> command) {
    try {
      Process process =
          new ProcessBuilder(command)
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .redirectInput(ProcessBuilder.Redirect.PIPE)
              .start();
      process.getOutputStream().close();
      if (!process.waitFor(5, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        return null;
      }
      String text =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      return process.exitValue() == 0 ? text : null;
    } catch (IOException missing) {
      return null;
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      return null;
    }
  }
}
