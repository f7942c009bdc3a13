package io.github.panvec;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Which shards are open: those used last, as many as the budget has room for. Thread-safe.
 *
 * <p>A call uses one shard at a time and waits only while it uses none; so whoever waits for room
 * gets it. Those who wait for room are served in turn, and a shard that has to go for one takes no
 * new users: calls that keep coming to it cannot keep it open.
 */
final class OpenShards {
  /** How long a wait goes on after it was cancelled. */
  private static final long LOOK_NANOS = 1_000_000;

  private final ShardOptions options;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();

  // All under the lock:

  /** Those that are open and may be used, by their last use. */
  private final Set<Shard> open = new LinkedHashSet<>();

  /** Those that wait for room, in order of coming. */
  private final Deque<Shard> waiting = new ArrayDeque<>();

  /** Bytes of all shards that are open, being opened or being closed. */
  private long taken;

  /** Bytes of those that are being closed, or will be by their last user. */
  private long leaving;

  private long opened;
  private long evicted;
  private int calls;
  private boolean closing;
  private boolean closed;

  OpenShards(ShardOptions options) {
    this.options = options;
  }

  /** Numbers at one moment. */
  record Counts(int open, long bytes, long opened, long evicted) {}

  Counts counts() {
    lock.lock();
    try {
      return new Counts(open.size(), taken, opened, evicted);
    } finally {
      lock.unlock();
    }
  }

  // ------------------------------------------------------------------------------------ calls

  /** Begins a call; {@link #endCall} is owed. */
  void beginCall() {
    lock.lock();
    try {
      if (closing) {
        throw new IllegalStateException("the shards are closed");
      }
      calls++;
    } finally {
      lock.unlock();
    }
  }

  void endCall() {
    lock.lock();
    try {
      calls--;
      if (calls == 0) {
        changed.signalAll();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Refuses further calls, waits for those in flight, and closes everything. */
  void close(List<Shard> shards) {
    lock.lock();
    try {
      closing = true;
      while (calls > 0) {
        changed.awaitUninterruptibly();
      }
      if (!closed) {
        closed = true;
        for (Shard shard : shards) {
          if (shard.index != null) {
            shard.index.close();
          }
          shard.giveBack();
        }
      }
    } finally {
      lock.unlock();
    }
  }

  // ----------------------------------------------------------------------------------- shards

  /** The index of a shard that is open, or null; {@link #release} is owed for an index. */
  @Nullable VectorIndex useIfOpen(Shard shard) {
    lock.lock();
    try {
      return take(shard);
    } finally {
      lock.unlock();
    }
  }

  /**
   * The index of a shard; {@link #release} is owed.
   *
   * @param limits when to give up
   */
  VectorIndex use(Shard shard, Limits limits) {
    lock.lock();
    try {
      while (true) {
        VectorIndex index = take(shard);
        if (index != null) {
          return index;
        }
        if (shard.index == null && !shard.opening) {
          reserve(shard, limits);
          break;
        }
        await(limits);
      }
    } finally {
      lock.unlock();
    }
    return open(shard, limits);
  }

  private @Nullable VectorIndex take(Shard shard) {
    if (shard.retiring || shard.index == null) {
      return null;
    }
    shard.users++;
    open.remove(shard);
    open.add(shard);
    return shard.index;
  }

  /** Waits until there is room for the shard, which nobody else opens meanwhile. Lock. */
  private void reserve(Shard shard, Limits limits) {
    shard.opening = true;
    waiting.add(shard);
    boolean reserved = false;
    try {
      while (waiting.peek() != shard || !makeRoom(shard.bytes())) {
        await(limits);
      }
      taken += shard.bytes();
      reserved = true;
    } finally {
      waiting.remove(shard);
      shard.opening = reserved;
      changed.signalAll();
    }
  }

  /** Sends away those used least recently, and says whether there is room. Lock. */
  private boolean makeRoom(long bytes) {
    while (taken - leaving + bytes > options.budget() && !open.isEmpty()) {
      Shard eldest = open.iterator().next();
      open.remove(eldest);
      eldest.retiring = true;
      leaving += eldest.bytes();
      if (eldest.users == 0) {
        evict(eldest);
      }
    }
    return taken + bytes <= options.budget();
  }

  /** Closes a shard that nobody uses, without the lock for the time. Lock. */
  private void evict(Shard shard) {
    VectorIndex index = shard.index;
    shard.index = null;
    shard.retiring = false;
    lock.unlock();
    try {
      index.close();
    } finally {
      lock.lock();
      taken -= shard.bytes();
      leaving -= shard.bytes();
      evicted++;
      changed.signalAll();
    }
  }

  private VectorIndex open(Shard shard, Limits limits) {
    VectorIndex index = null;
    try {
      limits.check("the search");
      index = shard.open(options, limits);
      return index;
    } finally {
      lock.lock();
      try {
        shard.opening = false;
        if (index == null) {
          taken -= shard.bytes();
        } else {
          shard.index = index;
          shard.users = 1;
          open.add(shard);
          opened++;
        }
        changed.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  /** Ends a use. */
  void release(Shard shard) {
    lock.lock();
    try {
      shard.users--;
      if (shard.retiring && shard.users == 0) {
        evict(shard);
      }
    } finally {
      lock.unlock();
    }
  }

  /**
   * Until something changed, or it is time to look at the limits. Interrupts are left for later.
   */
  private void await(Limits limits) {
    limits.check("the search");
    if (limits.isNone()) {
      changed.awaitUninterruptibly();
      return;
    }
    boolean interrupted = Thread.interrupted();
    try {
      changed.awaitNanos(Math.min(LOOK_NANOS, limits.nanosLeft()));
    } catch (InterruptedException later) {
      interrupted = true;
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
