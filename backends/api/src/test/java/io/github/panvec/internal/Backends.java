package io.github.panvec.internal;

import io.github.panvec.spi.VectorBackend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.Enumeration;
import java.util.List;

/** Which backends {@code Panvec} finds. */
final class Backends {

  private Backends() {}

  /** For this thread, {@link ScanBackend} alone. */
  static void onlyScan() {
    try {
      Path list = Files.createTempFile("panvec", "services");
      Files.writeString(list, ScanBackend.class.getName());
      list.toFile().deleteOnExit();
      URL url = list.toUri().toURL();
      Thread.currentThread()
          .setContextClassLoader(
              new ClassLoader(Backends.class.getClassLoader()) {
                @Override
                public Enumeration<URL> getResources(String name) throws IOException {
                  return name.equals("META-INF/services/" + VectorBackend.class.getName())
                      ? Collections.enumeration(List.of(url))
                      : super.getResources(name);
                }
              });
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }
}
