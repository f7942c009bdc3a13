package io.github.panvec.internal;

import jdk.jfr.Category;
import jdk.jfr.Description;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import org.jspecify.annotations.Nullable;

@Name("io.github.panvec.Search")
@Label("Search Vectors")
@Description("One query, a batch of them, or a search within a radius")
@Category("Panvec")
@StackTrace(false)
final class SearchEvent extends CallEvent {
  @Label("k")
  @Description("The most hits wanted for each query")
  int k;

  @Label("Filter")
  @Description("Kind of the filter, or none")
  @Nullable String filter;

  @Label("Path")
  @Description("How the hits were found; MIXED when queries of a batch differ")
  @Nullable String path;

  @Override
  void describe(int k, FilterKind filter, @Nullable String path) {
    this.k = k;
    this.filter = filter.toString();
    this.path = path;
  }
}
