package io.github.panvec.conformance;

import io.github.panvec.IdFilter;
import java.util.BitSet;
import java.util.List;
import java.util.LongSummaryStatistics;
import java.util.function.LongUnaryOperator;
import java.util.stream.LongStream;

/** What the ids of a filter are, and filters of the same kind with other ids. */
final class Filters {
  /** A bitmap is not made longer than this. */
  private static final long MOST_BITS = 4096;

  private Filters() {}

  /** One of each kind there is, which let some of the ids from 0 on through. */
  static List<IdFilter> ofEveryKind() {
    BitSet bits = new BitSet();
    bits.set(2, 9);
    bits.set(70);
    IdFilter few = IdFilter.in(1, 2, 3, 8);
    IdFilter range = IdFilter.range(0, 12);
    IdFilter odd = IdFilter.matching(id -> id % 2 != 0);
    return List.of(
        few,
        few.not(),
        range,
        IdFilter.bitmap(0, bits),
        odd,
        range.and(odd),
        few.or(IdFilter.range(10, 11)).or(IdFilter.bitmap(20, bits)));
  }

  static IdFilter in(List<Long> ids) {
    return IdFilter.in(ids.stream().mapToLong(Long::longValue).toArray());
  }

  /** The ids that pass, ascending. */
  static LongStream ids(IdFilter filter) {
    if (filter instanceof IdFilter.In list) {
      return LongStream.of(list.ids());
    }
    IdFilter.Bitmap bitmap = (IdFilter.Bitmap) filter;
    return BitSet.valueOf(bitmap.words()).stream().mapToLong(bit -> bitmap.firstId() + bit);
  }

  static IdFilter map(IdFilter filter, LongUnaryOperator change) {
    return of(filter, ids(filter).map(change).boxed().toList());
  }

  /** A filter of the same kind as {@code kind} where that is possible. */
  static IdFilter of(IdFilter kind, List<Long> ids) {
    LongSummaryStatistics range = ids.stream().mapToLong(Long::longValue).summaryStatistics();
    long span = range.getMax() - range.getMin();
    if (kind instanceof IdFilter.In || ids.isEmpty() || span < 0 || span >= MOST_BITS) {
      return in(ids);
    }
    BitSet bits = new BitSet();
    ids.forEach(id -> bits.set((int) (id - range.getMin())));
    return IdFilter.bitmap(range.getMin(), bits);
  }
}
