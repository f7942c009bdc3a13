import io.github.panvec.conformance.Conformance;
import io.github.panvec.conformance.Report;
import io.github.panvec.conformance.Subject;
import io.github.panvec.conformance.Subjects;
import io.github.panvec.loader.NativeLibrary;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.discovery.DiscoverySelectors;

/**
 * Runs in a JVM whose native libraries are those of a build with the address sanitizer. Source that {@code java} compiles by
 * itself:
 *
 * <ul>
 *   <li>{@code overflow LIBRARY} calls the function of that library that overflows on purpose; a JVM that gets beyond it exits
 *       with 0
 *   <li>{@code suite CLASS ...} runs these classes of the conformance suite, all of them for none; those beginning with ! are
 *       left out. With {@code kinds=even} before them over every other kind of index of each backend, with {@code kinds=odd} over
 *       the others: a backend with one kind alone has it in both
 * </ul>
 */
final class SanitizedSuite {
  private SanitizedSuite() {}

  public static void main(String[] arguments) throws Throwable {
    if (arguments[0].equals("overflow")) {
      overflow(arguments[1]);
    } else {
      List<String> names = Arrays.asList(arguments).subList(1, arguments.length);
      if (names.get(0).startsWith("kinds=")) {
        chooseKinds(names.get(0).equals("kinds=even") ? 0 : 1);
        names = names.subList(1, names.size());
      }
      suite(names);
    }
  }

  private static void overflow(String name) throws Throwable {
    NativeLibrary library = NativeLibrary.open(name);
    MethodHandle function =
        Linker.nativeLinker()
            .downcallHandle(
                library
                    .lookup()
                    .find("panvec_" + name + "_overflow_on_purpose")
                    .orElseThrow(() -> new AssertionError(library + " is not of the sanitizer's build")),
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_INT));
    int result = (int) function.invokeExact(16);
    System.out.println("nobody saw the overflow in " + library + " (" + result + ")");
  }

  private static void chooseKinds(int half) {
    Map<String, List<String>> kinds = new TreeMap<>();
    for (Subject kind : Subjects.all()) {
      kinds.computeIfAbsent(kind.backend(), backend -> new ArrayList<>()).add(kind.toString());
    }
    List<String> chosen = new ArrayList<>();
    for (List<String> ofOne : kinds.values()) {
      for (int i = Math.min(half, ofOne.size() - 1); i < ofOne.size(); i += 2) {
        chosen.add(ofOne.get(i));
      }
    }
    System.setProperty(Subjects.KIND, String.join(",", chosen));
  }

  private static void suite(List<String> names) throws IOException {
    List<String> left = names.stream().filter(name -> name.startsWith("!")).map(name -> name.substring(1)).toList();
    List<String> chosen = names.stream().filter(name -> !name.startsWith("!")).toList();
    List<Class<?>> classes =
        Conformance.suite().stream()
            .filter(type -> !left.contains(type.getSimpleName()))
            .filter(type -> chosen.isEmpty() || chosen.contains(type.getSimpleName()))
            .toList();
    if (classes.size() < chosen.size()) {
      throw new IllegalArgumentException("the suite lacks one of " + chosen + "; it has " + Conformance.suite());
    }
    DiscoverySelector[] selectors =
        classes.stream().map(DiscoverySelectors::selectClass).toArray(DiscoverySelector[]::new);
    Report report = Conformance.run(Conformance.Options.only(selectors));
    long failed = report.tests().stream().filter(Report.TestOutcome::isFailed).count();
    Predicate<Report.Engine> broken = engine -> !engine.problem().isEmpty();
    report.tests().stream().filter(Report.TestOutcome::isFailed).forEach(System.out::println);
    report.backends().stream().filter(broken).forEach(System.out::println);
    System.out.printf(
        "%d tests passed, %d failed, over %d kinds of index of %d backends, seed %d, %.0f s%n",
        report.testsPassed(), failed, report.kinds().size(), report.backends().size(), report.seed(), report.seconds());
    System.exit(failed > 0 || report.testsPassed() == 0 || report.backends().stream().anyMatch(broken) ? 1 : 0);
  }
}
