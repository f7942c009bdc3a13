package io.github.panvec.conformance;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Writes the snapshots of this version that are not there yet; docs/testing.md tells how. */
final class FixtureProgram {
  private FixtureProgram() {}

  /**
   * @param arguments the folder of the resources
   */
  public static void main(String[] arguments) throws IOException {
    Path version = Path.of(arguments[0], Fixture.FOLDER, Fixture.VERSION);
    for (Fixture fixture : Fixture.written(version)) {
      if (Files.exists(fixture.folder())) {
        System.out.println("is there: " + fixture);
      } else {
        fixture.write();
        System.out.println("written: " + fixture);
      }
    }
  }
}
