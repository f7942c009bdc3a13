package io.github.panvec.bindings.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/** What holds of the bindings of each of our shims. */
public abstract class ShimContract {
  private final Class<?> generated;
  private final String prefix;
  private final String header;

  /**
   * @param generated the class made of the shim's header
   * @param prefix what the names of the shim's functions begin with, for example {@code
   *     panvec_hnswlib_}
   * @param header the shim's header, from the root of the repository
   */
  protected ShimContract(Class<?> generated, String prefix, String header) {
    this.generated = generated;
    this.prefix = prefix;
    this.header = header;
  }

  /** Any call of the library that only reads these four floats. */
  protected abstract void readFourFloats(MemorySegment floats);

  @Test
  void everyBoundFunctionIsInTheLibrary() throws IllegalAccessException {
    assertThat(BoundFunctions.of(generated).missing()).isEmpty();
  }

  @Test
  void everyFunctionOfTheHeaderIsBound() throws IOException {
    Path file = Path.of(System.getProperty("panvec.test.root", "../.."), header);
    Matcher declared =
        Pattern.compile("(?m)^[a-z].*?\\b(" + prefix + "\\w+)\\(").matcher(Files.readString(file));
    Set<String> names = new TreeSet<>();
    while (declared.find()) {
      names.add(declared.group(1));
    }
    assertThat(names).isNotEmpty();
    assertThat(BoundFunctions.of(generated).names()).isEqualTo(names);
  }

  @Test
  void aCallWithMemoryOfAClosedOrForeignArenaThrowsWhatTheLinkerThrows()
      throws InterruptedException {
    Arena arena = Arena.ofConfined();
    MemorySegment floats = arena.allocate(ValueLayout.JAVA_FLOAT, 4);
    ThrowingCallable call = () -> readFourFloats(floats);
    AtomicReference<Throwable> elsewhere = new AtomicReference<>();
    Thread other = new Thread(() -> elsewhere.set(catchThrowable(call)));
    other.start();
    other.join();
    assertThat(elsewhere.get()).isInstanceOf(WrongThreadException.class);
    arena.close();
    assertThatThrownBy(call).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void theLibrarySpeaksTheVersionOfTheHeader() throws ReflectiveOperationException {
    Object library = generated.getMethod(prefix + "abi_version").invoke(null);
    assertThat(library).isEqualTo(generated.getMethod("PANVEC_ABI_VERSION").invoke(null));
  }
}
