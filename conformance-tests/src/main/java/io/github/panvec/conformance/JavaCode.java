package io.github.panvec.conformance;

import io.github.panvec.IdFilter;
import io.github.panvec.IndexSpec;
import io.github.panvec.SearchResult;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;

/** Java source text for values, exact to the last bit, and for people what a call returned. */
final class JavaCode {
  private static final float EXACT_INTEGERS = 1 << 24;

  private static final int LONGEST_COMMENT = 400;
  private static final String INDENT = "      ";

  private JavaCode() {}

  static String id(long id) {
    if (id == Long.MIN_VALUE) {
      return "Long.MIN_VALUE";
    }
    if (id == Long.MAX_VALUE) {
      return "Long.MAX_VALUE";
    }
    return id + (id == (int) id ? "" : "L");
  }

  static String ids(long... ids) {
    return LongStream.of(ids).mapToObj(JavaCode::id).collect(Collectors.joining(", "));
  }

  static String count(int count) {
    return count == Integer.MAX_VALUE ? "Integer.MAX_VALUE" : Integer.toString(count);
  }

  static String floats(float[] floats) {
    boolean allZero =
        IntStream.range(0, floats.length).allMatch(i -> Float.floatToRawIntBits(floats[i]) == 0);
    if (allZero) {
      return "new float[" + floats.length + "]";
    }
    return IntStream.range(0, floats.length)
        .mapToObj(i -> number(floats[i]))
        .collect(Collectors.joining(", ", "new float[] {", "}"));
  }

  static String number(float value) {
    if (Float.isNaN(value)) {
      return "Float.NaN";
    }
    if (Float.isInfinite(value)) {
      return value > 0 ? "Float.POSITIVE_INFINITY" : "Float.NEGATIVE_INFINITY";
    }
    boolean negativeZero = value == 0 && Float.floatToRawIntBits(value) != 0;
    if (value == Math.rint(value) && Math.abs(value) <= EXACT_INTEGERS && !negativeZero) {
      return Integer.toString((int) value);
    }
    return value + "f";
  }

  static String filter(IdFilter filter) {
    if (filter instanceof IdFilter.In list) {
      return "IdFilter.in(" + ids(list.ids()) + ")";
    }
    IdFilter.Bitmap bitmap = (IdFilter.Bitmap) filter;
    String words =
        LongStream.of(bitmap.words())
            .mapToObj(word -> "0x" + Long.toHexString(word) + "L")
            .collect(Collectors.joining(", ", "new long[] {", "}"));
    return "IdFilter.bitmap(" + id(bitmap.firstId()) + ", BitSet.valueOf(" + words + "))";
  }

  static String spec(IndexSpec spec) {
    StringBuilder code = new StringBuilder("IndexSpec.of(\"");
    code.append(spec.backend()).append("\", ").append(spec.dimension());
    code.append(", Metric.").append(spec.metric()).append(')');
    for (Map.Entry<String, Object> parameter : spec.parameters().entrySet()) {
      Object value = parameter.getValue();
      code.append(".with(\"").append(parameter.getKey()).append("\", ");
      code.append(value instanceof Number ? value.toString() : "\"" + value + "\"").append(')');
    }
    return code.toString();
  }

  /** What a call returned. */
  static String answer(@Nullable Object answer) {
    if (answer == null) {
      return "a return";
    }
    if (answer instanceof Optional<?> optional) {
      return optional.map(vector -> Arrays.toString((float[]) vector)).orElse("empty");
    }
    if (answer instanceof List<?> results) {
      return results.stream().map(Object::toString).collect(Collectors.joining(", ", "{", "}"));
    }
    return answer instanceof SearchResult result ? result.toString() : String.valueOf(answer);
  }

  /**
   * A program that makes the calls of a failed trace and prints what the last one returns.
   *
   * @param title what failed, for its comment
   */
  static String program(String title, IndexSpec spec, Trace.Failure failure) {
    List<Operation> operations = failure.trace().operations();
    StringBuilder calls = new StringBuilder();
    for (int i = 0; i < operations.size() - 1; i++) {
      String call = operations.get(i).toJava();
      boolean refused = failure.refused().get(i);
      calls.append(INDENT).append(refused ? "refused(() -> " + call + ")" : call).append(";\n");
    }
    calls.append(INDENT).append("// expected: ").append(line(failure.expected())).append('\n');
    calls.append(INDENT).append("// came: ").append(line(failure.came())).append('\n');
    calls.append(INDENT).append(shown(operations.get(operations.size() - 1))).append(";\n");
    return """
        import io.github.panvec.*;
        import java.util.*;

        // %s
        class Reproducer {
          public static void main(String[] args) {
            IndexSpec spec = %s;
            try (VectorIndex index = Panvec.create(spec)) {
        %s    }
          }
        %s}
        """
        .formatted(line(title), spec(spec), calls, methods(calls.toString()));
  }

  private static String shown(Operation last) {
    String call = last.toJava();
    if (last instanceof Operation.Add
        || last instanceof Operation.AddAll
        || last instanceof Operation.Compact
        || last instanceof Operation.Upsert) {
      return call;
    }
    return "System.out.println("
        + call
        + (last instanceof Operation.Get ? ".map(Arrays::toString)" : "")
        + ")";
  }

  /** The methods that the calls need. */
  private static String methods(String calls) {
    String methods = "";
    if (calls.contains("refused(")) {
      methods +=
          """

            static void refused(Runnable call) {
              try {
                call.run();
              } catch (RuntimeException expected) {
                return;
              }
              throw new AssertionError("not refused");
            }
          """;
    }
    if (calls.contains("buffered(")) {
      methods +=
          """

            static SearchResult buffered(VectorIndex index, SearchRequest request, int capacity) {
              SearchBuffer buffer = SearchBuffer.allocate(index.spec().dimension(), capacity);
              buffer.query().copyFrom(request.query());
              index.search(request.query(buffer.query()), buffer);
              return buffer.toResult();
            }
          """;
    }
    return methods;
  }

  /** On one line, and not too much of it, without the backslash that could end the line. */
  private static String line(String text) {
    String line = text.replaceAll("\\s+", " ").replace('\\', '/');
    return line.length() > LONGEST_COMMENT ? line.substring(0, LONGEST_COMMENT) + " ..." : line;
  }
}
