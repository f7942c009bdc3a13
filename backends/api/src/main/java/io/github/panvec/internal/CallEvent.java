package io.github.panvec.internal;

import jdk.jfr.Description;
import jdk.jfr.Event;
import jdk.jfr.Label;
import org.jspecify.annotations.Nullable;

/** What all events tell; nanoseconds are the event's own duration. */
abstract class CallEvent extends Event implements CallEvents.Pending {
  @Label("Backend")
  @Nullable String backend;

  @Label("Operation")
  @Description("The method that was called, all overloads by one name")
  @Nullable String operation;

  @Label("Rows")
  @Description(
      "Vectors handed over: those to add, the queries, the sample of a training;"
          + " for a compaction the live ones")
  long rows;

  @Label("Returned")
  @Description("Whether the call returned, rather than threw")
  boolean returned;

  @Override
  public final void finish(
      String backend,
      Operation operation,
      long rows,
      int k,
      FilterKind filter,
      @Nullable String path,
      boolean returned) {
    end();
    if (shouldCommit()) {
      this.backend = backend;
      this.operation = operation.toString();
      this.rows = rows;
      this.returned = returned;
      describe(k, filter, path);
      commit();
    }
  }

  void describe(int k, FilterKind filter, @Nullable String path) {}
}
