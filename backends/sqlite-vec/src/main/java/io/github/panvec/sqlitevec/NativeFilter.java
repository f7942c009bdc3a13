package io.github.panvec.sqlitevec;

import static io.github.panvec.bindings.sqlitevec.PanvecSqlitevec.PANVEC_SQLITEVEC_AND;
import static io.github.panvec.bindings.sqlitevec.PanvecSqlitevec.PANVEC_SQLITEVEC_BITMAP;
import static io.github.panvec.bindings.sqlitevec.PanvecSqlitevec.PANVEC_SQLITEVEC_IDS;
import static io.github.panvec.bindings.sqlitevec.PanvecSqlitevec.PANVEC_SQLITEVEC_NOT;
import static io.github.panvec.bindings.sqlitevec.PanvecSqlitevec.PANVEC_SQLITEVEC_OR;
import static io.github.panvec.bindings.sqlitevec.PanvecSqlitevec.PANVEC_SQLITEVEC_RANGE;

import io.github.panvec.IdFilter;
import io.github.panvec.bindings.sqlitevec.panvec_sqlitevec_filter_step;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A filter as the native library takes it: sets of ids, and how they are combined, in postfix
 * order. It lives as long as the arena it was made in.
 *
 * @param steps {@code count} structs, or NULL when everything may be returned
 */
record NativeFilter(MemorySegment steps, long count) {

  /** Everything may be returned. */
  static final NativeFilter NONE = new NativeFilter(MemorySegment.NULL, 0);

  /** Whether only Java can evaluate it: there is a predicate in it. */
  static boolean needsJava(@Nullable IdFilter filter) {
    if (filter instanceof IdFilter.Matching) {
      return true;
    }
    if (filter == null) {
      return false;
    }
    for (IdFilter part : parts(filter)) {
      if (needsJava(part)) {
        return true;
      }
    }
    return false;
  }

  /** Copies a filter without predicates into {@code arena}. */
  static NativeFilter of(@Nullable IdFilter filter, Arena arena) {
    if (filter == null) {
      return NONE;
    }
    Writer writer = new Writer(count(filter), arena);
    writer.append(filter);
    return writer.result();
  }

  /** The ids of a list, ascending and without duplicates, or all others. */
  static NativeFilter ofSorted(long[] ids, boolean others, Arena arena) {
    Writer writer = new Writer(2, arena);
    writer.append(PANVEC_SQLITEVEC_IDS(), 0, 0, ids);
    if (others) {
      writer.append(PANVEC_SQLITEVEC_NOT(), 1);
    }
    return writer.result();
  }

  private static long count(IdFilter filter) {
    long count = 1;
    for (IdFilter part : parts(filter)) {
      count += count(part);
    }
    return count;
  }

  /** The filters that one is made of. */
  private static List<IdFilter> parts(IdFilter filter) {
    if (filter instanceof IdFilter.And and) {
      return and.parts();
    }
    if (filter instanceof IdFilter.Or or) {
      return or.parts();
    }
    if (filter instanceof IdFilter.Not not) {
      return List.of(not.refused());
    }
    return filter instanceof IdFilter.Prepared prepared ? List.of(prepared.source()) : List.of();
  }

  /** Appends steps. */
  private static final class Writer {
    private final Arena arena;
    private final MemorySegment steps;
    private long written;

    Writer(long most, Arena arena) {
      this.arena = arena;
      steps = panvec_sqlitevec_filter_step.allocateArray(most, arena);
    }

    NativeFilter result() {
      return new NativeFilter(steps, written);
    }

    void append(IdFilter filter) {
      List<IdFilter> parts = parts(filter);
      for (IdFilter part : parts) {
        append(part);
      }
      if (filter instanceof IdFilter.In in) {
        append(PANVEC_SQLITEVEC_IDS(), 0, 0, in.ids());
      } else if (filter instanceof IdFilter.Bitmap bits) {
        append(PANVEC_SQLITEVEC_BITMAP(), bits.firstId(), 0, bits.words());
      } else if (filter instanceof IdFilter.Range range) {
        append(PANVEC_SQLITEVEC_RANGE(), range.first(), range.last(), new long[0]);
      } else if (filter instanceof IdFilter.Not) {
        append(PANVEC_SQLITEVEC_NOT(), 1);
      } else if (filter instanceof IdFilter.And) {
        append(PANVEC_SQLITEVEC_AND(), parts.size());
      } else if (filter instanceof IdFilter.Or) {
        append(PANVEC_SQLITEVEC_OR(), parts.size());
      } else if (filter instanceof IdFilter.Matching) {
        throw new IllegalArgumentException("only Java can evaluate " + filter);
      }
    }

    void append(int kind, long operands) {
      MemorySegment step = next(kind);
      panvec_sqlitevec_filter_step.count(step, operands);
    }

    void append(int kind, long first, long last, long[] data) {
      MemorySegment step = next(kind);
      panvec_sqlitevec_filter_step.first(step, first);
      panvec_sqlitevec_filter_step.last(step, last);
      panvec_sqlitevec_filter_step.count(step, data.length);
      if (data.length > 0) {
        panvec_sqlitevec_filter_step.data(step, arena.allocateFrom(ValueLayout.JAVA_LONG, data));
      }
    }

    private MemorySegment next(int kind) {
      MemorySegment step = panvec_sqlitevec_filter_step.asSlice(steps, written++);
      panvec_sqlitevec_filter_step.kind(step, kind);
      return step;
    }
  }
}
