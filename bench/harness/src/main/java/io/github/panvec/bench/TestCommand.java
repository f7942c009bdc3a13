package io.github.panvec.bench;

import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** Stands in the help; the launcher at the root of the clone carries it out before Java starts. */
@Command(
    name = "test",
    description = {
      "Build everything and run every test: native, Java and conformance.",
      "Carried out by ./panvec at the root of the clone, because it builds this very program."
    })
final class TestCommand implements Callable<Integer> {

  @Override
  public Integer call() {
    throw new InputException("test builds from source: run ./panvec test at the root of a clone");
  }
}
