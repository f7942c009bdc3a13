package io.github.panvec.sqlitevec;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.Semaphore;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Who may use which connection when: each is used by one thread at a time, and whoever asked first
 * is served first.
 *
 * <p>Over a file there is one writer, and readers that are opened when they are first needed. In
 * memory there is one connection, and readers and writers take turns on it. Thread-safe.
 */
final class ConnectionPool implements AutoCloseable {
  private final SqliteVecConnection writer;
  private final Semaphore writerTurn = new Semaphore(1, true);
  private final @Nullable Supplier<SqliteVecConnection> newReader;
  private final Semaphore readerTurns;
  private final int readers;

  /**
   * Readers that nobody uses now, the last used first, because its cache is warm. Guarded by this.
   */
  private final Deque<SqliteVecConnection> idle = new ArrayDeque<>();

  /** Guarded by this. */
  private int openReaders;

  private volatile boolean closed;

  private ConnectionPool(
      SqliteVecConnection writer, @Nullable Supplier<SqliteVecConnection> newReader, int readers) {
    this.writer = writer;
    this.newReader = newReader;
    this.readers = readers;
    this.readerTurns = newReader == null ? writerTurn : new Semaphore(readers, true);
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

  /**
   * Waits for the writer; give it back with {@link #releaseWriter}.
   *
   * @throws IllegalStateException when the pool is closed
   */
  SqliteVecConnection acquireWriter() {
    take(writerTurn);
    return writer;
  }

  void releaseWriter() {
    writerTurn.release();
  }

  /**
   * Waits for a reader; give it back with {@link #releaseReader}.
   *
   * @throws IllegalStateException when the pool is closed
   */
  SqliteVecConnection acquireReader() {
    take(readerTurns);
    if (newReader == null) {
      return writer;
    }
    SqliteVecConnection reader = pollIdle();
    if (reader != null) {
      return reader;
    }
    boolean opened = false;
    try {
      reader = newReader.get();
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

  /** Shows every connection that nobody uses now, without waiting for the others. */
  void forEachIdle(Consumer<SqliteVecConnection> visitor) {
    if (writerTurn.tryAcquire()) {
      try {
        if (!closed) {
          visitor.accept(writer);
        }
      } finally {
        writerTurn.release();
      }
    }
    if (newReader == null || !readerTurns.tryAcquire()) {
      return;
    }
    try {
      synchronized (this) {
        if (!closed) {
          idle.forEach(visitor);
        }
      }
    } finally {
      readerTurns.release();
    }
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
    closed = true;
    writerTurn.acquireUninterruptibly();
    if (newReader != null) {
      readerTurns.acquireUninterruptibly(readers);
    }
    try {
      closeReaders();
    } finally {
      // The writer last: the last one to close a file empties its write-ahead log, and only a
      // writer can.
      writer.close();
      if (newReader != null) {
        readerTurns.release(readers);
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

  private void take(Semaphore turn) {
    requireOpen();
    turn.acquireUninterruptibly();
    if (closed) {
      turn.release();
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
