package io.github.panvec.bench.soak;

import io.github.panvec.IndexSpec;
import io.github.panvec.IndexStats;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.VectorIndex;
import io.github.panvec.bench.Progress;
import io.github.panvec.bench.Variant;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Stream;

/** Soaks one kind of index, once. */
final class Soak {
  /** In percent of the rows, unless the user says otherwise. */
  static final int COMPACT_AT = 20;

  static final String COMPACT_AT_PARAMETER = "compactAt";
  private static final String THREADS_PARAMETER = "threads";

  private static final long SAMPLE_MILLIS = 200;

  /** A call that takes longer than that is taken for one that never ends. */
  private static final double HANGS_SECONDS = 300;

  private final Variant variant;
  private final SoakOptions options;
  private final Progress progress;
  private final SyntheticRows rows;
  private final Stage stage = new Stage();
  private final Stage.Activity writing = new Stage.Activity();
  private final Stage.Activity searching = new Stage.Activity();
  private final Failures failures = new Failures();
  private final ProcessResources before = new ProcessResources();
  private final ProcessResources most = new ProcessResources();
  private final List<VectorIndex> open = new ArrayList<>();

  Soak(Variant variant, SoakOptions options, Progress progress) {
    this.variant = variant;
    this.options = options;
    this.progress = progress;
    this.rows = new SyntheticRows(options.seed(), options.dimension());
  }

  /** Throws what goes wrong before the soaking begins. */
  Outcome run() throws InterruptedException {
    before.sample();
    Path folder = temporaryFolder();
    try {
      Side searched = side("the searched index", folder.resolve("searched.db"));
      Side other = side("the other index", folder.resolve("other.db"));
      fill(List.of(searched, other));
      return soak(searched, other);
    } finally {
      open.forEach(VectorIndex::close);
      delete(folder);
    }
  }

  private static Path temporaryFolder() {
    try {
      return Files.createTempDirectory("panvec-soak");
    } catch (IOException full) {
      throw new UncheckedIOException(full);
    }
  }

  private static void delete(Path folder) {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException locked) {
      throw new UncheckedIOException(locked);
    }
  }

  private Side side(String name, Path file) {
    IndexSpec spec = spec(file);
    VectorIndex index = Panvec.create(spec);
    open.add(index);
    Ledger ledger = new Ledger();
    boolean compactsItself = variant.takes(COMPACT_AT_PARAMETER);
    int compactAt =
        compactsItself
            ? ((Number) index.spec().parameters().get(COMPACT_AT_PARAMETER)).intValue()
            : COMPACT_AT;
    WriteStream stream =
        new WriteStream(
            index,
            rows,
            ledger,
            stage,
            writing,
            failures,
            name,
            options.seed(),
            options.rows(),
            compactsItself ? 0 : compactAt);
    return new Side(index, ledger, stream, compactsItself ? compactAt : 0);
  }

  /** The variant's own, writing with one thread, in a file where it can, compacting soon. */
  private IndexSpec spec(Path file) {
    IndexSpec spec = variant.spec(options.dimension(), Metric.L2);
    spec = withDefault(spec, THREADS_PARAMETER, 1);
    spec = withDefault(spec, COMPACT_AT_PARAMETER, COMPACT_AT);
    return withDefault(spec, SoakRun.PATH_PARAMETER, file);
  }

  private IndexSpec withDefault(IndexSpec spec, String parameter, Object value) {
    return variant.takes(parameter) && !spec.parameters().containsKey(parameter)
        ? spec.with(parameter, value)
        : spec;
  }

  /** Both at once. */
  private void fill(List<Side> sides) throws InterruptedException {
    progress.step(variant.name() + ": filling two indexes of " + options.rows() + " rows");
    AtomicLong filled = new AtomicLong();
    try (ExecutorService threads = Executors.newFixedThreadPool(sides.size())) {
      List<Future<?>> fills = new ArrayList<>();
      for (Side side : sides) {
        fills.add(threads.submit(() -> fill(side, filled)));
      }
      for (Future<?> fill : fills) {
        fill.get();
      }
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof RuntimeException runtime) {
        throw runtime;
      }
      throw new IllegalStateException(failed.getCause());
    }
  }

  private void fill(Side side, AtomicLong filled) {
    for (int done = 0; done < options.rows(); ) {
      int added = side.stream().fill();
      done += added;
      progress.at(filled.addAndGet(added), 2L * options.rows());
    }
  }

  private Outcome soak(Side searched, Side other) throws InterruptedException {
    IndexStats start = searched.index().stats();
    long[] compactedBefore = {searched.compactions(), other.compactions()};
    Writer writer = new Writer(searched, other, stage, writing, failures, options.nanos());
    Searcher searcher =
        new Searcher(
            searched.index(),
            rows,
            searched.ledger(),
            stage,
            searching,
            failures,
            options.seed(),
            options.rows());
    progress.step(variant.name() + ": soaking");
    Thread writerThread = Thread.ofPlatform().daemon().name("soak-writer").unstarted(writer);
    Thread searcherThread = Thread.ofPlatform().daemon().name("soak-searcher").unstarted(searcher);
    searcherThread.start();
    writerThread.start();
    boolean hangs = await(writerThread, writing, writer);
    stage.end();
    hangs |= await(searcherThread, searching, writer);
    if (hangs) {
      // Close would wait for the call that hangs.
      open.clear();
    }
    IndexStats end = hangs ? start : searched.index().stats();
    return new Outcome(
        variant.name(),
        searched.index().spec().parameters(),
        new double[] {writer.secondsSearched(), writer.secondsOther()},
        writer.besideWriter(),
        writer.besideWriterElsewhere(),
        searched.stream().operations() + other.stream().operations(),
        hangs
            ? new long[2]
            : new long[] {
              searched.compactions() - compactedBefore[0], other.compactions() - compactedBefore[1]
            },
        new long[] {start.size(), end.size()},
        new long[] {start.nativeBytes(), end.nativeBytes()},
        new long[] {start.diskBytes(), end.diskBytes()},
        ProcessResources.more(before.mostThreads(), most.mostThreads()),
        ProcessResources.more(before.mostDescriptors(), most.mostDescriptors()),
        failures.count(),
        failures.first(),
        writer.isFinished() ? null : whyUnfinished(writer));
  }

  /** Whether the thread hangs; looks at the process meanwhile. */
  private boolean await(Thread thread, Stage.Activity activity, Writer writer)
      throws InterruptedException {
    while (thread.isAlive()) {
      thread.join(SAMPLE_MILLIS);
      most.sample();
      progress.at(Math.min(writer.counted(), options.nanos()), options.nanos());
      if (thread.isAlive() && activity.seconds() > HANGS_SECONDS) {
        failures.add(
            activity.what() + " has not come back for " + (long) activity.seconds() + " s");
        return true;
      }
    }
    return false;
  }

  private String whyUnfinished(Writer writer) {
    return writer.stoppedBy().isEmpty() ? writing.what() : writer.stoppedBy();
  }
}
