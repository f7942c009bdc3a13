package io.github.panvec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.Objects;
import java.util.function.LongPredicate;
import java.util.stream.Collectors;

/**
 * Which ids a search may return. Immutable, and shared freely by threads and indexes.
 *
 * <pre>{@code
 * IdFilter mine = IdFilter.range(1000, 1999).and(IdFilter.notIn(1234, 1300));
 * }</pre>
 *
 * <p>A filtered search returns min(k, live vectors that match) hits at any selectivity. A filter is
 * evaluated anew by every search: a list costs time for each of its ids, anything else for each row
 * of the index. {@link VectorIndex#prepare} does that once, for many searches.
 */
public sealed interface IdFilter {
  /** How deep and, or, not may nest; a chain of and, or of or, counts as one. */
  int MAX_DEPTH = 1000;

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

  /** All ids but those in a list. */
  static IdFilter notIn(long... ids) {
    return in(ids).not();
  }

  /**
   * The ids from {@code first} to {@code last}, both included.
   *
   * @throws IllegalArgumentException when {@code first > last}
   */
  static IdFilter range(long first, long last) {
    return new Range(first, last);
  }

  /**
   * The ids that a predicate accepts. It is asked once for each live id by a search, and once for
   * each row by a {@linkplain VectorIndex#prepare prepared} filter, and again after a compaction;
   * on the thread of the search. What it throws ends the search and reaches its caller.
   *
   * @param predicate always of the same opinion about an id, and safe for use by several threads
   *     where the filter is used by several; it must not call the index that is searched, which
   *     refuses with {@link IllegalStateException}
   */
  static IdFilter matching(LongPredicate predicate) {
    return new Matching(predicate);
  }

  /** Ids that pass this filter and the other. */
  default IdFilter and(IdFilter other) {
    return new And(this, other);
  }

  /** Ids that pass this filter or the other. */
  default IdFilter or(IdFilter other) {
    return new Or(this, other);
  }

  /** Ids that do not pass this filter. */
  default IdFilter not() {
    return new Not(this);
  }

  /** Whether {@code id} may be returned. */
  boolean test(long id);

  /** How deep the deepest of {@code parts} is, for one that is made of them. */
  private static int checkedDepth(List<IdFilter> parts) {
    int deepest = 0;
    for (IdFilter part : parts) {
      int depth = 0;
      if (part instanceof And and) {
        depth = and.depth;
      } else if (part instanceof Or or) {
        depth = or.depth;
      } else if (part instanceof Not not) {
        depth = not.depth;
      } else if (part instanceof Prepared prepared) {
        depth = checkedDepth(List.of(prepared.source()));
      }
      deepest = Math.max(deepest, depth);
    }
    if (deepest >= MAX_DEPTH) {
      throw new IllegalArgumentException("filters nest at most " + MAX_DEPTH + " deep");
    }
    return deepest;
  }

  /**
   * A filter that an index has evaluated, see {@link VectorIndex#prepare}; by backends. Elsewhere
   * it is as good as its {@link #source}.
   */
  non-sealed interface Prepared extends IdFilter {

    /** What was prepared. */
    IdFilter source();

    @Override
    default boolean test(long id) {
      return source().test(id);
    }
  }

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

  /** Ids between two, both included. */
  final class Range implements IdFilter {
    private final long first;
    private final long last;

    private Range(long first, long last) {
      if (first > last) {
        throw new IllegalArgumentException(
            "a range of ids goes upwards, not from " + first + " to " + last);
      }
      this.first = first;
      this.last = last;
    }

    /** The smallest id. */
    public long first() {
      return first;
    }

    /** The largest id. */
    public long last() {
      return last;
    }

    @Override
    public boolean test(long id) {
      return id >= first && id <= last;
    }

    @Override
    public String toString() {
      return "range(" + first + " to " + last + ")";
    }
  }

  /** The ids that a predicate accepts. */
  final class Matching implements IdFilter {
    private final LongPredicate predicate;

    private Matching(LongPredicate predicate) {
      this.predicate = Objects.requireNonNull(predicate, "predicate");
    }

    @Override
    public boolean test(long id) {
      return predicate.test(id);
    }

    @Override
    public String toString() {
      return "matching(" + predicate.getClass().getName() + ")";
    }
  }

  /** Ids that pass all parts. */
  final class And implements IdFilter {
    private final List<IdFilter> parts;
    private final int depth;

    private And(IdFilter one, IdFilter other) {
      List<IdFilter> all = new ArrayList<>();
      for (IdFilter part : List.of(one, Objects.requireNonNull(other, "other"))) {
        if (part instanceof And and) {
          all.addAll(and.parts);
        } else {
          all.add(part);
        }
      }
      parts = List.copyOf(all);
      depth = 1 + checkedDepth(parts);
    }

    /** At least two, in the order given. */
    public List<IdFilter> parts() {
      return parts;
    }

    @Override
    public boolean test(long id) {
      for (IdFilter part : parts) {
        if (!part.test(id)) {
          return false;
        }
      }
      return true;
    }

    @Override
    public String toString() {
      return parts.stream().map(IdFilter::toString).collect(Collectors.joining(" and ", "(", ")"));
    }
  }

  /** Ids that pass one part at least. */
  final class Or implements IdFilter {
    private final List<IdFilter> parts;
    private final int depth;

    private Or(IdFilter one, IdFilter other) {
      List<IdFilter> all = new ArrayList<>();
      for (IdFilter part : List.of(one, Objects.requireNonNull(other, "other"))) {
        if (part instanceof Or or) {
          all.addAll(or.parts);
        } else {
          all.add(part);
        }
      }
      parts = List.copyOf(all);
      depth = 1 + checkedDepth(parts);
    }

    /** At least two, in the order given. */
    public List<IdFilter> parts() {
      return parts;
    }

    @Override
    public boolean test(long id) {
      for (IdFilter part : parts) {
        if (part.test(id)) {
          return true;
        }
      }
      return false;
    }

    @Override
    public String toString() {
      return parts.stream().map(IdFilter::toString).collect(Collectors.joining(" or ", "(", ")"));
    }
  }

  /** Ids that do not pass another filter. */
  final class Not implements IdFilter {
    private final IdFilter refused;
    private final int depth;

    private Not(IdFilter refused) {
      this.refused = refused;
      depth = 1 + checkedDepth(List.of(refused));
    }

    /** The other filter. */
    public IdFilter refused() {
      return refused;
    }

    /** The other filter itself. */
    @Override
    public IdFilter not() {
      return refused;
    }

    @Override
    public boolean test(long id) {
      return !refused.test(id);
    }

    @Override
    public String toString() {
      return "not " + refused;
    }
  }
}
