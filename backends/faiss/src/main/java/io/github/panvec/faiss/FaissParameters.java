package io.github.panvec.faiss;

import io.github.panvec.IndexSpec;
import io.github.panvec.Parameter;
import io.github.panvec.engine.ManagedIndex;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The parameters of one index, checked against each other, with the defaults that depend on the
 * number of rows N and the dimension d.
 *
 * <p>The rules are those of FAISS's "Guidelines to choose an index" and "Faiss building blocks"
 * (its wiki): 4 sqrt(N) to 16 sqrt(N) inverted lists below a million rows, 39 to 256 training rows
 * per centroid, 8 bits per component of a scalar and per subvector of a product quantiser.
 */
record FaissParameters(
    FaissType type,
    int dimension,
    int m,
    int efConstruction,
    int efSearch,
    int givenNlist,
    int givenNprobe,
    long expectedRows,
    long givenTrainingRows,
    int pqM,
    int pqBits,
    int givenRefineFactor,
    boolean keepVectors,
    long seed) {

  /** FAISS's ClusteringParameters.min_points_per_centroid: with fewer it warns. */
  private static final long ROWS_PER_CENTROID = 39;

  /** Enough for the range of a component; a scan of so few rows is quick. */
  private static final long SCALAR_TRAINING_ROWS = 4096;

  /** Components per subvector: one byte for 16. */
  private static final double SUBVECTOR = 4;

  private static final String TYPE = "type";

  /** What the backend declares. */
  static final List<Parameter> DECLARED =
      List.of(
          // The first is the default.
          Parameter.choice(
              TYPE,
              List.of("hnsw", "hnsw_sq8", "flat", "sq8", "pq", "ivf_flat", "ivf_sq8", "ivf_pq"),
              "flat scans all rows; hnsw walks a graph; ivf looks into lists of near rows; sq8 and pq rank by codes"),
          graphs(
              Parameter.integer(
                  "m",
                  16,
                  2,
                  512,
                  "neighbours per node above the base layer, which has twice as many")),
          graphs(
              Parameter.integer(
                  "efConstruction",
                  200,
                  1,
                  1_000_000,
                  "candidates kept while a row is linked: higher is slower and better")),
          graphs(
              Parameter.integer(
                  "efSearch",
                  64,
                  1,
                  1_000_000,
                  "candidates kept by a search (at least k): higher is slower and better")),
          lists(
              Parameter.integer(
                  "nlist",
                  0,
                  0,
                  1 << 24,
                  "inverted lists; 0: 4 sqrt(N), N being expectedRows or the rows when it trains")),
          lists(
              Parameter.integer(
                  "nprobe",
                  0,
                  0,
                  1 << 24,
                  "lists that a search looks into: higher is slower and better; 0: 2 sqrt(nlist)")),
          lists(
              Parameter.integer(
                  "expectedRows",
                  0,
                  0,
                  Integer.MAX_VALUE,
                  "how many rows the index will have, for the choice of nlist; 0: not known")),
          Parameter.integer(
                  "trainingRows",
                  0,
                  0,
                  Integer.MAX_VALUE,
                  "trains by itself when it has so many rows, until then searches are exact; 0: 39 for each centroid")
              .onlyFor(TYPE, FaissType.names(FaissType::trains)),
          pq(
              Parameter.integer(
                  "pqM",
                  0,
                  0,
                  65_536,
                  "subvectors of a product quantiser, a divisor of the dimension; 0: about 4 components each")),
          pq(Parameter.integer("pqBits", 8, 4, 12, "bits of the code of a subvector")),
          lossy(
              Parameter.integer(
                  "refineFactor",
                  0,
                  0,
                  10_000,
                  "how many times k candidates are ranked again by their float32 vectors; 0: 16 for pq, 4 for sq8")),
          lossy(
              Parameter.choice(
                  "keepVectors",
                  List.of("true", "false"),
                  "keep the float32 vectors beside the codes; false saves their memory, and get and exact search with it")),
          Parameter.integer(
              "threads",
              Runtime.getRuntime().availableProcessors(),
              1,
              1024,
              "threads that may train, encode and link a batch, or search for one, together"),
          ManagedIndex.COMPACT_AT,
          Parameter.integer(
              "seed", 100, 0, Long.MAX_VALUE, "decides the layers of rows and what is trained on"));

  private static Parameter graphs(Parameter parameter) {
    return parameter.onlyFor(TYPE, FaissType.names(FaissType::isGraph));
  }

  private static Parameter lists(Parameter parameter) {
    return parameter.onlyFor(TYPE, FaissType.names(FaissType::hasLists));
  }

  private static Parameter pq(Parameter parameter) {
    return parameter.onlyFor(TYPE, FaissType.names(FaissType::isPq));
  }

  private static Parameter lossy(Parameter parameter) {
    return parameter.onlyFor(TYPE, FaissType.names(FaissType::isLossy));
  }

  /**
   * Reads a resolved spec.
   *
   * @throws IllegalArgumentException when parameters do not fit together, saying what would
   */
  static FaissParameters of(IndexSpec spec) {
    Map<String, Object> given = spec.parameters();
    FaissType type = FaissType.of(given.get(TYPE));
    int pqM = integer(given, "pqM");
    FaissParameters parameters =
        new FaissParameters(
            type,
            spec.dimension(),
            integer(given, "m"),
            integer(given, "efConstruction"),
            integer(given, "efSearch"),
            integer(given, "nlist"),
            integer(given, "nprobe"),
            number(given, "expectedRows"),
            number(given, "trainingRows"),
            pqM == 0 && type.isPq() ? subvectors(spec.dimension()) : pqM,
            integer(given, "pqBits"),
            integer(given, "refineFactor"),
            !"false".equals(given.get("keepVectors")),
            number(given, "seed"));
    parameters.check();
    return parameters;
  }

  private static long number(Map<String, Object> given, String name) {
    return (Long) given.getOrDefault(name, 0L);
  }

  private static int integer(Map<String, Object> given, String name) {
    return Math.toIntExact(number(given, name));
  }

  private void check() {
    if (type.isPq() && dimension % pqM != 0) {
      throw new IllegalArgumentException(
          "pqM must divide the dimension, "
              + dimension
              + ", which "
              + pqM
              + " does not. Its divisors: "
              + divisors(dimension).stream()
                  .map(String::valueOf)
                  .collect(Collectors.joining(", ")));
    }
    checkNprobe(givenNprobe);
    long least = leastTrainingRows(Math.max(1, givenNlist));
    if (givenTrainingRows > 0 && givenTrainingRows < least) {
      throw new IllegalArgumentException(
          "trainingRows must be at least "
              + least
              + " ("
              + trainingNeeds(Math.max(1, givenNlist))
              + "), not "
              + givenTrainingRows);
    }
  }

  /**
   * Refuses more lists than were asked for. Where nlist follows from the data, nprobe is cut to it
   * instead: a program should not fail on the day that its index trains.
   */
  void checkNprobe(int nprobe) {
    if (givenNlist > 0 && nprobe > givenNlist) {
      throw new IllegalArgumentException(
          "nprobe must be from 1 to nlist, which is " + givenNlist + ", not " + nprobe);
    }
  }

  private static List<Integer> divisors(int dimension) {
    return IntStream.rangeClosed(1, dimension).filter(m -> dimension % m == 0).boxed().toList();
  }

  /** The divisor of {@code dimension} whose subvectors are nearest to 4 components, by ratio. */
  private static int subvectors(int dimension) {
    List<Integer> candidates = new ArrayList<>(divisors(dimension));
    double wanted = dimension / SUBVECTOR;
    candidates.sort(
        (a, b) -> Double.compare(Math.abs(Math.log(a / wanted)), Math.abs(Math.log(b / wanted))));
    return candidates.get(0);
  }

  /**
   * How many lists to train.
   *
   * @param rows how many rows there are or will be
   * @param sample how many of them it can train on
   */
  int nlist(long rows, long sample) {
    if (!type.hasLists()) {
      return 0;
    }
    if (givenNlist > 0) {
      return givenNlist;
    }
    double byRows = 4 * Math.sqrt(Math.max(rows, expectedRows));
    return (int) Math.max(1, Math.min(byRows, sample / ROWS_PER_CENTROID));
  }

  /** How many lists a search looks into that does not say. */
  int nprobe(int nlist) {
    if (givenNprobe > 0) {
      return Math.min(givenNprobe, Math.max(1, nlist));
    }
    return (int) Math.max(1, Math.min(nlist, Math.ceil(2 * Math.sqrt(nlist))));
  }

  /** With so many rows the index trains by itself. */
  long trainingRows() {
    if (givenTrainingRows > 0) {
      return givenTrainingRows;
    }
    long rows = type.isLossy() && !type.isPq() ? SCALAR_TRAINING_ROWS : 0;
    if (type.isPq()) {
      rows = Math.max(rows, ROWS_PER_CENTROID << pqBits);
    }
    if (type.hasLists()) {
      // 39 rows for each of 4 sqrt(N) lists; when N is not known yet: the N that is enough for its
      // own lists.
      double lists =
          givenNlist > 0
              ? givenNlist
              : expectedRows > 0 ? 4 * Math.sqrt(expectedRows) : 16.0 * ROWS_PER_CENTROID;
      rows = Math.max(rows, (long) Math.ceil(ROWS_PER_CENTROID * lists));
    }
    // Who expects fewer rows wants them trained on when they are there.
    long least = leastTrainingRows(Math.max(1, givenNlist));
    return expectedRows > 0 ? Math.max(least, Math.min(rows, expectedRows)) : rows;
  }

  /** Without so many rows there is no training. */
  long leastTrainingRows(int nlist) {
    return Math.max(type.hasLists() ? nlist : 1, type.isPq() ? 1L << pqBits : 1);
  }

  /** Why {@link #leastTrainingRows} is what it is. */
  String trainingNeeds(int nlist) {
    List<String> needs = new ArrayList<>();
    if (type.hasLists()) {
      needs.add("one for each of nlist=" + nlist + " lists");
    }
    if (type.isPq()) {
      needs.add("one for each of the " + (1 << pqBits) + " centroids of pqBits=" + pqBits);
    }
    return needs.isEmpty() ? "to see the range of a component" : String.join(", ", needs);
  }

  int refineFactor() {
    if (givenRefineFactor > 0) {
      return givenRefineFactor;
    }
    return type.isPq() ? 16 : 4;
  }
}
