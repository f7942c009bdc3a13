package io.github.panvec.bench.soak;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.VectorIndex;
import io.github.panvec.bench.toy.ToyBackend;
import org.junit.jupiter.api.Test;

class WriteStreamTest {
  private static final int ROWS = 1000;
  private static final int DIMENSION = 3;

  private final VectorIndex index = emptyIndex();
  private final Failures failures = new Failures();
  private final WriteStream stream = stream(index, 7);

  private static VectorIndex emptyIndex() {
    return new ToyBackend().create(IndexSpec.of("toy", DIMENSION, Metric.L2));
  }

  private WriteStream stream(VectorIndex index, long seed) {
    WriteStream stream =
        new WriteStream(
            index,
            new SyntheticRows(seed, DIMENSION),
            new Ledger(),
            new Stage(),
            new Stage.Activity(),
            failures,
            "this index",
            seed,
            ROWS,
            20);
    while (index.size() < ROWS) {
      stream.fill();
    }
    return stream;
  }

  private static void write(WriteStream stream) {
    for (int i = 0; i < 500; i++) {
      stream.next();
    }
  }

  private static float[] rowsOf(VectorIndex index) {
    float[] rows = new float[DIMENSION * (int) index.size()];
    int at = 0;
    for (long id : index.ids()) {
      System.arraycopy(index.get(id).orElseThrow(), 0, rows, at, DIMENSION);
      at += DIMENSION;
    }
    return rows;
  }

  @Test
  void oneSeedWritesTheSameToEveryIndex() {
    VectorIndex same = emptyIndex();
    VectorIndex other = emptyIndex();
    write(stream);
    write(stream(same, 7));
    write(stream(other, 8));
    assertThat(same.ids()).isEqualTo(index.ids());
    assertThat(rowsOf(same)).isEqualTo(rowsOf(index));
    assertThat(other.ids()).isNotEqualTo(index.ids());
    assertThat(failures.first()).isEmpty();
    assertThat(stream.operations()).isEqualTo(500);
    assertThat(stream.compactions()).isPositive();
  }

  @Test
  void inTheEndEveryRowIsCompared() {
    write(stream);
    stream.checkAll();
    assertThat(failures.count()).isZero();

    long last = index.ids()[(int) index.size() - 1];
    index.upsert(last, new float[] {9, 9, 9});
    stream.checkAll();
    assertThat(failures.first())
        .containsExactly("in the end this index has another row under id " + last);

    index.remove(last);
    stream.checkAll();
    assertThat(failures.first())
        .last()
        .isEqualTo("in the end this index has other ids than it must have");
  }

  @Test
  void aRowThatSomebodyElseRemovesIsMissed() {
    write(stream);
    for (long id : index.ids()) {
      index.remove(id);
    }
    while (failures.count() == 0) {
      stream.next();
    }
    assertThat(failures.first()).first().asString().contains("operation 5", " live ids");
  }
}
