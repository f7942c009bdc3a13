package io.github.panvec.bench.eval;

import io.github.panvec.bench.Variant;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * The efforts at which a kind of index is measured, from the parameters it takes: {@code efSearch},
 * else {@code nprobe}; {@code refineFactor} where it ranks by codes and keeps the vectors.
 *
 * <p>A coarse sweep serves a table of many kinds, a fine one a table of few. A value that the user
 * set is not swept.
 */
final class Sweep {
  private static final int[] EF_SEARCH_COARSE = {16, 32, 64, 128, 200};
  private static final int[] EF_SEARCH_FINE = {16, 24, 32, 48, 64, 96, 128, 200, 256};

  /** {@code nprobe} as a share of all lists. */
  private static final int[] LISTS_PER_PROBE_COARSE = {64, 32, 16, 8, 4};

  private static final int[] LISTS_PER_PROBE_FINE = {128, 64, 32, 16, 8, 4, 2};
  private static final List<Integer> REFINE_FACTORS = List.of(1, 4, 16);
  private static final int REFINE_FACTOR = 4;

  private Sweep() {}

  /**
   * The efforts, from little to much.
   *
   * @param k neighbours wanted
   * @param nlist inverted lists of the index; 0 when it has none
   * @param fine whether to look closely
   */
  static List<Effort> of(Variant variant, int k, long nlist, boolean fine) {
    List<Effort> walks = walks(variant, k, nlist, fine);
    if (!variant.isQuantised()) {
      return walks;
    }
    List<Effort> some = fine ? walks : middle(walks);
    if (!variant.isReranked()) {
      Set<Effort> ends = new LinkedHashSet<>(List.of(some.get(0), some.get(some.size() - 1)));
      return fine ? some : List.copyOf(ends);
    }
    String given = variant.parameters().get("refineFactor");
    List<Effort> efforts = new ArrayList<>();
    for (Effort walk : some) {
      boolean isLast = walk.equals(some.get(some.size() - 1));
      List<Integer> factors =
          given != null
              ? List.of(Integer.parseInt(given.strip()))
              : fine || isLast ? REFINE_FACTORS : List.of(REFINE_FACTOR);
      for (int factor : factors) {
        efforts.add(new Effort(walk.efSearch(), walk.nprobe(), factor));
      }
    }
    return List.copyOf(efforts);
  }

  /** Without re-ranking. */
  private static List<Effort> walks(Variant variant, int k, long nlist, boolean fine) {
    if (variant.takes("efSearch")) {
      String given = variant.parameters().get("efSearch");
      boolean many = fine && !variant.isQuantised();
      return (given != null ? List.of(Integer.parseInt(given.strip())) : efSearch(k, many))
          .stream().map(efSearch -> new Effort(efSearch, 0, 0)).toList();
    }
    if (variant.takes("nprobe") && nlist > 0) {
      String given = variant.parameters().get("nprobe");
      boolean many = fine && !variant.isQuantised();
      return (given != null ? List.of(Integer.parseInt(given.strip())) : nprobe(nlist, many))
          .stream().map(nprobe -> new Effort(0, nprobe, 0)).toList();
    }
    return List.of(Effort.DEFAULT);
  }

  /** Values of efSearch worth measuring: none below k, because it is raised to k. */
  static List<Integer> efSearch(int k, boolean fine) {
    TreeSet<Integer> values = new TreeSet<>();
    for (int efSearch : fine ? EF_SEARCH_FINE : EF_SEARCH_COARSE) {
      if (efSearch >= k) {
        values.add(efSearch);
      }
    }
    if (values.size() < 4) {
      for (int percent : new int[] {100, 150, 200, 300, 400}) {
        values.add((int) Math.min(Integer.MAX_VALUE, (long) k * percent / 100));
      }
    }
    return List.copyOf(values);
  }

  /** Numbers of lists to look into, from a few of a hundred to a good part of them. */
  static List<Integer> nprobe(long nlist, boolean fine) {
    TreeSet<Integer> values = new TreeSet<>();
    for (int share : fine ? LISTS_PER_PROBE_FINE : LISTS_PER_PROBE_COARSE) {
      values.add((int) Math.min(Integer.MAX_VALUE, (nlist + share - 1) / share));
    }
    return List.copyOf(values);
  }

  /** Without the ends, where there are enough. */
  private static List<Effort> middle(List<Effort> walks) {
    return walks.size() <= 3 ? walks : walks.subList(1, walks.size() - 1);
  }
}
