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

  private final URL services;

  private ToyOnly(Path services) throws IOException {
    super(ToyOnly.class.getClassLoader());
    this.services = services.toUri().toURL();
  }

  /**
   * The toy alone.
   *
   * @param folder for the service file
   */
  static ToyOnly in(Path folder) throws IOException {
    return new ToyOnly(Files.writeString(folder.resolve("toy"), ToyBackend.class.getName()));
  }

  @Override
  public Enumeration<URL> getResources(String name) throws IOException {
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
