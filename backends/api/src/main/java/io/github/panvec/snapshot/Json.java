package io.github.panvec.snapshot;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * As much of JSON as a manifest needs: objects ({@link Map}), arrays ({@link List}), strings, whole
 * numbers ({@link Long}) and booleans. Writes one form only; reads strictly: no name twice, nothing
 * behind the value.
 */
final class Json {
  private static final int MAX_DEPTH = 16;

  private final String text;
  private int at;

  private Json(String text) {
    this.text = text;
  }

  /** Not such a text; the message tells where and why. */
  static final class MalformedException extends Exception {
    private static final long serialVersionUID = 1L;

    MalformedException(String message) {
      super(message);
    }
  }

  /** The object that these bytes are. */
  static Map<String, Object> readObject(byte[] utf8) throws MalformedException {
    String text;
    try {
      text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(utf8)).toString();
    } catch (CharacterCodingException notText) {
      throw new MalformedException("not UTF-8");
    }
    Json reader = new Json(text);
    reader.skipSpace();
    Map<String, Object> object = reader.object(1);
    reader.skipSpace();
    if (reader.at != text.length()) {
      throw reader.malformed("text behind the end");
    }
    return object;
  }

  private Object value(int depth) throws MalformedException {
    if (depth > MAX_DEPTH) {
      throw malformed("nested too deeply");
    }
    char next = peek();
    if (next == '{') {
      return object(depth);
    }
    if (next == '[') {
      return array(depth);
    }
    if (next == '"') {
      return string();
    }
    if (next == '-' || (next >= '0' && next <= '9')) {
      return number();
    }
    for (boolean word : new boolean[] {true, false}) {
      if (text.startsWith(Boolean.toString(word), at)) {
        at += Boolean.toString(word).length();
        return word;
      }
    }
    throw malformed("a value expected");
  }

  private Map<String, Object> object(int depth) throws MalformedException {
    Map<String, Object> members = new LinkedHashMap<>();
    expect('{');
    skipSpace();
    if (peek() == '}') {
      at++;
      return members;
    }
    while (true) {
      skipSpace();
      String name = string();
      skipSpace();
      expect(':');
      skipSpace();
      if (members.put(name, value(depth + 1)) != null) {
        throw malformed("\"" + name + "\" stands there twice");
      }
      skipSpace();
      if (peek() == '}') {
        at++;
        return members;
      }
      expect(',');
    }
  }

  private List<Object> array(int depth) throws MalformedException {
    List<Object> elements = new ArrayList<>();
    expect('[');
    skipSpace();
    if (peek() == ']') {
      at++;
      return elements;
    }
    while (true) {
      skipSpace();
      elements.add(value(depth + 1));
      skipSpace();
      if (peek() == ']') {
        at++;
        return elements;
      }
      expect(',');
    }
  }

  private String string() throws MalformedException {
    expect('"');
    StringBuilder content = new StringBuilder();
    while (true) {
      char next = take();
      if (next == '"') {
        return content.toString();
      }
      if (next < ' ') {
        throw malformed("a control character within a string");
      }
      content.append(next == '\\' ? escaped() : next);
    }
  }

  private char escaped() throws MalformedException {
    char kind = take();
    switch (kind) {
      case '"', '\\', '/':
        return kind;
      case 'b':
        return '\b';
      case 'f':
        return '\f';
      case 'n':
        return '\n';
      case 'r':
        return '\r';
      case 't':
        return '\t';
      case 'u':
        int unit = 0;
        for (int digit = 0; digit < 4; digit++) {
          char hex = take();
          int part = hex < 128 ? Character.digit(hex, 16) : -1;
          if (part < 0) {
            throw malformed("a hexadecimal digit expected");
          }
          unit = unit << 4 | part;
        }
        return (char) unit;
      default:
        throw malformed("an escape that JSON does not know");
    }
  }

  private Long number() throws MalformedException {
    int from = at;
    if (peek() == '-') {
      at++;
    }
    while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
      at++;
    }
    String digits = text.substring(from, at);
    String magnitude = digits.startsWith("-") ? digits.substring(1) : digits;
    boolean fraction = at < text.length() && ".eE".indexOf(text.charAt(at)) >= 0;
    if (fraction || (magnitude.startsWith("0") && digits.length() > 1)) {
      throw malformed("a whole number expected");
    }
    try {
      return Long.parseLong(digits);
    } catch (NumberFormatException notALong) {
      throw malformed("a whole number of 64 bits expected");
    }
  }

  private void skipSpace() {
    while (at < text.length() && " \n\r\t".indexOf(text.charAt(at)) >= 0) {
      at++;
    }
  }

  private char peek() throws MalformedException {
    if (at == text.length()) {
      throw malformed("ends too early");
    }
    return text.charAt(at);
  }

  private char take() throws MalformedException {
    char next = peek();
    at++;
    return next;
  }

  private void expect(char wanted) throws MalformedException {
    if (peek() != wanted) {
      throw malformed("'" + wanted + "' expected");
    }
    at++;
  }

  private MalformedException malformed(String what) {
    return new MalformedException("character " + at + ": " + what);
  }

  /**
   * Writes a value in its one form: members in the map's order, a line each; ASCII alone.
   *
   * @param indent what stands before each line but the first
   */
  static void write(StringBuilder out, Object value, String indent) {
    String deeper = indent + "  ";
    if (value instanceof Map<?, ?> object) {
      String before = "{\n" + deeper;
      for (Map.Entry<?, ?> member : object.entrySet()) {
        out.append(before);
        quote(out, (String) member.getKey());
        out.append(": ");
        write(out, member.getValue(), deeper);
        before = ",\n" + deeper;
      }
      out.append(object.isEmpty() ? "{}" : "\n" + indent + "}");
    } else if (value instanceof List<?> array) {
      String before = "[\n" + deeper;
      for (Object element : array) {
        out.append(before);
        write(out, element, deeper);
        before = ",\n" + deeper;
      }
      out.append(array.isEmpty() ? "[]" : "\n" + indent + "]");
    } else if (value instanceof String string) {
      quote(out, string);
    } else if (value instanceof Long || value instanceof Boolean) {
      out.append(value);
    } else {
      throw new IllegalArgumentException("not a value of JSON: " + value);
    }
  }

  private static void quote(StringBuilder out, String string) {
    out.append('"');
    for (int i = 0; i < string.length(); i++) {
      char unit = string.charAt(i);
      if (unit == '"' || unit == '\\') {
        out.append('\\').append(unit);
      } else if (unit < ' ' || unit > '~') {
        out.append(String.format("\\u%04x", (int) unit));
      } else {
        out.append(unit);
      }
    }
    out.append('"');
  }
}
