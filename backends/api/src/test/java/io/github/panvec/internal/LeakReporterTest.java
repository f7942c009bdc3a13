package io.github.panvec.internal;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.VectorIndex;
import java.io.IOException;
import java.lang.ref.Cleaner;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.ResourceBundle;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LeakReporterTest {
  private static final IndexSpec SPEC = IndexSpec.of("scan", 1, Metric.L2);

  @TempDir private Path folder;

  /** Keeps what it is told. */
  private static final class Reports implements System.Logger {
    record Report(Level level, String message, @Nullable Throwable thrown) {}

    final BlockingQueue<Report> all = new LinkedBlockingQueue<>();

    @Override
    public String getName() {
      return "reports";
    }

    @Override
    public boolean isLoggable(Level level) {
      return true;
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String message, Throwable thrown) {
      all.add(new Report(level, message, thrown));
    }

    @Override
    public void log(Level level, ResourceBundle bundle, String format, Object... arguments) {
      all.add(new Report(level, format, null));
    }
  }

  private final Reports reports = new Reports();
  private final Watch watch = new Watch(null, new LeakReporter(reports));
  private final List<ScanBackend.Index> made = new ArrayList<>();

  private VectorIndex createdInATellingPlace() {
    return ObservedIndex.create(new ScanBackend(), SPEC, watch);
  }

  private void makeRemembering() {
    ScanBackend.made =
        spec -> {
          made.add(new ScanBackend.Index(spec));
          return made.get(made.size() - 1);
        };
  }

  @AfterEach
  void restore() {
    ScanBackend.made = ScanBackend.Index::new;
    ScanBackend.mischief = request -> {};
  }

  private static <T> T collectingUntil(BlockingQueue<T> queue) throws InterruptedException {
    long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
    T found = null;
    while (found == null && System.nanoTime() - deadline < 0) {
      System.gc();
      found = queue.poll(20, TimeUnit.MILLISECONDS);
    }
    return found;
  }

  @Test
  void anIndexThatNobodyClosesIsReportedWithThePlaceWhereItWasCreatedAndClosed()
      throws InterruptedException {
    makeRemembering();
    createdInATellingPlace().add(1, new float[] {1});

    Reports.Report report = collectingUntil(reports.all);

    assertThat(report).isNotNull();
    assertThat(report.level()).isEqualTo(System.Logger.Level.WARNING);
    assertThat(report.message())
        .isEqualTo("scan[1, L2] was garbage collected without close(); its memory has been freed");
    assertThat(report.thrown())
        .hasMessageContaining("was created here by thread \"" + Thread.currentThread().getName());
    assertThat(report.thrown().getStackTrace())
        .extracting(StackTraceElement::getMethodName)
        .contains("createdInATellingPlace");
    assertThat(made.get(0).isClosed()).isTrue();
  }

  @Test
  void anIndexThatWasClosedIsNotReported() throws InterruptedException {
    createdInATellingPlace().close();
    VectorIndex twice = createdInATellingPlace();
    twice.close();
    twice.close();
    twice = null;
    // Once an object that was left later has been noticed, the others would have been too.
    Cleaner cleaner = Cleaner.create();
    BlockingQueue<String> noticed = new LinkedBlockingQueue<>();
    for (int i = 0; i < 3; i++) {
      cleaner.register(new Object(), () -> noticed.add("collected"));
      assertThat(collectingUntil(noticed)).isNotNull();
    }
    createdInATellingPlace();
    assertThat(collectingUntil(reports.all)).isNotNull();

    assertThat(reports.all).isEmpty();
  }

  @Test
  void anIndexIsNotCollectedWhileItIsSearched() throws Exception {
    makeRemembering();
    CountDownLatch inside = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    ScanBackend.mischief =
        request -> {
          inside.countDown();
          try {
            goOn.await();
          } catch (InterruptedException stopped) {
            throw new AssertionError(stopped);
          }
        };
    BlockingQueue<String> outcome = new LinkedBlockingQueue<>();
    Thread searcher =
        Thread.ofPlatform()
            .start(
                () -> {
                  try {
                    outcome.add("hits " + createdInATellingPlace().search(new float[] {1}, 3));
                  } catch (RuntimeException closed) {
                    outcome.add("failed " + closed);
                  }
                });
    inside.await();
    ScanBackend.mischief = request -> {};
    createdInATellingPlace();
    // The other one is noticed; this one is in use.
    assertThat(collectingUntil(reports.all)).isNotNull();
    assertThat(made.get(0).isClosed()).isFalse();
    goOn.countDown();
    searcher.join();

    assertThat(outcome.take()).isEqualTo("hits []");
    assertThat(collectingUntil(reports.all)).isNotNull();
    assertThat(made.get(0).isClosed()).isTrue();
  }

  /** Run in a JVM of its own. */
  public static final class Forgetful {
    public static void main(String[] args) throws InterruptedException {
      Backends.onlyScan();
      BlockingQueue<String> closed = new LinkedBlockingQueue<>();
      ScanBackend.made =
          spec -> {
            VectorIndex index = new ScanBackend.Index(spec);
            return (VectorIndex)
                Proxy.newProxyInstance(
                    Forgetful.class.getClassLoader(),
                    new Class<?>[] {VectorIndex.class},
                    (proxy, method, arguments) -> {
                      if (method.getName().equals("close")) {
                        closed.add("closed");
                      }
                      return method.invoke(index, arguments);
                    });
          };
      Panvec.create(SPEC);
      if (args[0].equals("wait")) {
        System.out.println(collectingUntil(closed));
        // The report follows the closing, on one thread, which then closes the next one.
        Panvec.create(SPEC);
        System.out.println(collectingUntil(closed));
      } else {
        for (int i = 0; i < 5; i++) {
          System.gc();
        }
        System.out.println(closed.poll());
      }
    }
  }

  @Test
  void theReporterIsOptInByAProperty() throws IOException, InterruptedException {
    ChildJvm without = ChildJvm.start(folder, Forgetful.class, List.of(), "look");
    assertThat(without.waitFor()).as(without.text()).isZero();
    assertThat(without.text().lines()).containsExactly("null");

    ChildJvm with =
        ChildJvm.start(folder, Forgetful.class, List.of("-Dpanvec.leaks=report"), "wait");
    assertThat(with.waitFor()).as(with.text()).isZero();
    assertThat(with.text())
        .contains("closed")
        .contains("scan[1, L2, m=16] was garbage collected without close()")
        .contains("LeakReporterTest$Forgetful.main");

    ChildJvm misspelt =
        ChildJvm.start(folder, Forgetful.class, List.of("-Dpanvec.leaks=yes"), "look");
    assertThat(misspelt.waitFor()).isZero();
    assertThat(misspelt.text()).contains("-Dpanvec.leaks=yes: the one value it takes is report");
  }
}
