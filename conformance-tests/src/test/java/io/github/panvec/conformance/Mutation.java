package io.github.panvec.conformance;

import java.util.Arrays;
import java.util.random.RandomGenerator;
import java.util.stream.IntStream;

/** A damaged copy of a file, and what was done to it. */
record Mutation(byte[] bytes, String what) {
  /**
   * One of four kinds.
   *
   * @param number of the mutation: kinds take turns
   */
  static Mutation of(byte[] whole, RandomGenerator random, int number) {
    byte[] bytes = whole.clone();
    // Half of it where the heads are.
    int at = random.nextInt(random.nextBoolean() ? Math.min(512, bytes.length) : bytes.length);
    String what;
    switch (number % 4) {
      case 0 -> {
        bytes = Arrays.copyOf(bytes, at);
        what = "cut to " + at;
      }
      case 1 -> {
        bytes[at] ^= (byte) (1 << random.nextInt(8));
        what = "one bit at " + at;
      }
      case 2 -> {
        byte[] noise = new byte[8];
        random.nextBytes(noise);
        System.arraycopy(noise, 0, bytes, at, Math.min(8, bytes.length - at));
        what = "eight bytes at " + at;
      }
      default -> {
        for (int i : IntStream.range(0, 16).toArray()) {
          bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
        }
        what = "sixteen bytes";
      }
    }
    return new Mutation(bytes, number + ": " + what);
  }
}
