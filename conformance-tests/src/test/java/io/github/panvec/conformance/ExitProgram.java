package io.github.panvec.conformance;

import io.github.panvec.Metric;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Leaves the JVM with indexes of every kind of a backend open, while threads search, add, replace
 * and compact. None of them may fail before: a thread that has ended is in no call.
 */
final class ExitProgram {
  private static final int DIMENSION = 16;

  /** So many calls of each thread come before the exit. */
  private static final int CALLS = 3;

  private ExitProgram() {}

  public static void main(String[] arguments) throws Exception {
    List<Thread> threads = new ArrayList<>();
    List<Subject> kinds =
        Subjects.all().stream().filter(kind -> kind.backend().equals(arguments[0])).toList();
    CountDownLatch running = new CountDownLatch(4 * kinds.size());
    AtomicReference<Throwable> failure = new AtomicReference<>();
    for (Subject kind : kinds) {
      Metric metric = kind.any(Metric.L2);
      Rows rows = Rows.gaussian(metric, DIMENSION, 500);
      VectorIndex index = kind.create(DIMENSION, metric);
      rows.addTo(index);
      float[] query = rows.query();
      float[] flat = rows.flat();
      long[] ids = rows.ids();
      List<Runnable> calls =
          List.of(
              () -> index.search(query, 10),
              () -> index.searchAll(flat, 3),
              () -> index.upsertAll(ids, flat),
              index::compact);
      for (Runnable call : calls) {
        Thread thread =
            new Thread(
                () -> {
                  try {
                    for (int i = 0; ; i++) {
                      if (i == CALLS) {
                        running.countDown();
                      }
                      call.run();
                    }
                  } catch (Throwable thrown) {
                    failure.compareAndSet(null, new AssertionError("with " + kind, thrown));
                    running.countDown();
                  }
                });
        thread.setDaemon(true);
        threads.add(thread);
      }
    }
    threads.forEach(Thread::start);
    running.await();
    if (failure.get() != null) {
      failure.get().printStackTrace();
      System.exit(1);
    }
    System.out.println("leaving " + threads.size() + " threads in calls");
  }
}
