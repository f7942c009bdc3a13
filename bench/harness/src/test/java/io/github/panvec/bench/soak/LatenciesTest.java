package io.github.panvec.bench.soak;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LatenciesTest {

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 255, 256, 511, 512, 513, 1023, 1024, 123_456_789, Long.MAX_VALUE})
  void oneLatencyIsEveryPercentile(long nanos) {
    Latencies latencies = new Latencies();
    latencies.add(nanos);
    assertThat(latencies.micros(0.01)).isEqualTo(nanos / 1e3);
    assertThat(latencies.micros(1)).isEqualTo(nanos / 1e3);
    assertThat(latencies.maxMicros()).isEqualTo(nanos / 1e3);
  }

  @Test
  void percentilesAreThoseOfTheSortedLatenciesUpToTheWidthOfABucket() {
    long seed = Long.getLong("panvec.seed", 17);
    SplittableRandom random = new SplittableRandom(seed);
    Latencies latencies = new Latencies();
    long[] all = new long[10_000];
    for (int i = 0; i < all.length; i++) {
      all[i] = random.nextLong(1L << random.nextInt(1, 40));
      latencies.add(all[i]);
    }
    Arrays.sort(all);
    assertThat(latencies.count()).isEqualTo(all.length);
    for (double share : new double[] {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1}) {
      double expected = all[(int) Math.ceil(share * all.length) - 1] / 1e3;
      assertThat(latencies.micros(share))
          .as("share %s, seed %d", share, seed)
          .isGreaterThanOrEqualTo(expected)
          .isCloseTo(expected, within(expected / 256));
    }
  }

  @Test
  void withoutLatenciesThereIsNoPercentile() {
    assertThat(new Latencies().micros(0.99)).isNaN();
    assertThat(new Latencies().maxMicros()).isNaN();
  }
}
