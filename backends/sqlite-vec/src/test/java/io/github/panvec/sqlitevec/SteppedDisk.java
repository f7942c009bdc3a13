package io.github.panvec.sqlitevec;

import io.github.panvec.snapshot.FileOperations;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;

/** The files of the operating system, with a step of a test in a save. */
final class SteppedDisk {
  private SteppedDisk() {}

  /** Runs {@code hook} before native code writes a file. */
  static FileOperations before(Runnable hook) {
    return (FileOperations)
        Proxy.newProxyInstance(
            SteppedDisk.class.getClassLoader(),
            new Class<?>[] {FileOperations.class},
            (proxy, method, arguments) -> {
              if (method.getName().equals("createBy")) {
                hook.run();
              }
              try {
                return method.invoke(FileOperations.disk(), arguments);
              } catch (InvocationTargetException failed) {
                throw failed.getCause();
              }
            });
  }
}
