package io.github.panvec.snapshot;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** What a JVM beside the tests does: one of several things, step by step as it is told to. */
final class SavingProgram {
  private static final BufferedReader INPUT =
      new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));

  private SavingProgram() {}

  public static void main(String[] arguments) throws IOException {
    Path snapshot = Path.of(arguments[1]);
    switch (arguments[0]) {
      case "save":
        save(snapshot, Integer.parseInt(arguments[2]));
        break;
      case "lease":
        lease(snapshot);
        break;
      case "descriptors":
        descriptors(snapshot);
        break;
      default:
        throw new IllegalArgumentException(arguments[0]);
    }
  }

  /** Tells each step before it is made, and waits for a line. */
  private static void save(Path snapshot, int number) {
    SteppedFiles files = new SteppedFiles(step -> ask(Phase.of(step).name()));
    new SnapshotWriter(snapshot, files).write(Rows.version(number));
    ask("saved");
  }

  private static void lease(Path snapshot) {
    try (SnapshotReader reader = Rows.open(snapshot)) {
      int number = (int) reader.manifest().size();
      ask("leased " + number);
      Rows.assertIs(number, reader);
    }
    ask("released");
  }

  /** Says this, and waits for an answer; to some answers says that it has heard it. */
  private static void ask(String text) {
    System.out.println(text);
    try {
      String answer = INPUT.readLine();
      if (answer == null) {
        throw new IllegalStateException("nobody answers any more");
      }
      if (answer.equals("say when")) {
        System.out.println("now");
      }
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  /** 1,000 saves and 50 leases at once; prints open descriptors before, meanwhile and after. */
  private static void descriptors(Path snapshot) throws IOException {
    Rows.save(snapshot, 1);
    Rows.number(snapshot);
    long before = openDescriptors();
    List<SnapshotReader> leases = new ArrayList<>();
    for (int save = 1; save <= 1000; save++) {
      Rows.save(snapshot, save);
      if (save % 20 == 0) {
        leases.add(Rows.open(snapshot));
      }
    }
    long meanwhile = openDescriptors();
    int generations = Rows.names(snapshot).size() - 2;
    for (int i = 0; i < leases.size(); i++) {
      Rows.assertIs(20 * (i + 1), leases.get(i));
      leases.get(i).close();
    }
    Rows.save(snapshot, 1001);
    System.out.printf(
        "%d %d %d; %d generations, then %d%n",
        before, meanwhile, openDescriptors(), generations, Rows.names(snapshot).size() - 2);
  }

  private static long openDescriptors() throws IOException {
    try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
      return open.count();
    }
  }
}
