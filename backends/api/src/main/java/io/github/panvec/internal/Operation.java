package io.github.panvec.internal;

/**
 * The calls that are watched. A flight file holds them by {@linkplain #ordinal() number}: new ones
 * come last.
 */
public enum Operation {
  CREATE("create"),
  ADD("add"),
  UPSERT("upsert"),
  REMOVE("remove"),
  SEARCH("search"),
  SEARCH_ALL("searchAll"),
  SEARCH_RANGE("searchRange"),
  PREPARE("prepare"),
  TRAIN("train"),
  COMPACT("compact"),
  GET("get"),
  IDS("ids"),
  CONTAINS("contains"),
  SIZE("size"),
  STATS("stats"),
  CLOSE("close"),
  SAVE("save"),
  OPEN("open"),
  VIEW("view"),
  EXPORT("export");

  private final String method;

  Operation(String method) {
    this.method = method;
  }

  /** The method of {@link io.github.panvec.VectorIndex} or of {@link io.github.panvec.Panvec}. */
  @Override
  public String toString() {
    return method;
  }
}
