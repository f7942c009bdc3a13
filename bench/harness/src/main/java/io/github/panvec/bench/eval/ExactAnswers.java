package io.github.panvec.bench.eval;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import io.github.panvec.bench.data.VectorSet;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Random;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * What exact search answers to the first queries: without a filter, among a list of ids, among a
 * bitmap of ids. Two that are equal agree on every id and every bit of every distance.
 */
final class ExactAnswers {
  /** So many of the queries, from the first. */
  static final int QUERIES = 100;

  private static final long SEED = 20261121;
  private static final int LISTED_SHARE = 100;

  private static final Comparator<Hit> NEAREST =
      Comparator.comparingDouble((Hit hit) -> hit.distance()).thenComparingLong(Hit::id);

  private final List<Question> questions;

  /** By question, then by query. */
  private final SearchResult[][] answers;

  /**
   * A question put to every query.
   *
   * @param what for people
   * @param filter null for none
   * @param rows the rows that pass
   */
  private record Question(String what, @Nullable IdFilter filter, BitSet rows) {}

  private ExactAnswers(List<Question> questions, SearchResult[][] answers) {
    this.questions = questions;
    this.answers = answers;
  }

  /** {@link Random} is specified to the bit, so every machine asks the same. */
  private static List<Question> questions(int rows) {
    BitSet all = new BitSet(rows);
    all.set(0, rows);
    Random random = new Random(SEED);
    BitSet listed = new BitSet(rows);
    while (listed.cardinality() < Math.max(1, rows / LISTED_SHARE)) {
      listed.set(random.nextInt(rows));
    }
    BitSet half = new BitSet(rows);
    for (int row = 0; row < rows; row++) {
      half.set(row, random.nextBoolean());
    }
    long[] ids = listed.stream().asLongStream().toArray();
    return List.of(
        new Question("", null, all),
        new Question(" among " + ids.length + " listed ids", IdFilter.in(ids), listed),
        new Question(" among a bitmap of half of the ids", IdFilter.bitmap(0, half), half));
  }

  /** By brute force in plain Java; shares no code with any backend. */
  static ExactAnswers ofPlainJava(Metric metric, int k, VectorSet base, VectorSet queries) {
    List<Question> questions = questions(base.rows());
    int asked = Math.min(QUERIES, queries.rows());
    SearchResult[][] answers = new SearchResult[questions.size()][asked];
    int workers = Math.min(asked, Runtime.getRuntime().availableProcessors());
    IntStream.range(0, workers)
        .parallel()
        .forEach(
            worker -> {
              for (int query = worker; query < asked; query += workers) {
                float[] stored = queries.row(query);
                TrueDistance.asStored(metric, stored);
                scan(metric, k, base, stored, query, questions, answers);
              }
            });
    return new ExactAnswers(questions, answers);
  }

  private static void scan(
      Metric metric,
      int k,
      VectorSet base,
      float[] query,
      int number,
      List<Question> questions,
      SearchResult[][] answers) {
    List<PriorityQueue<Hit>> nearest =
        questions.stream().map(question -> new PriorityQueue<>(NEAREST.reversed())).toList();
    float[] row = new float[base.dimension()];
    for (int id = 0; id < base.rows(); id++) {
      base.copyRow(id, row, 0);
      TrueDistance.asStored(metric, row);
      float distance = Reference.distance(metric, query, row);
      for (int q = 0; q < questions.size(); q++) {
        PriorityQueue<Hit> best = nearest.get(q);
        // Ids ascend, so an equal distance never displaces.
        boolean near = best.size() < k || distance < best.peek().distance();
        if (near && questions.get(q).rows().get(id)) {
          best.add(new Hit(id, distance));
          if (best.size() > k) {
            best.poll();
          }
        }
      }
    }
    for (int q = 0; q < questions.size(); q++) {
      Hit[] sorted = nearest.get(q).toArray(new Hit[0]);
      Arrays.sort(sorted, NEAREST);
      long[] ids = new long[sorted.length];
      float[] distances = new float[sorted.length];
      for (int rank = 0; rank < sorted.length; rank++) {
        ids[rank] = sorted[rank].id();
        distances[rank] = sorted[rank].distance();
      }
      answers[q][number] = new SearchResult(ids, distances);
    }
  }

  /** By an index whose ids are row numbers. */
  static ExactAnswers of(VectorIndex index, int k, VectorSet base, VectorSet queries) {
    List<Question> questions = questions(base.rows());
    int asked = Math.min(QUERIES, queries.rows());
    SearchResult[][] answers = new SearchResult[questions.size()][asked];
    for (int q = 0; q < questions.size(); q++) {
      int number = q;
      IdFilter filter = questions.get(q).filter();
      IntStream.range(0, asked)
          .parallel()
          .forEach(
              query -> {
                SearchRequest request = SearchRequest.of(queries.row(query), k).exact();
                answers[number][query] =
                    index.search(filter == null ? request : request.filter(filter));
              });
    }
    return new ExactAnswers(questions, answers);
  }

  /** How many queries were asked. */
  int queries() {
    return answers[0].length;
  }

  /** The answer to a query without a filter. */
  SearchResult unfiltered(int query) {
    return answers[0][query];
  }

  /**
   * SHA-256 in hexadecimal over (query, id, bits of the distance) of every hit, int32, int64 and
   * int32, little-endian: the unfiltered answers, those among the list, those among the bitmap.
   */
  String fingerprint() {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new AssertionError(impossible);
    }
    ByteBuffer hit = ByteBuffer.allocate(16).order(ByteOrder.LITTLE_ENDIAN);
    for (SearchResult[] ofQuestion : answers) {
      for (int query = 0; query < ofQuestion.length; query++) {
        SearchResult result = ofQuestion[query];
        for (int rank = 0; rank < result.count(); rank++) {
          hit.clear();
          hit.putInt(query).putLong(result.id(rank));
          hit.putInt(Float.floatToRawIntBits(result.distance(rank)));
          digest.update(hit.array());
        }
      }
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /** The first place where {@code other} differs, in words, or null when all is equal. */
  @Nullable String difference(ExactAnswers other) {
    for (int q = 0; q < answers.length; q++) {
      for (int query = 0; query < answers[q].length; query++) {
        SearchResult wanted = answers[q][query];
        SearchResult got = other.answers[q][query];
        for (int rank = 0; rank < Math.max(wanted.count(), got.count()); rank++) {
          String here = hit(wanted, rank);
          String there = hit(got, rank);
          if (!here.equals(there)) {
            return String.format(
                "query %d%s, hit %d is %s, not %s",
                query, questions.get(q).what(), rank, there, here);
          }
        }
      }
    }
    return null;
  }

  private static String hit(SearchResult result, int rank) {
    return rank < result.count()
        ? "id " + result.id(rank) + " at " + bits(result.distance(rank))
        : "missing";
  }

  /** For example {@code 0.25 (3e800000)}: two floats that differ never read alike. */
  static String bits(float distance) {
    return distance + " (" + Integer.toHexString(Float.floatToRawIntBits(distance)) + ")";
  }
}
