package io.github.panvec.internal;

import io.github.panvec.IdFilter;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * Which filter a search has. A flight file holds it by {@linkplain #ordinal() number}: new ones
 * come last.
 */
public enum FilterKind {
  NONE,
  IN,
  BITMAP,
  RANGE,
  MATCHING,
  AND,
  OR,
  NOT,
  PREPARED;

  private final String word = name().toLowerCase(Locale.ROOT);

  static FilterKind of(@Nullable IdFilter filter) {
    if (filter == null) {
      return NONE;
    }
    if (filter instanceof IdFilter.Prepared) {
      return PREPARED;
    }
    if (filter instanceof IdFilter.In) {
      return IN;
    }
    if (filter instanceof IdFilter.Bitmap) {
      return BITMAP;
    }
    if (filter instanceof IdFilter.Range) {
      return RANGE;
    }
    if (filter instanceof IdFilter.Matching) {
      return MATCHING;
    }
    if (filter instanceof IdFilter.And) {
      return AND;
    }
    return filter instanceof IdFilter.Or ? OR : NOT;
  }

  /** In lower case. */
  @Override
  public String toString() {
    return word;
  }
}
