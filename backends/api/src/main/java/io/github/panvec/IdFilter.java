package io.github.panvec;

import java.util.Arrays;
import java.util.BitSet;
import java.util.Objects;

/**
 * Which ids a search may return. Immutable, and shared freely by threads and indexes.
 *
 * <p>A filtered search returns min(k, live vectors that match) hits at any selectivity. A filter is
 * looked up anew by every search: a list costs time for each of its ids, a bitmap for each row of
 * the index.
 */
public sealed interface IdFilter {

  /** The ids in a list; duplicates and ids that no vector has are allowed. */
  static IdFilter in(long... ids) {
    return new In(ids);
  }

  /**
   * The ids {@code firstId + i} for every bit {@code i} that is set.
   *
   * @throws IllegalArgumentException when the last id would be beyond {@link Long#MAX_VALUE}
   */
  static IdFilter bitmap(long firstId, BitSet bits) {
    if (!bits.isEmpty() && firstId > Long.MAX_VALUE - (bits.length() - 1)) {
      throw new IllegalArgumentException(
          "bit " + (bits.length() - 1) + " above id " + firstId + " is beyond the largest long");
    }
    return new Bitmap(firstId, bits.toLongArray());
  }

  /** Whether {@code id} may be returned. */
  boolean test(long id);

  /** The ids in a list. */
  final class In implements IdFilter {
    private final long[] sorted;

    private In(long[] ids) {
      long[] copy = ids.clone();
      Arrays.sort(copy);
      int distinct = 0;
      for (int i = 0; i < copy.length; i++) {
        if (i == 0 || copy[i] != copy[i - 1]) {
          copy[distinct++] = copy[i];
        }
      }
      sorted = Arrays.copyOf(copy, distinct);
    }

    /** How many distinct ids. */
    public int count() {
      return sorted.length;
    }

    /** The distinct ids in ascending order, by rank. */
    public long id(int rank) {
      return sorted[rank];
    }

    /** A copy of the distinct ids, ascending. */
    public long[] ids() {
      return sorted.clone();
    }

    @Override
    public boolean test(long id) {
      return Arrays.binarySearch(sorted, id) >= 0;
    }

    @Override
    public String toString() {
      return "in(" + sorted.length + " ids)";
    }
  }

  /** A run of ids with a bit each. */
  final class Bitmap implements IdFilter {
    private final long firstId;
    private final long[] words;

    private Bitmap(long firstId, long[] words) {
      this.firstId = firstId;
      this.words = Objects.requireNonNull(words);
    }

    /** The id of bit 0. */
    public long firstId() {
      return firstId;
    }

    /**
     * A copy of the bits: bit {@code i % 64} of word {@code i / 64} stands for id {@code firstId +
     * i}.
     */
    public long[] words() {
      return words.clone();
    }

    /** How many words of 64 bits. */
    public int wordCount() {
      return words.length;
    }

    /** Word {@code index} of the bits. */
    public long word(int index) {
      return words[index];
    }

    /** How many bits are set. */
    public long count() {
      long count = 0;
      for (long word : words) {
        count += Long.bitCount(word);
      }
      return count;
    }

    @Override
    public boolean test(long id) {
      long bit = id - firstId;
      // An id far below firstId wraps round to a large bit; only a bit inside the words can be set.
      return id >= firstId
          && bit >= 0
          && bit < words.length * 64L
          && (words[(int) (bit >>> 6)] >>> bit & 1) != 0;
    }

    @Override
    public String toString() {
      return "bitmap(" + count() + " of " + words.length * 64L + " ids from " + firstId + ")";
    }
  }
}
