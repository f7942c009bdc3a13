package io.github.panvec.sqlitevec;

import io.github.panvec.Limits;
import io.github.panvec.engine.Turns;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Who may use which connection when: each is used by one thread at a time, and whoever asked first
 * is served first.
 *
 * <p>Over a file there is one writer, and readers that are opened when they are first needed. In
 * memory there is one connection, and readers and writers take turns on it. Over what nobody writes
 * to there are readers alone. Thread-safe.
 */
final class ConnectionPool implements AutoCloseable {
  /** Code of the caller that runs in the middle of a call, while that has its turn. */
  enum Guest {
    PREDICATE("the predicate of a filter"),
    LISTENER("the listener of a write");

    private final String words;

    Guest(String words) {
      this.words = words;
    }
  }

  /** Null when there are readers alone. */
  private final @Nullable SqliteVecConnection writer;

  private final Turns writerTurn = new Turns(1);
  private final @Nullable Supplier<SqliteVecConnection> newReader;
  private final Turns readerTurns;

  /**
   * One after another: opening takes a descriptor more, which SQLite keeps for the next one,
   * because to close it would drop the locks of the others.
   */
  private final Turns opening = new Turns(1);

  private final int readers;
  private final ThreadLocal<@Nullable Guest> guests = new ThreadLocal<>();

  /** How many guests there are: without any, no thread needs to be asked about its own. */
  private final AtomicInteger guestCount = new AtomicInteger();

  /**
   * Readers that nobody uses now, the last used first, because its cache is warm. Guarded by this.
   */
  private final Deque<SqliteVecConnection> idle = new ArrayDeque<>();

  /** Guarded by this. */
  private int openReaders;

  /** How many saves go on, which close waits for. Guarded by this. */
  private int saves;

  private volatile boolean closed;

  private ConnectionPool(
      @Nullable SqliteVecConnection writer,
      @Nullable Supplier<SqliteVecConnection> newReader,
      int readers) {
    this.writer = writer;
    this.newReader = newReader;
    this.readers = readers;
    this.readerTurns = newReader == null ? writerTurn : new Turns(readers);
  }

  /** One connection for everything. */
  static ConnectionPool inMemory(SqliteVecConnection connection) {
    return new ConnectionPool(connection, null, 0);
  }

  /** One writer, and up to {@code readers} readers beside it. */
  static ConnectionPool overFile(
      SqliteVecConnection writer, Supplier<SqliteVecConnection> newReader, int readers) {
    return new ConnectionPool(writer, newReader, readers);
  }

  /** Up to {@code readers} readers, {@code first} among them, and no writer. */
  static ConnectionPool readOnly(
      SqliteVecConnection first, Supplier<SqliteVecConnection> newReader, int readers) {
    ConnectionPool pool = new ConnectionPool(null, newReader, readers);
    pool.idle.push(first);
    pool.openReaders = 1;
    return pool;
  }

  /**
   * Waits for the writer; give it back with {@link #releaseWriter}.
   *
   * @param what the call, for the message of what a limit throws
   * @throws IllegalStateException when the pool is closed, or a guest asks
   */
  SqliteVecConnection acquireWriter(Limits limits, String what) {
    refuse(guest());
    take(writerTurn, limits, what);
    return Objects.requireNonNull(writer);
  }

  void releaseWriter() {
    writerTurn.release();
  }

  /**
   * Waits for a reader; give it back with {@link #releaseReader}.
   *
   * @param what the call, for the message of what a limit throws
   * @throws IllegalStateException when the pool is closed, or a guest asks: except a listener over
   *     a file, which has readers of its own
   */
  SqliteVecConnection acquireReader(Limits limits, String what) {
    Guest guest = guest();
    if (guest != Guest.LISTENER || newReader == null) {
      refuse(guest);
    }
    take(readerTurns, limits, what);
    if (newReader == null) {
      return Objects.requireNonNull(writer);
    }
    SqliteVecConnection reader = pollIdle();
    if (reader != null) {
      return reader;
    }
    boolean opened = false;
    try {
      opening.acquire(limits, what);
      try {
        reader = newReader.get();
      } finally {
        opening.release();
      }
      opened = true;
    } finally {
      if (!opened) {
        readerTurns.release();
      }
    }
    synchronized (this) {
      openReaders++;
    }
    return reader;
  }

  void releaseReader(SqliteVecConnection reader) {
    if (newReader != null) {
      synchronized (this) {
        idle.push(reader);
      }
    }
    readerTurns.release();
  }

  /**
   * Runs the caller's code in the middle of a call. What it asks of the index would wait for the
   * very call that waits for it, and is refused.
   */
  void host(Guest guest, Runnable code) {
    Guest outer = guests.get();
    guests.set(guest);
    guestCount.incrementAndGet();
    try {
      code.run();
    } finally {
      guestCount.decrementAndGet();
      guests.set(outer);
    }
  }

  private @Nullable Guest guest() {
    return guestCount.get() == 0 ? null : guests.get();
  }

  private static void refuse(@Nullable Guest guest) {
    if (guest != null) {
      throw new IllegalStateException(
          guest.words + " called the index that waits for it, which would wait for ever");
    }
  }

  /**
   * Begins a save, which uses connections of its own and none of the turns; {@link #endSave} ends
   * it.
   *
   * @throws IllegalStateException as {@link #acquireReader}
   */
  void beginSave() {
    Guest guest = guest();
    if (guest != Guest.LISTENER || newReader == null) {
      refuse(guest);
    }
    synchronized (this) {
      requireOpen();
      saves++;
    }
  }

  synchronized void endSave() {
    saves--;
    notifyAll();
  }

  /** Opens a connection for a save, which closes it. */
  SqliteVecConnection openForSave(Supplier<SqliteVecConnection> opener) {
    opening.acquire(Limits.NONE, "the save");
    try {
      return opener.get();
    } finally {
      opening.release();
    }
  }

  /** Lets a save have its turn on the writer, also while {@link #close()} waits for the save. */
  <T> T onWriterForSave(Function<SqliteVecConnection, T> use) {
    writerTurn.acquire(Limits.NONE, "the save");
    try {
      return use.apply(Objects.requireNonNull(writer));
    } finally {
      writerTurn.release();
    }
  }

  /** Whoever waits is not told of an interrupt before the end. */
  private synchronized void awaitSaves() {
    boolean interrupted = false;
    while (saves > 0) {
      try {
        wait();
      } catch (InterruptedException later) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  /**
   * Shows every connection that nobody uses now, without waiting for the others. One at a time, so
   * that whoever comes meanwhile gets one of the rest, or waits for that one.
   */
  void forEachIdle(Consumer<SqliteVecConnection> visitor) {
    if (writer != null && writerTurn.tryAcquire()) {
      try {
        if (!closed) {
          visitor.accept(writer);
        }
      } finally {
        writerTurn.release();
      }
    }
    if (newReader == null) {
      return;
    }
    for (SqliteVecConnection reader : idleReaders()) {
      if (!readerTurns.tryAcquire()) {
        return;
      }
      try {
        // Not shown inside: nobody would get or give back a reader meanwhile.
        if (takeIdle(reader)) {
          try {
            visitor.accept(reader);
          } finally {
            putBack(reader);
          }
        }
      } finally {
        readerTurns.release();
      }
    }
  }

  private synchronized List<SqliteVecConnection> idleReaders() {
    return List.copyOf(idle);
  }

  /** Whether it is still idle. */
  private synchronized boolean takeIdle(SqliteVecConnection reader) {
    return idle.remove(reader);
  }

  /** Behind those that were used: after all have been shown, the order is as before. */
  private synchronized void putBack(SqliteVecConnection reader) {
    idle.addLast(reader);
  }

  /** How many readers are open; 0 in memory. */
  synchronized int openReaders() {
    return openReaders;
  }

  /**
   * Waits for the connections in use, closes all. Those who wait for one are told that the index is
   * closed.
   */
  @Override
  public void close() {
    refuse(guest());
    closed = true;
    awaitSaves();
    writerTurn.acquire(Limits.NONE, "close");
    for (int i = 0; i < readers; i++) {
      readerTurns.acquire(Limits.NONE, "close");
    }
    try {
      closeReaders();
    } finally {
      // The writer last: the last one to close a file empties its write-ahead log, and only a
      // writer can.
      if (writer != null) {
        writer.close();
      }
      for (int i = 0; i < readers; i++) {
        readerTurns.release();
      }
      writerTurn.release();
    }
  }

  private synchronized void closeReaders() {
    while (!idle.isEmpty()) {
      idle.pop().close();
      openReaders--;
    }
  }

  private void take(Turns turns, Limits limits, String what) {
    requireOpen();
    turns.acquire(limits, what);
    if (closed) {
      turns.release();
      requireOpen();
    }
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("the index is closed");
    }
  }

  private synchronized @Nullable SqliteVecConnection pollIdle() {
    return idle.poll();
  }
}
