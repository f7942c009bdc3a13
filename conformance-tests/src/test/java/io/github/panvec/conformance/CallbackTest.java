package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import io.github.panvec.WriteOptions;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Predicates and listeners that call the index in whose call they run: of our own backends. */
class CallbackTest extends ConformanceTest {
  private static final int DIMENSION = 8;
  private static final int ROWS = 60;
  private static final long SECONDS = 60;

  @TempDir private Path folder;

  /** What each call came to when the guest made it: the exception, or nothing. */
  private final Map<String, Optional<Throwable>> outcomes = new LinkedHashMap<>();

  private void attempt(String call, Readers.Step step) {
    Optional<Throwable> outcome = Optional.empty();
    try {
      step.run();
    } catch (Throwable thrown) {
      outcome = Optional.of(thrown);
    }
    outcomes.put(call, outcome);
  }

  private void attemptReads(VectorIndex index, Rows rows) {
    SearchRequest request = SearchRequest.of(rows.query(), 3);
    SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, 10);
    attempt("search", () -> index.search(request));
    attempt("filtered search", () -> index.search(request.filter(IdFilter.in(1, 2))));
    attempt("search into a buffer", () -> index.search(request, buffer));
    attempt("searchAll", () -> index.searchAll(rows.queries(3), 3));
    attempt("searchRange", () -> index.searchRange(request, 2));
    attempt("get", () -> index.get(1));
    attempt("getAll", () -> index.getAll(1, 2));
    attempt("contains", () -> index.contains(1));
    attempt("ids", index::ids);
    attempt("size", index::size);
    attempt("stats", index::stats);
    attempt("prepare", () -> index.prepare(IdFilter.matching(id -> id > 3)));
  }

  private void attemptWrites(VectorIndex index, Rows rows) {
    long[] id = {5000};
    attempt("add", () -> index.add(5000, rows.query()));
    attempt("addAll", () -> index.addAll(id, rows.query()));
    attempt("upsert", () -> index.upsert(1, rows.query()));
    attempt("upsertAll", () -> index.upsertAll(id, rows.query()));
    attempt("remove", () -> index.remove(1));
    attempt("removeAll", () -> index.removeAll(1, 2));
    attempt("train", () -> index.train(rows.queries(600)));
    attempt("compact", index::compact);
    attempt("close", index::close);
  }

  private void assertRefused(String guest) {
    assertThat(outcomes).as(guest).isNotEmpty();
    outcomes.forEach(
        (call, outcome) ->
            assertThat(outcome)
                .as("%s by %s", call, guest)
                .hasValueSatisfying(
                    thrown ->
                        assertThat(thrown)
                            .isInstanceOf(IllegalStateException.class)
                            .hasMessageContaining(guest)));
    outcomes.clear();
  }

  private void assertAnsweredOrRefused(String guest) {
    assertThat(outcomes).as(guest).isNotEmpty();
    outcomes.forEach(
        (call, outcome) ->
            outcome.ifPresent(
                thrown ->
                    assertThat(thrown)
                        .as("%s by %s", call, guest)
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining(guest)));
    outcomes.clear();
  }

  private void assertAsBefore(VectorIndex index, Rows rows) {
    rows.assertUnchanged(index);
    float[] query = rows.query();
    assertThat(index.search(SearchRequest.of(query, 10).exact()).hits())
        .isEqualTo(rows.nearest(query, 10));
    assertThat(index.search(query, 2 * ROWS).count()).isEqualTo(rows.byId.size());
  }

  /** In memory, and over a file where the backend takes one. */
  private List<IndexSpec> specs() {
    IndexSpec spec = spec(DIMENSION, any(Metric.L2));
    List<IndexSpec> specs = new ArrayList<>(List.of(spec));
    if (subject.takes("path")) {
      specs.add(spec.with("path", folder.resolve("index")));
    }
    return specs;
  }

  private interface Body {
    void run(VectorIndex index, Rows rows) throws Exception;
  }

  /** On a thread of its own, so that a call which waits for itself fails the test. */
  private void withIndexes(Body body) throws Exception {
    outcomes.clear();
    AtomicReference<Throwable> failure = new AtomicReference<>();
    Thread thread =
        new Thread(
            () -> {
              try {
                for (IndexSpec spec : specs()) {
                  Rows rows = Rows.gaussian(spec.metric(), DIMENSION, ROWS);
                  try (VectorIndex index = subject.create(spec)) {
                    rows.addTo(index);
                    body.run(index, rows);
                    assertAsBefore(index, rows);
                  }
                }
              } catch (Throwable thrown) {
                failure.set(thrown);
              }
            });
    thread.setDaemon(true);
    thread.start();
    thread.join(1000 * SECONDS);
    if (thread.isAlive()) {
      AssertionError hangs = new AssertionError("hangs after " + outcomes.keySet());
      hangs.setStackTrace(thread.getStackTrace());
      throw hangs;
    }
    if (failure.get() instanceof Error error) {
      throw error;
    }
    if (failure.get() != null) {
      throw (Exception) failure.get();
    }
  }

  /** Lets even ids through, and once calls what it must not. */
  private IdFilter calling(VectorIndex index, Rows rows) {
    boolean[] once = {false};
    return IdFilter.matching(
        id -> {
          if (!once[0]) {
            once[0] = true;
            attemptReads(index, rows);
            attemptWrites(index, rows);
          }
          return id % 2 == 0;
        });
  }

  @Test
  @Contract("callbacks.refused")
  void predicatesThatCallTheirIndexAreRefused() throws Exception {
    withIndexes(
        (index, rows) -> {
          SearchRequest all = SearchRequest.of(rows.query(), ROWS);
          List<Consumer<IdFilter>> searches =
              List.of(
                  filter -> assertThat(index.search(all.filter(filter)).count()).isEqualTo(30),
                  filter ->
                      assertThat(index.search(all.filter(filter).exact()).count()).isEqualTo(30),
                  filter -> {
                    SearchBuffer buffer = SearchBuffer.allocate(DIMENSION, ROWS);
                    index.search(all.filter(filter), buffer);
                    assertThat(buffer.count()).isEqualTo(30);
                  },
                  filter -> {
                    SearchRequest two = SearchRequest.of(rows.queries(2), ROWS).filter(filter);
                    assertThat(index.searchAll(two))
                        .hasSize(2)
                        .allMatch(result -> result.count() == 30);
                  },
                  filter ->
                      assertThat(index.searchRange(all.filter(filter), 1e6f).hits().count())
                          .isEqualTo(30));
          for (Consumer<IdFilter> search : searches) {
            search.accept(calling(index, rows));
            assertRefused("predicate");
            search.accept(IdFilter.range(-1000, 1000).and(calling(index, rows).not().not()));
            assertRefused("predicate");
            IdFilter prepared = index.prepare(calling(index, rows));
            assertRefused("predicate");
            search.accept(prepared);
            assertThat(outcomes).isEmpty();
          }
        });
  }

  @Test
  @Contract("callbacks.refused")
  void predicatesThatCallTheirIndexWhenRowsAreNewToAPreparedFilterAreRefused() throws Exception {
    withIndexes(
        (index, rows) -> {
          index.removeAll(index.ids());
          index.compact();
          IdFilter prepared = index.prepare(calling(index, rows));
          assertThat(outcomes).isEmpty();
          rows.addTo(index);
          SearchRequest all = SearchRequest.of(rows.query(), ROWS).filter(prepared);
          assertThat(index.search(all).count()).isEqualTo(30);
          assertRefused("predicate");
        });
  }

  /** Makes the calls once, each time it is used anew. */
  private WriteOptions listening(Runnable calls) {
    boolean[] once = {false};
    return WriteOptions.defaults()
        .progress(
            (done, total) -> {
              if (!once[0]) {
                once[0] = true;
                calls.run();
              }
            });
  }

  private void assertListenersAreRefused(
      VectorIndex index, Rows rows, Consumer<WriteOptions> write) {
    write.accept(listening(() -> attemptWrites(index, rows)));
    assertRefused("listener");
    write.accept(listening(() -> attemptReads(index, rows)));
    assertAnsweredOrRefused("listener");
  }

  @Test
  @Contract("callbacks.refused")
  void listenersThatWriteCompactOrCloseTheirIndexAreRefused() throws Exception {
    withIndexes(
        (index, rows) -> {
          long[] next = {1000};
          assertListenersAreRefused(
              index,
              rows,
              options -> {
                long id = next[0]++;
                rows.put(id, rows.query());
                MemorySegment row = MemorySegment.ofArray(rows.byId.get(id));
                index.addAll(MemorySegment.ofArray(new long[] {id}), row, options);
              });
          assertListenersAreRefused(
              index,
              rows,
              options -> {
                rows.put(3, rows.query());
                MemorySegment row = MemorySegment.ofArray(rows.byId.get(3L));
                index.upsertAll(MemorySegment.ofArray(new long[] {3}), row, options);
              });
          assertListenersAreRefused(
              index,
              rows,
              options -> {
                // It reports only where there is something to do.
                long id = next[0]++;
                index.add(id, rows.query());
                index.remove(id);
                index.compact(options);
              });
        });
  }

  @Test
  @Contract("callbacks.refused")
  void theIndexOfAnotherCallMayBeCalled() throws Exception {
    withIndexes(
        (index, rows) -> {
          try (VectorIndex other = rows.index(subject)) {
            IdFilter known = IdFilter.matching(other::contains);
            SearchRequest all = SearchRequest.of(rows.query(), ROWS).filter(known);
            assertThat(index.search(all).count()).isEqualTo(ROWS);
            long id = 7000;
            index.upsertAll(
                MemorySegment.ofArray(new long[] {1}),
                MemorySegment.ofArray(rows.byId.get(1L)),
                listening(() -> other.add(id, rows.query())));
            assertThat(other.contains(id)).isTrue();
          }
        });
  }
}
