package io.github.panvec;

import java.util.Objects;

/**
 * How a {@link ShardedIndex} opens its shards. Immutable.
 *
 * <pre>{@code
 * ShardedIndex.open(shards, ShardOptions.defaults().inMemory().budget(8L << 30));
 * }</pre>
 */
public final class ShardOptions {
  private static final ShardOptions DEFAULTS = new ShardOptions(Long.MAX_VALUE, true, Verify.FULL);

  private final long budget;
  private final boolean views;
  private final Verify verify;

  private ShardOptions(long budget, boolean views, Verify verify) {
    this.budget = budget;
    this.views = views;
    this.verify = verify;
  }

  /** Views, every byte verified before it is used, as many as there are shards. */
  public static ShardOptions defaults() {
    return DEFAULTS;
  }

  /**
   * At most so many bytes of shards are open at any moment; each counts with the bytes of its files
   * ({@link SnapshotManifest#bytes()}).
   *
   * @throws IllegalArgumentException when {@code bytes < 1}
   */
  public ShardOptions budget(long bytes) {
    if (bytes < 1) {
      throw new IllegalArgumentException("budget must be at least 1 byte, not " + bytes);
    }
    return new ShardOptions(bytes, views, verify);
  }

  /** Opens shards as {@link Panvec#view(SnapshotSource, Verify)} does. */
  public ShardOptions views(Verify verify) {
    return new ShardOptions(budget, true, Objects.requireNonNull(verify, "verify"));
  }

  /** Opens shards as {@link Panvec#open(SnapshotSource)} does. */
  public ShardOptions inMemory() {
    return new ShardOptions(budget, false, Verify.FULL);
  }

  long budget() {
    return budget;
  }

  boolean areViews() {
    return views;
  }

  Verify verify() {
    return verify;
  }
}
