package io.github.panvec.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Capabilities;
import io.github.panvec.IndexSpec;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.NativeMemoryException;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.util.EnumSet;
import java.util.stream.LongStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ManagedIndexTest {
  private final JavaSlotIndex slots = new JavaSlotIndex();
  private final VectorIndex index =
      new ManagedIndex(
          IndexSpec.of("java", 1, Metric.L2),
          new Capabilities(EnumSet.allOf(Metric.class), 1, Integer.MAX_VALUE, true, false),
          slots,
          1,
          10);

  @AfterEach
  void close() {
    index.close();
    assertThat(slots.closed).isTrue();
  }

  private long[] found() {
    return index.search(SearchRequest.of(new float[1], 1000).exact()).ids();
  }

  @Test
  void aBatchThatFailsWhileItIsLinkedShowsNothingThenOrLater() {
    index.addAll(new long[] {1, 2}, new float[] {1, 2});
    slots.failAfter = 3;
    assertThatThrownBy(() -> index.addAll(new long[] {3, 4, 5, 6, 7}, new float[5]))
        .isInstanceOf(NativeMemoryException.class)
        .hasMessage("enough");
    assertThat(index.size()).isEqualTo(2);
    assertThat(found()).containsExactly(1, 2);
    assertThat(index.contains(3)).isFalse();
    assertThat(index.remove(1)).isTrue();
    assertThat(found()).containsExactly(2);
    index.addAll(new long[] {3, 4, 5, 6, 7}, new float[] {3, 4, 5, 6, 7});
    assertThat(index.size()).isEqualTo(6);
    assertThat(found()).containsExactly(2, 3, 4, 5, 6, 7);
    assertThat(index.get(3)).hasValueSatisfying(row -> assertThat(row).containsExactly(3));
  }

  @Test
  void anUpsertThatFailsLeavesTheOldRow() {
    index.add(1, new float[] {10});
    for (int failure = 0; failure < 2; failure++) {
      slots.failAfter = failure;
      assertThatThrownBy(() -> index.upsert(1, new float[] {20}))
          .isInstanceOf(NativeMemoryException.class);
      assertThat(index.size()).isEqualTo(1);
      assertThat(found()).containsExactly(1);
      assertThat(index.get(1)).hasValueSatisfying(row -> assertThat(row).containsExactly(10));
    }
    index.upsert(1, new float[] {30});
    assertThat(index.size()).isEqualTo(1);
    assertThat(found()).containsExactly(1);
    assertThat(index.get(1)).hasValueSatisfying(row -> assertThat(row).containsExactly(30));
  }

  @Test
  void aRefusedRowLeavesNoTrace() {
    index.add(1, new float[] {1});
    assertThatThrownBy(() -> index.addAll(new long[] {2, 3}, new float[] {2, Float.NaN}))
        .isInstanceOf(InvalidVectorException.class);
    index.addAll(new long[] {3, 2}, new float[] {3, 2});
    assertThat(found()).containsExactly(1, 3, 2);
  }

  @Test
  void aWalkThatComesBackShortIsCompleted() {
    index.addAll(LongStream.range(0, 200).toArray(), new float[200]);
    slots.walkFinds = 4;
    assertThat(index.search(new float[1], 10).count()).isEqualTo(10);
    assertThat(index.stats().details()).containsEntry("completedWalks", 1L);
  }

  @Test
  void statsCountLiveAndDeadRows() {
    index.addAll(new long[] {1, 2, 3}, new float[3]);
    index.remove(2);
    assertThat(index.stats().size()).isEqualTo(2);
    assertThat(index.stats().dead()).isEqualTo(1);
    assertThat(index.stats().nativeBytes()).isPositive();
  }
}
