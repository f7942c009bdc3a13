package io.github.panvec.bindings.testing;

import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.Map;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The C functions that a class of jextract's has a method for. */
public final class BoundFunctions {
  private static final String ADDRESS = "$address";

  private final Map<String, Method> addresses;

  private BoundFunctions(Map<String, Method> addresses) {
    this.addresses = addresses;
  }

  public static BoundFunctions of(Class<?> generated) {
    return new BoundFunctions(
        Arrays.stream(generated.getMethods())
            .filter(method -> method.getName().endsWith(ADDRESS))
            .collect(
                Collectors.toMap(
                    method -> method.getName().replace(ADDRESS, ""), Function.identity())));
  }

  public SortedSet<String> names() {
    return new TreeSet<>(addresses.keySet());
  }

  /** Looks every function up in its library: those that are not there, and what was thrown. */
  public Map<String, Throwable> missing() throws IllegalAccessException {
    Map<String, Throwable> missing = new TreeMap<>();
    for (Map.Entry<String, Method> function : addresses.entrySet()) {
      try {
        if (((MemorySegment) function.getValue().invoke(null)).address() == 0) {
          missing.put(function.getKey(), new NullPointerException("its address is 0"));
        }
      } catch (InvocationTargetException thrown) {
        missing.put(function.getKey(), thrown.getCause());
      }
    }
    return missing;
  }
}
