package io.github.panvec.bench;

import java.io.PrintWriter;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/**
 * Says on the error stream what is being done. On a terminal one line is written over and over;
 * elsewhere, a log for example, a new line comes at most every few seconds. Thread-safe.
 */
public final class Progress {
  private static final long TERMINAL_PAUSE_NANOS = 100_000_000L;
  private static final long PLAIN_PAUSE_NANOS = 3_000_000_000L;

  private final PrintWriter err;
  private final boolean terminal;
  private String step = "";
  private long lastNanos;
  private int shown;

  public Progress(PrintWriter err, boolean terminal) {
    this.err = err;
    this.terminal = terminal;
    this.lastNanos = System.nanoTime() - PLAIN_PAUSE_NANOS;
  }

  /** Begins a step. */
  public synchronized void step(String what) {
    step = what;
    if (terminal || pauseIsOver()) {
      lastNanos = System.nanoTime();
      show(what);
    }
  }

  /** How far the step is; most calls write nothing. */
  public synchronized void at(long done, long total) {
    if (!pauseIsOver()) {
      return;
    }
    lastNanos = System.nanoTime();
    show(step + ": " + (total <= 0 ? done + "" : 100 * done / total + " %"));
  }

  /**
   * Does something that does not tell how far it is, as a step; while it lasts, the seconds are
   * shown.
   */
  public <T> T during(String what, Supplier<T> work) {
    step(what);
    CountDownLatch done = new CountDownLatch(1);
    Thread clock = new Thread(() -> showSeconds(what, done), "panvec-progress");
    clock.setDaemon(true);
    clock.start();
    try {
      return work.get();
    } finally {
      done.countDown();
    }
  }

  private void showSeconds(String what, CountDownLatch done) {
    try {
      for (int seconds = 1; !done.await(1, TimeUnit.SECONDS); seconds++) {
        synchronized (this) {
          // What comes after the work may have begun to write.
          if (done.getCount() > 0 && pauseIsOver()) {
            lastNanos = System.nanoTime();
            show(what + ": " + seconds + " s");
          }
        }
      }
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
    }
  }

  /** A line that stays. */
  public synchronized void note(String line) {
    clear();
    err.println(line);
    err.flush();
  }

  /** Wipes the terminal's line; what follows is output. */
  public synchronized void clear() {
    if (terminal && shown > 0) {
      err.print("\r" + " ".repeat(shown) + "\r");
      err.flush();
      shown = 0;
    }
  }

  private boolean pauseIsOver() {
    return System.nanoTime() - lastNanos >= (terminal ? TERMINAL_PAUSE_NANOS : PLAIN_PAUSE_NANOS);
  }

  private void show(String text) {
    if (!terminal) {
      err.println(text);
    } else {
      err.print("\r" + text + " ".repeat(Math.max(0, shown - text.length())));
      shown = text.length();
    }
    err.flush();
  }
}
