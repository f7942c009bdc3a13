package io.github.panvec.bench.eval;

import io.github.panvec.Metric;
import io.github.panvec.bench.InputException;
import io.github.panvec.bench.Progress;
import io.github.panvec.bench.data.VectorSet;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The true nearest neighbours: a brute force in double over every pair, under COSINE of float32
 * unit vectors, because those are what an index keeps ({@link TrueDistance}). It shares no code
 * with any backend. Rows are normalised as they are read, block by block, so that no second copy of
 * the dataset is held.
 *
 * @param k neighbours per query: min(k asked for, rows)
 * @param ids row numbers, {@code k} per query, nearest first, ties by number
 * @param distances the distances of {@code ids}
 * @param cached whether it was read from the cache
 * @param seconds what computing or reading took
 */
record GroundTruth(int k, int[] ids, double[] distances, boolean cached, double seconds) {
  private static final byte[] MAGIC = "PVTRUTH2".getBytes(StandardCharsets.US_ASCII);
  private static final int DIGEST_BYTES = 32;
  private static final int ENTRY_BYTES = Integer.BYTES + Double.BYTES;

  /** What fits a file that is written and read as one array. */
  private static final int MAX_ENTRIES = (Integer.MAX_VALUE - 1024 - DIGEST_BYTES) / ENTRY_BYTES;

  private static final int QUERIES_PER_TASK = 32;
  private static final int BLOCK_COMPONENTS = 1 << 15;

  /** The distance of the k-th neighbour of {@code query}. */
  double kth(int query) {
    return distances[query * k + k - 1];
  }

  /** Number of queries. */
  int queries() {
    return ids.length / k;
  }

  /** What the truth depends on, beside how it is computed, which the magic number stands for. */
  record Key(String baseHash, String queryHash, Metric metric, int k) {
    private String fileName() {
      byte[] text =
          (new String(MAGIC, StandardCharsets.US_ASCII)
                  + (' ' + baseHash + ' ' + queryHash + ' ' + metric + ' ' + k))
              .getBytes(StandardCharsets.US_ASCII);
      return HexFormat.of().formatHex(sha256(text)).substring(0, 40) + ".truth";
    }
  }

  /**
   * The truth for {@code key}, from {@code folder} when a whole and undamaged file of it lies
   * there; otherwise computed and put there. A folder that cannot be written costs only the next
   * run's time.
   *
   * @throws InputException when queries x k is more than can be held
   */
  static GroundTruth of(
      Key key, VectorSet base, VectorSet queries, Path folder, Progress progress) {
    Path file = folder.resolve(key.fileName());
    long start = System.nanoTime();
    int k = Math.min(key.k(), base.rows());
    long entries = (long) queries.rows() * k;
    if (entries > MAX_ENTRIES) {
      throw new InputException(
          queries.rows()
              + " queries x "
              + k
              + " neighbours are "
              + entries
              + ", more than the ground truth can hold ("
              + MAX_ENTRIES
              + "): lower --queries or --k");
    }
    GroundTruth known = read(file, queries.rows(), k, base.rows(), start, progress);
    if (known != null) {
      return known;
    }
    GroundTruth computed = compute(key.metric(), k, base, queries, progress);
    write(file, computed, progress);
    return computed;
  }

  /** Computes it on all cores. */
  static GroundTruth compute(
      Metric metric, int k, VectorSet base, VectorSet queries, Progress progress) {
    long start = System.nanoTime();
    progress.step("Computing the exact ground truth (cached for the next run)");
    int[] ids = new int[queries.rows() * k];
    double[] distances = new double[ids.length];
    AtomicLong done = new AtomicLong();
    long total = (long) base.rows() * ((queries.rows() + QUERIES_PER_TASK - 1) / QUERIES_PER_TASK);
    try (ExecutorService pool =
        Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors())) {
      List<Future<?>> tasks = new ArrayList<>();
      for (int from = 0; from < queries.rows(); from += QUERIES_PER_TASK) {
        int first = from;
        int last = Math.min(from + QUERIES_PER_TASK, queries.rows());
        tasks.add(
            pool.submit(
                () -> {
                  Nearest[] nearest =
                      scan(
                          metric,
                          k,
                          base,
                          queries,
                          first,
                          last,
                          rows -> progress.at(done.addAndGet(rows), total));
                  for (int query = first; query < last; query++) {
                    nearest[query - first].copyTo(ids, distances, query * k);
                  }
                }));
      }
      for (Future<?> task : tasks) {
        task.get();
      }
    } catch (ExecutionException failed) {
      throw new IllegalStateException(failed.getCause());
    } catch (InterruptedException stopped) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(stopped);
    }
    return new GroundTruth(k, ids, distances, false, seconds(start));
  }

  /** How a task tells how far it is. */
  private interface RowsDone {
    void add(int rows);
  }

  /**
   * All rows against some queries. A block of rows is turned into columns of doubles, so that the
   * innermost loop runs over rows and the JIT vectorises it without touching the order of any sum.
   */
  private static Nearest[] scan(
      Metric metric, int k, VectorSet base, VectorSet queries, int first, int last, RowsDone done) {
    int dimension = base.dimension();
    int blockRows = Math.clamp(BLOCK_COMPONENTS / dimension / 8 * 8, 8, 512);
    double[] columns = new double[blockRows * dimension];
    double[] sums = new double[blockRows];
    float[] row = new float[dimension];
    float[][] asked = new float[last - first][];
    Nearest[] nearest = new Nearest[asked.length];
    for (int i = 0; i < asked.length; i++) {
      asked[i] = queries.row(first + i);
      TrueDistance.asStored(metric, asked[i]);
      nearest[i] = new Nearest(k);
    }
    for (int from = 0; from < base.rows(); from += blockRows) {
      int count = Math.min(blockRows, base.rows() - from);
      for (int r = 0; r < count; r++) {
        base.copyRow(from + r, row, 0);
        TrueDistance.asStored(metric, row);
        for (int c = 0; c < dimension; c++) {
          columns[c * blockRows + r] = row[c];
        }
      }
      for (int i = 0; i < asked.length; i++) {
        Arrays.fill(sums, 0);
        for (int c = 0; c < dimension; c++) {
          if (metric == Metric.L2) {
            addSquares(sums, columns, c * blockRows, blockRows, asked[i][c]);
          } else {
            addProducts(sums, columns, c * blockRows, blockRows, asked[i][c]);
          }
        }
        for (int r = 0; r < count; r++) {
          nearest[i].offer(from + r, TrueDistance.ofSum(metric, sums[r]));
        }
      }
      done.add(count);
    }
    return nearest;
  }

  private static void addSquares(
      double[] sums, double[] columns, int at, int rows, double component) {
    for (int r = 0; r < rows; r++) {
      double difference = component - columns[at + r];
      sums[r] += difference * difference;
    }
  }

  private static void addProducts(
      double[] sums, double[] columns, int at, int rows, double component) {
    for (int r = 0; r < rows; r++) {
      sums[r] += component * columns[at + r];
    }
  }

  /**
   * The k nearest so far, sorted; rows are offered in ascending order, so that ties stay in the
   * order of ids.
   */
  private static final class Nearest {
    private final int[] ids;
    private final double[] distances;
    private int count;

    Nearest(int k) {
      ids = new int[k];
      distances = new double[k];
    }

    void offer(int id, double distance) {
      if (count == ids.length && !(distance < distances[count - 1])) {
        return;
      }
      int at = count < ids.length ? count++ : count - 1;
      while (at > 0 && distances[at - 1] > distance) {
        ids[at] = ids[at - 1];
        distances[at] = distances[at - 1];
        at--;
      }
      ids[at] = id;
      distances[at] = distance;
    }

    void copyTo(int[] allIds, double[] allDistances, int at) {
      System.arraycopy(ids, 0, allIds, at, ids.length);
      System.arraycopy(distances, 0, allDistances, at, ids.length);
    }
  }

  private static void write(Path file, GroundTruth truth, Progress progress) {
    ByteBuffer bytes =
        ByteBuffer.allocate(MAGIC.length + 8 + truth.ids.length * ENTRY_BYTES + DIGEST_BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
    bytes.put(MAGIC).putInt(truth.queries()).putInt(truth.k);
    for (int id : truth.ids) {
      bytes.putInt(id);
    }
    for (double distance : truth.distances) {
      bytes.putDouble(distance);
    }
    bytes.put(sha256(Arrays.copyOf(bytes.array(), bytes.position())));
    try {
      Files.createDirectories(file.getParent());
      Path half = Files.createTempFile(file.getParent(), "truth", ".half");
      Files.write(half, bytes.array());
      Files.move(half, file, StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException unwritable) {
      progress.note("Note: the ground truth was not cached: " + unwritable);
    }
  }

  private static @Nullable GroundTruth read(
      Path file, int queries, int k, int rows, long start, Progress progress) {
    byte[] all;
    try {
      all = Files.readAllBytes(file);
    } catch (NoSuchFileException notYet) {
      return null;
    } catch (IOException unreadable) {
      progress.note(
          "Note: "
              + file
              + " cannot be read ("
              + unreadable.getMessage()
              + "); computing the ground truth anew");
      return null;
    }
    ByteBuffer bytes = ByteBuffer.wrap(all).order(ByteOrder.LITTLE_ENDIAN);
    int entries = queries * k;
    int body = MAGIC.length + 8 + entries * ENTRY_BYTES;
    if (all.length != body + DIGEST_BYTES
        || !Arrays.equals(all, 0, MAGIC.length, MAGIC, 0, MAGIC.length)
        || !MessageDigest.isEqual(
            sha256(Arrays.copyOf(all, body)), Arrays.copyOfRange(all, body, all.length))
        || bytes.getInt(MAGIC.length) != queries
        || bytes.getInt(MAGIC.length + 4) != k) {
      progress.note("Note: " + file + " is damaged; computing the ground truth anew");
      return null;
    }
    bytes.position(MAGIC.length + 8);
    int[] ids = new int[entries];
    bytes.asIntBuffer().get(ids);
    bytes.position(bytes.position() + 4 * entries);
    double[] distances = new double[entries];
    bytes.asDoubleBuffer().get(distances);
    for (int id : ids) {
      if (id < 0 || id >= rows) {
        progress.note("Note: " + file + " is damaged; computing the ground truth anew");
        return null;
      }
    }
    return new GroundTruth(k, ids, distances, true, seconds(start));
  }

  private static double seconds(long start) {
    return (System.nanoTime() - start) / 1e9;
  }

  private static byte[] sha256(byte[] bytes) {
    try {
      return MessageDigest.getInstance("SHA-256").digest(bytes);
    } catch (NoSuchAlgorithmException impossible) {
      throw new AssertionError(impossible);
    }
  }
}
