package io.github.panvec.conformance.selftest;

import io.github.panvec.spi.VectorBackend;
import java.io.IOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;
import java.util.function.Supplier;

/**
 * Shows the toy, and no other backend, to those who look through the context class loader. It has
 * no service file of its own: every run with these classes on its class path would find it.
 */
final class ToyOnly extends ClassLoader {
  private static final String SERVICES = "META-INF/services/" + VectorBackend.class.getName();

  private static final String NOT_SUPPORTED = "META-INF/panvec/not-supported.txt";

  private final URL services;
  private final URL notSupported;

  private ToyOnly(Path services, Path notSupported) throws IOException {
    super(ToyOnly.class.getClassLoader());
    this.services = services.toUri().toURL();
    this.notSupported = notSupported.toUri().toURL();
  }

  /**
   * The toy alone.
   *
   * @param folder for the service file
   */
  static ToyOnly in(Path folder) throws IOException {
    return new ToyOnly(
        Files.writeString(folder.resolve("toy"), ToyBackend.class.getName()),
        Files.writeString(
            folder.resolve("not-supported"),
            ToyBackend.NAME + " default | * | remove.everything | it is kept all the same\n"));
  }

  @Override
  public Enumeration<URL> getResources(String name) throws IOException {
    if (name.equals(NOT_SUPPORTED) && Fault.KEPT_CLAIM_LISTED_AS_NOT_SUPPORTED.isPresent()) {
      return Collections.enumeration(List.of(notSupported));
    }
    return name.equals(SERVICES)
        ? Collections.enumeration(List.of(services))
        : super.getResources(name);
  }

  /** Runs with it as the context class loader of this thread and those that it starts. */
  <T> T during(Supplier<T> run) {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    thread.setContextClassLoader(this);
    try {
      return run.get();
    } finally {
      thread.setContextClassLoader(before);
    }
  }
}
