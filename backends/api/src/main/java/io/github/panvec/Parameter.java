package io.github.panvec;

import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A parameter that a backend declares: its name, type, default, range and one line of help.
 *
 * @param name the field's term, for example {@code efSearch}
 * @param type what values look like
 * @param defaultValue the value when none is given ({@link Long} or {@link String}), null when the
 *     parameter is simply absent then
 * @param min smallest value of an {@link Type#INTEGER}, inclusive
 * @param max largest value of an {@link Type#INTEGER}, inclusive
 * @param choices the values of a {@link Type#CHOICE}; empty otherwise
 * @param help one line for people
 * @param condition when it applies, or null: always
 */
public record Parameter(
    String name,
    Type type,
    @Nullable Object defaultValue,
    long min,
    long max,
    List<String> choices,
    String help,
    @Nullable Condition condition) {

  /**
   * A parameter that applies only beside certain values of another one.
   *
   * @param parameter the other one's name; a {@link Type#CHOICE} that always applies
   * @param values its values, one of which is required
   */
  public record Condition(String parameter, List<String> values) {
    public Condition {
      values = List.copyOf(values);
    }

    /** For example {@code type=ivf_flat | ivf_pq}. */
    @Override
    public String toString() {
      return parameter + "=" + String.join(" | ", values);
    }
  }

  /** The types of parameters. */
  public enum Type {
    /** A whole number between {@code min} and {@code max}. */
    INTEGER,
    /** One of a list of words. */
    CHOICE,
    /** A path of the local file system. */
    PATH
  }

  public Parameter {
    Objects.requireNonNull(name, "name");
    Objects.requireNonNull(type, "type");
    Objects.requireNonNull(help, "help");
    choices = List.copyOf(choices);
  }

  /** A whole number in {@code min .. max}. */
  public static Parameter integer(String name, long defaultValue, long min, long max, String help) {
    return new Parameter(name, Type.INTEGER, defaultValue, min, max, List.of(), help, null);
  }

  /** One of {@code choices}, the first of which is the default. */
  public static Parameter choice(String name, List<String> choices, String help) {
    return new Parameter(name, Type.CHOICE, choices.get(0), 0, 0, choices, help, null);
  }

  /** A path, absent by default. */
  public static Parameter path(String name, String help) {
    return new Parameter(name, Type.PATH, null, 0, 0, List.of(), help, null);
  }

  /** The same parameter, applying only where {@code parameter} has one of {@code values}. */
  public Parameter onlyFor(String parameter, List<String> values) {
    return new Parameter(
        name, type, defaultValue, min, max, choices, help, new Condition(parameter, values));
  }

  /**
   * Whether it applies beside these other parameters.
   *
   * @param others parsed values by name; a conditional parameter does not apply where that of
   *     {@link Condition#parameter()} is missing
   */
  public boolean appliesTo(Map<String, Object> others) {
    Object other = condition == null ? null : others.get(condition.parameter());
    return condition == null || (other != null && condition.values().contains(other));
  }

  /**
   * The value as the backend wants it: a {@link Long}, or a {@link String}.
   *
   * @param given an integral {@link Number}, or anything whose {@code toString()} reads as such a
   *     value
   * @throws IllegalArgumentException when it is of another type or out of range, with the range
   */
  public Object parse(Object given) {
    String text = given.toString();
    switch (type) {
      case INTEGER:
        long value;
        try {
          value = Long.parseLong(text.strip());
        } catch (NumberFormatException notANumber) {
          throw new IllegalArgumentException(
              String.format(
                  Locale.ROOT,
                  "%s must be a whole number from %d to %d, not \"%s\"",
                  name,
                  min,
                  max,
                  text));
        }
        if (value < min || value > max) {
          throw new IllegalArgumentException(
              String.format(
                  Locale.ROOT, "%s must be from %d to %d, not %d", name, min, max, value));
        }
        return value;
      case CHOICE:
        if (!choices.contains(text)) {
          throw new IllegalArgumentException(Names.unknown(name, text, choices));
        }
        return text;
      default:
        if (text.isEmpty()) {
          throw new IllegalArgumentException(name + " must not be empty");
        }
        return text;
    }
  }

  /** For example {@code m (2 .. 512, default 16): neighbours per node}. */
  @Override
  public String toString() {
    String range =
        switch (type) {
          case INTEGER -> min + " .. " + (max == Integer.MAX_VALUE ? "" : max);
          case CHOICE -> String.join(" | ", choices);
          case PATH -> "path";
        };
    String byDefault = defaultValue == null ? "" : ", default " + defaultValue;
    String only = condition == null ? "" : ", only for " + condition;
    return name + " (" + range.strip() + byDefault + only + "): " + help;
  }
}
