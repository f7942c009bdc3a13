package io.github.panvec.bench;

import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchPath;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.stream.LongStream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Measures what the choice between a filtered walk and a scan of the matches rests on, for
 * docs/adr/0016-filter-paths.md: both ways at every selectivity, in turn.
 */
@Command(
    name = "filter-paths",
    hidden = true,
    sortOptions = false,
    description = "Measure filtered walks against scans by selectivity, as a Markdown table.")
final class FilterPathsCommand implements Callable<Integer> {
  private static final double[] SHARES = {1, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001};
  private static final int K = 10;

  private final PrintWriter out;

  @Option(names = "--rows", description = "How many rows. Default: ${DEFAULT-VALUE}.")
  private int rows = 100_000;

  @Option(names = "--dimension", description = "Default: ${DEFAULT-VALUE}.")
  private int dimension = 100;

  @Option(names = "--queries", description = "For each cell. Default: ${DEFAULT-VALUE}.")
  private int queries = 200;

  @Option(
      names = "--index",
      split = ",",
      description = "backend or faiss:TYPE. Default: ${DEFAULT-VALUE}.")
  private List<String> indexes =
      List.of("faiss:hnsw", "hnswlib", "usearch", "faiss:ivf_flat", "faiss:ivf_pq", "faiss:sq8");

  FilterPathsCommand(PrintWriter out) {
    this.out = out;
  }

  @Override
  public Integer call() {
    // Before the engine is loaded. What is to be a scan is asked for as exact.
    System.setProperty("panvec.engine.alwaysWalk", "true");
    Random random = new Random(20261121);
    float[] vectors = clustered(random, rows);
    float[] asked = clustered(random, queries);
    out.println("| index | matches | scan us | walk us | walk / scan | recall of the walk |");
    out.println("|---|---|---|---|---|---|");
    for (String name : indexes) {
      String[] parts = name.split(":");
      IndexSpec spec = IndexSpec.of(parts[0], dimension, Metric.L2);
      if (parts.length > 1) {
        spec = spec.with("type", parts[1]);
      }
      try (VectorIndex index = Panvec.create(spec)) {
        index.addAll(LongStream.range(0, rows).toArray(), vectors);
        for (double share : SHARES) {
          measure(name, index, share, random, asked);
        }
      }
    }
    return 0;
  }

  private void measure(String name, VectorIndex index, double share, Random random, float[] asked) {
    BitSet chosen = new BitSet();
    while (chosen.cardinality() < share * rows) {
      chosen.set(share == 1 ? chosen.cardinality() : random.nextInt(rows));
    }
    IdFilter filter = index.prepare(IdFilter.bitmap(0, chosen));
    SearchBuffer buffer = SearchBuffer.allocate(dimension, K);
    SearchRequest walk = SearchRequest.of(buffer.query(), K).filter(filter);
    List<Double> walked = new ArrayList<>();
    List<Double> scanned = new ArrayList<>();
    int found = 0;
    for (int round = 0; round < 2; round++) {
      walked.clear();
      scanned.clear();
      found = 0;
      for (int q = 0; q < queries; q++) {
        buffer.setQuery(Arrays.copyOfRange(asked, q * dimension, (q + 1) * dimension));
        scanned.add(micros(index, walk.exact(), buffer));
        Set<Long> nearest = ids(buffer);
        double taken = micros(index, walk, buffer);
        if (buffer.path() == SearchPath.WALK) {
          walked.add(taken);
        }
        Set<Long> hits = ids(buffer);
        hits.retainAll(nearest);
        found += hits.size();
      }
    }
    double scan = median(scanned);
    double walkMedian = walked.size() < queries / 2 ? Double.NaN : median(walked);
    out.printf(
        Locale.ROOT,
        "| %s | %d | %.0f | %.0f | %.2f | %.3f |%n",
        name,
        chosen.cardinality(),
        scan,
        walkMedian,
        walkMedian / scan,
        found / (double) (queries * Math.min(K, chosen.cardinality())));
    out.flush();
  }

  private static double micros(VectorIndex index, SearchRequest request, SearchBuffer buffer) {
    long begin = System.nanoTime();
    index.search(request, buffer);
    return (System.nanoTime() - begin) / 1000.0;
  }

  private static double median(List<Double> values) {
    return values.stream().sorted().skip(values.size() / 2).findFirst().orElse(Double.NaN);
  }

  private static Set<Long> ids(SearchBuffer buffer) {
    Set<Long> ids = new HashSet<>();
    for (int i = 0; i < buffer.count(); i++) {
      ids.add(buffer.id(i));
    }
    return ids;
  }

  /** Rows around a thousand centres, the same ones for data and queries. */
  private float[] clustered(Random random, int count) {
    Random fixed = new Random(7);
    float[][] centres = new float[1000][dimension];
    for (float[] centre : centres) {
      for (int d = 0; d < dimension; d++) {
        centre[d] = (float) fixed.nextGaussian();
      }
    }
    float[] flat = new float[count * dimension];
    for (int i = 0; i < count; i++) {
      float[] centre = centres[random.nextInt(centres.length)];
      for (int d = 0; d < dimension; d++) {
        flat[i * dimension + d] = centre[d] + 0.7f * (float) random.nextGaussian();
      }
    }
    return flat;
  }
}
