package io.github.panvec.conformance;

import io.github.panvec.Panvec;
import io.github.panvec.UnknownBackendException;
import java.lang.reflect.Modifier;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import org.junit.platform.commons.support.HierarchyTraversalMode;
import org.junit.platform.commons.support.ReflectionSupport;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.TagFilter;
import org.junit.platform.launcher.core.LauncherConfig;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs the suite, or a part of it, in this JVM.
 *
 * <pre>{@code
 * Report report = Conformance.run(Conformance.Options.everything().withBackends("mine"));
 * }</pre>
 *
 * <p>One run at a time in a JVM: the cells of a run are collected in one place.
 */
public final class Conformance {
  /** The tag of tests that take too long to run with every build. */
  public static final String NIGHTLY = "nightly";

  /** Whether Panvec's engines are told to use their own search however few rows there are. */
  static final boolean WALKING = Boolean.getBoolean("panvec.engine.alwaysWalk");

  private Conformance() {}

  /**
   * What to run.
   *
   * @param selectors classes or methods of the suite ({@link DiscoverySelectors})
   * @param backends names of backends; empty: those that {@link Subjects#BACKEND} chooses
   * @param nightly whether tests with the tag {@link #NIGHTLY} run too
   * @param progress gets a line when a test begins: its class, the kind of index, how many are done
   */
  public record Options(
      List<DiscoverySelector> selectors,
      List<String> backends,
      boolean nightly,
      Consumer<String> progress) {

    public Options {
      selectors = List.copyOf(selectors);
      backends = List.copyOf(backends);
    }

    /** The whole suite without what is for the night, over all backends, in silence. */
    public static Options everything() {
      return only(
          suite().stream()
              .map(type -> (DiscoverySelector) DiscoverySelectors.selectClass(type))
              .toArray(DiscoverySelector[]::new));
    }

    /** Only these classes or methods. */
    public static Options only(DiscoverySelector... selectors) {
      return new Options(List.of(selectors), List.of(), false, line -> {});
    }

    /** Over these backends only. */
    public Options withBackends(String... names) {
      return new Options(selectors, List.of(names), nightly, progress);
    }

    /** With the tests that are for the night. */
    public Options withNightly() {
      return new Options(selectors, backends, true, progress);
    }

    /** Says what it is doing, a line at a time. */
    public Options withProgress(Consumer<String> listener) {
      return new Options(selectors, backends, nightly, listener);
    }
  }

  /** The test classes of the suite: those of this package, in this jar, with a claim. */
  public static List<Class<?>> suite() {
    return ReflectionSupport.findAllClassesInPackage(
            Conformance.class.getPackageName(), Conformance::isOfTheSuite, name -> true)
        .stream()
        .sorted(Comparator.comparing(Class::getName))
        .toList();
  }

  private static boolean isOfTheSuite(Class<?> type) {
    return !Modifier.isAbstract(type.getModifiers())
        && type.getProtectionDomain()
            .getCodeSource()
            .getLocation()
            .equals(Conformance.class.getProtectionDomain().getCodeSource().getLocation())
        && !ReflectionSupport.findMethods(
                type,
                method -> method.isAnnotationPresent(Contract.class),
                HierarchyTraversalMode.TOP_DOWN)
            .isEmpty();
  }

  /**
   * Runs and tells. Nothing is written, and no other listener is called.
   *
   * @throws UnknownBackendException when a backend is not on the class path, with the nearest name
   *     and the list
   */
  public static Report run(Options options) {
    options.backends().forEach(Panvec::backend);
    String before = System.getProperty(Subjects.BACKEND);
    if (!options.backends().isEmpty()) {
      System.setProperty(Subjects.BACKEND, String.join(",", options.backends()));
    }
    try {
      CellLog.clear();
      Subjects.all();
      return execute(options);
    } finally {
      CellLog.clear();
      if (before == null) {
        System.clearProperty(Subjects.BACKEND);
      } else {
        System.setProperty(Subjects.BACKEND, before);
      }
    }
  }

  private static Report execute(Options options) {
    LauncherDiscoveryRequestBuilder request =
        LauncherDiscoveryRequestBuilder.request().selectors(options.selectors());
    if (!options.nightly()) {
      request.filters(TagFilter.excludeTags(NIGHTLY));
    }
    TestLog log = new TestLog(options.progress());
    LauncherDiscoveryRequest built = request.build();
    // Without ConformanceListener: the caller gets the report.
    LauncherConfig alone =
        LauncherConfig.builder().enableTestExecutionListenerAutoRegistration(false).build();
    LauncherFactory.create(alone).execute(built, log);
    return Report.now(log);
  }
}
