package io.github.panvec.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.Capabilities;
import io.github.panvec.Metric;
import io.github.panvec.WriteOptions;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GenerationTest {
  private final Generation generation =
      new Generation(
          new Object(),
          0,
          new JavaSlotIndex(),
          new Workers(1),
          new Capabilities(EnumSet.allOf(Metric.class), 1, Integer.MAX_VALUE, true, false, false),
          1);

  /** There is no memory for a version. */
  private final AtomicBoolean noMemory = new AtomicBoolean();

  /** What a version allocates from first: nothing else can make publishing fail at will. */
  private final class FreePages extends ArrayList<MemorySegment> {
    private static final long serialVersionUID = 1;

    @Override
    public boolean isEmpty() {
      if (noMemory.getAndSet(false)) {
        throw new OutOfMemoryError("no version");
      }
      return super.isEmpty();
    }
  }

  GenerationTest() throws ReflectiveOperationException {
    Field freePages = Versions.class.getDeclaredField("freePages");
    freePages.setAccessible(true);
    freePages.set(generation.versions(), new FreePages());
  }

  @AfterEach
  void close() {
    generation.close();
  }

  private void write(boolean replace, long[] ids, float... rows) {
    generation.write(ids, MemorySegment.ofArray(rows), replace, WriteOptions.defaults());
  }

  private int slot(long id) {
    return generation.find(id, generation.versions().current());
  }

  private float row(long id) {
    MemorySegment row = MemorySegment.ofArray(new float[1]);
    generation.row(slot(id), row);
    return row.get(ValueLayout.JAVA_FLOAT_UNALIGNED, 0);
  }

  private void failToPublish(long[] ids, float... rows) {
    noMemory.set(true);
    assertThatThrownBy(() -> write(true, ids, rows))
        .isInstanceOf(OutOfMemoryError.class)
        .hasMessage("no version");
  }

  @Test
  void idsOfABatchThatCouldNotBePublishedAreStillReached() {
    write(false, new long[] {1, 2}, 10, 20);
    // The map leads to slots 2 and 3 for these ids now, behind which the old ones are.
    failToPublish(new long[] {1, 3}, 11, 30);
    assertThat(row(1)).isEqualTo(10);
    assertThat(slot(3)).isNegative();
    // Those slots are published as dead ones by the next write.
    write(false, new long[] {4}, 40);
    assertThat(slot(1)).isZero();
    assertThat(row(1)).isEqualTo(10);
    assertThat(row(2)).isEqualTo(20);
    assertThat(slot(3)).isNegative();
    assertThat(row(4)).isEqualTo(40);
    assertThat(generation.versions().current().liveCount()).isEqualTo(3);
    write(false, new long[] {3}, 31);
    assertThat(row(3)).isEqualTo(31);
    write(true, new long[] {1}, 12);
    assertThat(row(1)).isEqualTo(12);
    assertThat(generation.remove(new long[] {1, 3})).isEqualTo(2);
    assertThat(slot(1)).isNegative();
    assertThat(generation.versions().current().liveCount()).isEqualTo(2);
  }

  @Test
  void theFirstIdOfTheNextBatchIsReachedToo() {
    write(false, new long[] {1}, 10);
    for (int failure = 0; failure < 3; failure++) {
      failToPublish(new long[] {7, 1}, 70, 11);
    }
    write(true, new long[] {7, 8}, 71, 80);
    assertThat(row(7)).isEqualTo(71);
    assertThat(row(8)).isEqualTo(80);
    assertThat(row(1)).isEqualTo(10);
    assertThat(generation.remove(new long[] {7})).isEqualTo(1);
    assertThat(slot(7)).isNegative();
    assertThat(row(8)).isEqualTo(80);
  }
}
