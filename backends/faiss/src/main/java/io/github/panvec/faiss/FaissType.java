package io.github.panvec.faiss;

import io.github.panvec.engine.SearchCost;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;

/** The values of the parameter {@code type}, in the order of the constants of panvec_faiss.h. */
enum FaissType {
  FLAT,
  HNSW,
  HNSW_SQ8,
  IVF_FLAT,
  IVF_SQ8,
  IVF_PQ,
  PQ,
  SQ8;

  boolean isGraph() {
    return this == HNSW || this == HNSW_SQ8;
  }

  /** Whether it has inverted lists. */
  boolean hasLists() {
    return this == IVF_FLAT || this == IVF_SQ8 || this == IVF_PQ;
  }

  /** Whether it has a product quantiser. */
  boolean isPq() {
    return this == IVF_PQ || this == PQ;
  }

  /** Whether it ranks by codes. */
  boolean isLossy() {
    return this == HNSW_SQ8 || this == IVF_SQ8 || this == SQ8 || isPq();
  }

  /** What its codes cost to look through, from measurement: docs/adr/0016-filter-paths.md. */
  SearchCost.Codes codes() {
    return switch (this) {
      case IVF_PQ -> new SearchCost.Codes(6, 1, 150);
      case PQ -> new SearchCost.Codes(0.9, 0.05, 0);
      case IVF_SQ8, SQ8 -> new SearchCost.Codes(0.7, 1, 0);
      case FLAT, HNSW, HNSW_SQ8, IVF_FLAT -> new SearchCost.Codes(1, 1, 0);
    };
  }

  /** Whether it learns from data before it is more than an exact scan. */
  boolean trains() {
    return hasLists() || isLossy();
  }

  static FaissType of(Object name) {
    return valueOf(name.toString().toUpperCase(Locale.ROOT));
  }

  /** The names of those that {@code which} holds for. */
  static List<String> names(Predicate<FaissType> which) {
    return Arrays.stream(values()).filter(which).map(FaissType::toString).toList();
  }

  /** As the parameter has it, for example {@code ivf_pq}. */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
