package io.github.panvec.bindings.sqlitevec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class SymbolsTest {
  private static final String ADDRESS = "$address";

  private static List<Method> bound() {
    return Arrays.stream(PanvecSqlitevec.class.getMethods())
        .filter(method -> method.getName().endsWith(ADDRESS))
        .toList();
  }

  @TestFactory
  List<DynamicTest> everyBoundSymbolIsInTheLibrary() {
    return bound().stream()
        .map(
            method ->
                DynamicTest.dynamicTest(
                    method.getName().replace(ADDRESS, ""),
                    () -> assertThat(((MemorySegment) method.invoke(null)).address()).isNotZero()))
        .toList();
  }

  @Test
  void everyFunctionOfTheHeaderIsBound() throws IOException {
    Path header = Path.of(System.getProperty("panvec.test.root", "../.."), "native-src/sqlite-vec/panvec_sqlitevec.h");
    Matcher declared = Pattern.compile("(?m)^[a-z].*?\\b(panvec_sqlitevec_\\w+)\\(").matcher(Files.readString(header));
    Set<String> names = new TreeSet<>();
    while (declared.find()) {
      names.add(declared.group(1));
    }
    assertThat(names).isNotEmpty();
    assertThat(bound().stream().map(method -> method.getName().replace(ADDRESS, ""))).containsExactlyInAnyOrderElementsOf(names);
  }

  @Test
  void aCallWithMemoryOfAClosedOrForeignArenaThrowsWhatTheLinkerThrows() throws InterruptedException {
    Arena arena = Arena.ofConfined();
    MemorySegment vector = arena.allocate(ValueLayout.JAVA_FLOAT, 4);
    ThrowingCallable call = () -> PanvecSqlitevec.panvec_sqlitevec_reference_unit(4, vector, vector);
    AtomicReference<Throwable> elsewhere = new AtomicReference<>();
    Thread other = new Thread(() -> elsewhere.set(catchThrowable(call)));
    other.start();
    other.join();
    assertThat(elsewhere.get()).isInstanceOf(WrongThreadException.class);
    arena.close();
    assertThatThrownBy(call).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void theLibrarySpeaksTheVersionOfTheHeader() {
    assertThat(PanvecSqlitevec.panvec_sqlitevec_abi_version()).isEqualTo(PanvecSqlitevec.PANVEC_ABI_VERSION());
  }
}
