package io.github.panvec.conformance;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * SHA-256 over (query, id, distance bits) of exact answers to fixed questions: one value for all
 * backends, SIMD levels and platforms.
 */
final class Fingerprint {
  static final int DIMENSION = 100;
  private static final int ROWS = 2000;
  private static final int QUERIES = 25;
  private static final int K = 10;
  private static final long SEED = 20261121;

  /**
   * What is asked.
   *
   * @param filters each is asked with every query; null: none
   */
  record Data(Rows rows, List<float[]> queries, List<@Nullable IdFilter> filters, int k) {}

  private final MessageDigest digest;

  Fingerprint() {
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException impossible) {
      throw new AssertionError(impossible);
    }
  }

  /** The same data on every machine: made of whole numbers, which {@link Random} specifies. */
  static Data data(Metric metric) {
    Random random = new Random(SEED);
    Rows rows = new Rows(metric, DIMENSION);
    for (int i = 0; i < ROWS; i++) {
      // Some twice, so that ties are part of it.
      rows.put(31L * i - 1000, i % 9 == 8 ? rows.byId.get(31L * (i - 1) - 1000) : uniform(random));
    }
    List<float[]> queries = new ArrayList<>();
    for (int q = 0; q < QUERIES; q++) {
      queries.add(uniform(random));
    }
    BitSet half = new BitSet();
    for (int bit = 0; bit < 31 * ROWS; bit++) {
      half.set(bit, random.nextBoolean());
    }
    List<@Nullable IdFilter> filters =
        Arrays.asList(null, IdFilter.in(rows.every(40)), IdFilter.bitmap(-1000, half));
    return new Data(rows, queries, filters, K);
  }

  private static float[] uniform(Random random) {
    float[] vector = new float[DIMENSION];
    for (int i = 0; i < DIMENSION; i++) {
      vector[i] = (random.nextInt(1 << 24) - (1 << 23)) * 0x1p-20f;
    }
    return vector;
  }

  void add(int query, List<Hit> hits) {
    ByteBuffer bytes = ByteBuffer.allocate(4 + 12 * hits.size()).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putInt(query);
    for (Hit hit : hits) {
      bytes.putLong(hit.id()).putInt(Float.floatToRawIntBits(hit.distance()));
    }
    digest.update(bytes.array());
  }

  /** The value; nothing can be added then. */
  String hex() {
    return HexFormat.of().formatHex(digest.digest());
  }
}
