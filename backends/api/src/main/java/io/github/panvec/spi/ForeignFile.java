package io.github.panvec.spi;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * A file that an engine wrote by itself, and what is to become of it. Nothing in it is to be
 * trusted. For one thread.
 */
public final class ForeignFile {
  private final Path path;
  private final MemorySegment bytes;
  private final IndexSpec asked;
  private final boolean anyDimension;
  private final UnaryOperator<IndexSpec> complete;

  /**
   * For the importer.
   *
   * @param bytes the content, read-only
   * @param asked what the caller says of it
   * @param anyDimension whether it may have another dimension
   * @param complete checks a spec and fills in defaults, as {@code Panvec.create} does
   */
  public ForeignFile(
      Path path,
      MemorySegment bytes,
      IndexSpec asked,
      boolean anyDimension,
      UnaryOperator<IndexSpec> complete) {
    this.path = path;
    this.bytes = bytes;
    this.asked = asked;
    this.anyDimension = anyDimension;
    this.complete = complete;
  }

  /** Where it is. */
  public Path path() {
    return path;
  }

  /** The metric that the index is to have. */
  public Metric metric() {
    return asked.metric();
  }

  /** What the caller wants of a parameter, or what is given here. */
  public String asked(String parameter, String otherwise) {
    return asked.parameters().getOrDefault(parameter, otherwise).toString();
  }

  /** From its beginning. */
  public ForeignReader reader() {
    return new ForeignReader(this, bytes);
  }

  /**
   * The spec of the index.
   *
   * @param dimension that the file has
   * @param fixed parameters that the file decides; the caller may have named the same values
   * @param suggested parameters that the file knows, for which the caller may want others
   * @throws ForeignFileException when the caller wants what the file has not, naming the difference
   * @throws IllegalArgumentException when another parameter is wrong
   */
  public IndexSpec spec(int dimension, Map<String, Object> fixed, Map<String, Object> suggested) {
    if (!anyDimension && dimension != asked.dimension()) {
      throw foreign("its vectors have " + dimension + " components, not " + asked.dimension());
    }
    IndexSpec found = IndexSpec.of(asked.backend(), dimension, asked.metric());
    for (Map.Entry<String, Object> parameter : fixed.entrySet()) {
      String name = parameter.getKey();
      String value = parameter.getValue().toString();
      String wanted = asked(name, value).strip();
      if (!wanted.equals(value)) {
        throw foreign("its " + name + " is " + value + ", not " + wanted);
      }
      found = found.with(name, parameter.getValue());
    }
    try {
      complete.apply(found);
    } catch (IllegalArgumentException beyond) {
      throw foreign(beyond.getMessage());
    }
    for (Map<String, Object> further : List.of(suggested, asked.parameters())) {
      for (Map.Entry<String, Object> parameter : further.entrySet()) {
        if (!fixed.containsKey(parameter.getKey())) {
          found = found.with(parameter.getKey(), parameter.getValue());
        }
      }
    }
    return complete.apply(found);
  }

  /** That it is something else than what it was taken for. */
  public ForeignFileException foreign(String difference) {
    return new ForeignFileException(path + ": " + difference);
  }

  /** That it is damaged. */
  public CorruptIndexException corrupt(String difference) {
    return new CorruptIndexException(path + ": " + difference);
  }
}
