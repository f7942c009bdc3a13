package io.github.panvec.bench.toy;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.CountDownLatch;

/** Programs that end badly: what a child JVM has to survive for its parent. */
public final class Misbehaviour {

  private Misbehaviour() {}

  /**
   * {@code crash}, {@code raise NUMBER}, {@code halt NUMBER}, {@code hang}, {@code throw} or {@code
   * ok}.
   */
  public static void main(String[] args) throws Throwable {
    switch (args[0]) {
      case "crash" -> writeThroughBadAddress();
      case "raise" -> raise(Integer.parseInt(args[1]));
      case "halt" -> Runtime.getRuntime().halt(Integer.parseInt(args[1]));
      case "hang" -> hang();
      case "throw" -> throw new IllegalStateException("thrown on purpose");
      default -> System.out.println("ü=fine");
    }
  }

  public static void writeThroughBadAddress() {
    MemorySegment.ofAddress(16).reinterpret(8).set(ValueLayout.JAVA_LONG, 0, 1L);
  }

  static void hang() {
    try {
      new CountDownLatch(1).await();
    } catch (InterruptedException never) {
      throw new AssertionError(never);
    }
  }

  private static void raise(int signal) throws Throwable {
    Linker linker = Linker.nativeLinker();
    MemorySegment symbol = linker.defaultLookup().find("raise").orElseThrow();
    int ignored =
        (int)
            linker
                .downcallHandle(
                    symbol, FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT))
                .invokeExact(signal);
    System.exit(ignored);
  }
}
