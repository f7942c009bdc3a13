package io.github.panvec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.BitSet;
import org.junit.jupiter.api.Test;

class IdFilterTest {
  @Test
  void inHoldsDistinctIdsInOrder() {
    IdFilter.In in = (IdFilter.In) IdFilter.in(5, -1, 5, Long.MIN_VALUE);
    assertThat(in.ids()).containsExactly(Long.MIN_VALUE, -1, 5);
    assertThat(in.test(5)).isTrue();
    assertThat(in.test(6)).isFalse();
  }

  @Test
  void aBitmapStandsForTheIdsFromItsFirst() {
    BitSet bits = new BitSet();
    bits.set(0);
    bits.set(70);
    IdFilter filter = IdFilter.bitmap(-5, bits);
    assertThat(filter.test(-5)).isTrue();
    assertThat(filter.test(65)).isTrue();
    assertThat(filter.test(-4)).isFalse();
    assertThat(filter.test(-6)).isFalse();
    assertThat(filter.test(1_000_000)).isFalse();
  }

  @Test
  void idsFarFromABitmapDoNotWrapIntoIt() {
    BitSet bits = new BitSet();
    bits.set(0, 64);
    assertThat(IdFilter.bitmap(Long.MIN_VALUE, bits).test(Long.MAX_VALUE)).isFalse();
    assertThat(IdFilter.bitmap(Long.MIN_VALUE, bits).test(0)).isFalse();
    assertThat(IdFilter.bitmap(Long.MAX_VALUE - 63, bits).test(Long.MAX_VALUE)).isTrue();
    assertThat(IdFilter.bitmap(Long.MAX_VALUE - 63, bits).test(Long.MIN_VALUE)).isFalse();
    BitSet one = new BitSet();
    one.set(5);
    assertThat(IdFilter.bitmap(Long.MAX_VALUE - 5, one).test(Long.MAX_VALUE)).isTrue();
    assertThatThrownBy(() -> IdFilter.bitmap(Long.MAX_VALUE - 4, one))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> IdFilter.bitmap(Long.MAX_VALUE - 62, bits))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void changingTheBitSetLaterDoesNotChangeTheFilter() {
    BitSet bits = new BitSet();
    bits.set(1);
    IdFilter filter = IdFilter.bitmap(0, bits);
    bits.clear();
    assertThat(filter.test(1)).isTrue();
  }
}
