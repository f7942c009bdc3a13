package io.github.panvec.internal;

import io.github.panvec.IndexSpec;
import io.github.panvec.RangeResult;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** Tells the flight recorder and JDK Flight Recorder of the calls of one index. Thread-safe. */
public final class Calls {
  private static final CallEvents EVENTS = CallEvents.INSTANCE;

  private final String backend;
  private final @Nullable FlightRecorder flight;
  private final int flightBackend;
  private final int index;

  /**
   * Of an index.
   *
   * @param index which, by the order of creation in this process; 0 when that is not known
   */
  Calls(String backend, @Nullable FlightRecorder flight, int index) {
    this.backend = backend;
    this.flight = flight;
    this.flightBackend = flight == null ? 0 : flight.backend(backend);
    this.index = index;
  }

  /**
   * Runs work of a backend's own, on a thread that no caller waits for, watched as calls are.
   *
   * @param spec of the index that it is for
   */
  public static void inBackground(IndexSpec spec, Operation operation, long rows, Runnable work) {
    new Calls(spec.backend(), Watch.byProperties().flight(), 0)
        .observe(
            operation,
            rows,
            () -> {
              work.run();
              return true;
            });
  }

  <T> T observe(Operation operation, long rows, Supplier<T> call) {
    return observe(operation, rows, 0, FilterKind.NONE, call);
  }

  <T> T observe(Operation operation, long rows, int k, FilterKind filter, Supplier<T> call) {
    CallEvents.Pending event = EVENTS.enabled(operation) ? EVENTS.begin(operation) : null;
    int entry = begin(operation, rows, k, filter);
    boolean returned = false;
    String path = null;
    try {
      T result = call.get();
      returned = true;
      path = event == null ? null : path(result);
      return result;
    } finally {
      end(entry, returned);
      if (event != null) {
        event.finish(backend, operation, rows, k, filter, path, returned);
      }
    }
  }

  /** Searches into a buffer; allocates nothing while calls are only noted in a flight file. */
  void search(VectorIndex target, SearchRequest request, SearchBuffer buffer) {
    int k = request.k();
    FilterKind filter = FilterKind.of(request.idFilter());
    CallEvents.Pending event = EVENTS.searches() ? EVENTS.begin(Operation.SEARCH) : null;
    int entry = begin(Operation.SEARCH, 1, k, filter);
    boolean returned = false;
    try {
      target.search(request, buffer);
      returned = true;
    } finally {
      end(entry, returned);
      if (event != null) {
        String path = returned ? buffer.path().name() : null;
        event.finish(backend, Operation.SEARCH, 1, k, filter, path, returned);
      }
    }
  }

  private int begin(Operation operation, long rows, int k, FilterKind filter) {
    return flight == null ? -1 : flight.begin(operation, flightBackend, index, rows, k, filter);
  }

  private void end(int entry, boolean returned) {
    if (flight != null) {
      flight.end(entry, returned);
    }
  }

  private static @Nullable String path(@Nullable Object result) {
    if (result instanceof SearchResult hits) {
      return hits.path().name();
    }
    if (result instanceof RangeResult range) {
      return range.hits().path().name();
    }
    if (!(result instanceof List<?> all)) {
      return null;
    }
    String common = null;
    for (Object each : all) {
      String path = path(each);
      if (common != null && !common.equals(path)) {
        return "MIXED";
      }
      common = path;
    }
    return common;
  }
}
