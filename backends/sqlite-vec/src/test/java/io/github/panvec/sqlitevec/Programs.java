package io.github.panvec.sqlitevec;

import io.github.panvec.Availability;
import io.github.panvec.Limits;
import io.github.panvec.Metric;
import io.github.panvec.VectorIndex;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Programs for {@link ChildJvm}. All of them use L2 and two dimensions. */
final class Programs {
  static final int DIMENSION = 2;

  private Programs() {}

  private static BufferedReader commands() {
    return new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
  }

  /** Answers each line {@code x y} with the size of the index and the nearest id. */
  static final class Reader {
    public static void main(String[] arguments) throws IOException {
      try (VectorIndex index = Rows.open(Metric.L2, DIMENSION, Path.of(arguments[0]))) {
        BufferedReader commands = commands();
        System.out.println("open");
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
          String[] query = line.split(" ");
          float[] vector = {Float.parseFloat(query[0]), Float.parseFloat(query[1])};
          System.out.println(index.size() + " " + index.search(vector, 1).id(0));
        }
      }
    }
  }

  /** Adds ids 0, 1, 2, ... one by one, and prints each when it has been added. */
  static final class Adder {
    public static void main(String[] arguments) {
      try (VectorIndex index = Rows.open(Metric.L2, DIMENSION, Path.of(arguments[0]))) {
        for (long id = 0; ; id++) {
          index.add(id, new float[] {id, -id});
          System.out.println(id);
        }
      }
    }
  }

  /** Holds the lock of writers until it gets a line, and writes nothing. */
  static final class LockHolder {
    public static void main(String[] arguments) {
      SqliteVecLibrary.INSTANCE.require();
      try (SqliteVecConnection connection =
          SqliteVecConnection.openWriter(Rows.spec(Metric.L2, DIMENSION), arguments[0], 0)) {
        connection.inTransaction(
            Limits.NONE,
            "writing",
            () -> {
              System.out.println("locked");
              try {
                commands().readLine();
              } catch (IOException ended) {
                throw new UncheckedIOException(ended);
              }
            });
      }
    }
  }

  /** Prints whether the backend can be used, and why not. */
  static final class Doctor {
    public static void main(String[] arguments) {
      Availability availability = new SqliteVecBackend().availability();
      System.out.println(
          availability.available()
              ? "available "
                  + availability.upstreamVersion()
                  + " "
                  + availability.simdLevel()
                  + " "
                  + availability.library()
              : availability.reason());
    }
  }
}
