package io.github.panvec.sqlitevec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.github.panvec.DuplicateIdException;
import io.github.panvec.IdFilter;
import io.github.panvec.InvalidVectorException;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchBuffer;
import io.github.panvec.SearchRequest;
import io.github.panvec.VectorIndex;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.Random;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is special to a database, in memory. */
class SqliteVecIndexTest {
  /** Rows of this dimension that make three slices of a batch. */
  private static final int WIDE = 1024;

  private static final int THREE_SLICES = 2500;
  private final Random random = Rows.random("SqliteVecIndexTest");

  private static VectorIndex inMemory(Metric metric, int dimension) {
    return Panvec.create(Rows.spec(metric, dimension));
  }

  private float[] query(int dimension) {
    return Rows.random(random, Metric.L2, dimension, 1, 0).vectors;
  }

  @ParameterizedTest
  @EnumSource
  void searchesBeyondTheLimitOfSqliteVecItself(Metric metric) {
    Rows rows = Rows.random(random, metric, 4, 6000, -3000);
    float[] query = query(4);
    try (VectorIndex index = inMemory(metric, 4)) {
      index.addAll(rows.ids, rows.vectors);
      for (int k : new int[] {4096, 4097, 5999, 6000, 100_000, Integer.MAX_VALUE}) {
        assertThat(Rows.of(index.search(query, k)))
            .as("k = %d", k)
            .isEqualTo(rows.nearest(query, k, null));
      }
      SearchBuffer buffer = SearchBuffer.allocate(4, 6000);
      index.search(SearchRequest.of(query, 1_000_000), buffer);
      assertThat(Rows.of(buffer.toResult())).isEqualTo(rows.nearest(query, 6000, null));
    }
  }

  @ParameterizedTest
  @EnumSource
  void filtersOfAnySizeReturnExactlyTheMatches(Metric metric) {
    Rows rows = Rows.random(random, metric, 6, 3000, 1000);
    float[] query = query(6);
    BitSet sparse = new BitSet();
    sparse.set(2999);
    BitSet dense = new BitSet();
    dense.set(0, 100_000);
    IdFilter[] filters = {
      IdFilter.in(),
      IdFilter.in(1234),
      IdFilter.in(999_999),
      IdFilter.in(1000, 3999),
      IdFilter.in(LongStream.range(-50_000, 50_000).toArray()),
      IdFilter.in(LongStream.range(0, 100_000).map(i -> 2 * i).toArray()),
      IdFilter.bitmap(1000, new BitSet()),
      IdFilter.bitmap(1000, sparse),
      IdFilter.bitmap(-5, dense),
      IdFilter.bitmap(Long.MIN_VALUE, dense)
    };
    try (VectorIndex index = inMemory(metric, 6)) {
      index.addAll(rows.ids, rows.vectors);
      SearchBuffer buffer = SearchBuffer.allocate(6, 20);
      for (IdFilter filter : filters) {
        SearchRequest request = SearchRequest.of(query, 20).filter(filter);
        assertThat(Rows.of(index.search(request)))
            .as("%s", filter)
            .isEqualTo(rows.nearest(query, 20, filter));
        index.search(request, buffer);
        assertThat(Rows.of(buffer.toResult()))
            .as("%s", filter)
            .isEqualTo(rows.nearest(query, 20, filter));
      }
    }
  }

  @Test
  void aBatchOfSeveralSlicesIsAddedWhole() {
    Rows rows = Rows.random(random, Metric.COSINE, WIDE, THREE_SLICES, 0);
    float[] query = query(WIDE);
    try (VectorIndex index = inMemory(Metric.COSINE, WIDE)) {
      index.addAll(rows.ids, rows.vectors);
      assertThat(index.size()).isEqualTo(THREE_SLICES);
      assertThat(Rows.of(index.search(query, 50))).isEqualTo(rows.nearest(query, 50, null));
    }
  }

  @Test
  void aBadRowInALaterSliceIsNamedByItsPlaceInTheBatchAndNothingIsAdded() {
    Rows rows = Rows.random(random, Metric.L2, WIDE, THREE_SLICES, 0);
    rows.vectors[2345 * WIDE + 7] = Float.NaN;
    try (VectorIndex index = inMemory(Metric.L2, WIDE)) {
      index.add(-1, query(WIDE));
      assertThatThrownBy(() -> index.addAll(rows.ids, rows.vectors))
          .isInstanceOf(InvalidVectorException.class)
          .hasMessageContaining("row 2345")
          .hasMessageContaining("component 7");
      assertThat(index.size()).isEqualTo(1);
      rows.vectors[2345 * WIDE + 7] = 0;
      index.addAll(rows.ids, rows.vectors);
      assertThat(index.size()).isEqualTo(1 + THREE_SLICES);
    }
  }

  @Test
  void anIdThatComesTwiceInDifferentSlicesIsNamedAndNothingIsAdded() {
    Rows rows = Rows.random(random, Metric.DOT, WIDE, THREE_SLICES, 0);
    rows.ids[2400] = rows.ids[3];
    try (VectorIndex index = inMemory(Metric.DOT, WIDE)) {
      DuplicateIdException duplicate =
          catchThrowableOfType(
              DuplicateIdException.class, () -> index.addAll(rows.ids, rows.vectors));
      assertThat(duplicate.id()).isEqualTo(3);
      assertThat(duplicate.row()).isEqualTo(2400);
      assertThat(index.size()).isZero();
      assertThat(index.search(query(WIDE), 5).count()).isZero();
    }
  }

  @Test
  void segmentsOfAnyKindAndAlignmentAreRead() {
    int dimension = 3;
    Rows rows = Rows.random(random, Metric.L2, dimension, 100, 0);
    MemorySegment heapIds = MemorySegment.ofArray(rows.ids);
    MemorySegment heapRows = MemorySegment.ofArray(rows.vectors);
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment nativeIds = arena.allocate(heapIds.byteSize(), 8).copyFrom(heapIds);
      MemorySegment nativeRows = arena.allocate(heapRows.byteSize(), 8).copyFrom(heapRows);
      MemorySegment oddIds = arena.allocate(heapIds.byteSize() + 1, 8).asSlice(1).copyFrom(heapIds);
      MemorySegment oddRows =
          arena.allocate(heapRows.byteSize() + 1, 8).asSlice(1).copyFrom(heapRows);
      MemorySegment bytes =
          MemorySegment.ofArray(heapRows.toArray(ValueLayout.JAVA_BYTE)).asReadOnly();
      MemorySegment[][] kinds = {
        {heapIds, heapRows},
        {nativeIds, nativeRows},
        {oddIds, oddRows},
        {heapIds.asReadOnly(), bytes}
      };
      for (MemorySegment[] kind : kinds) {
        try (VectorIndex index = inMemory(Metric.L2, dimension)) {
          index.addAll(kind[0], kind[1]);
          assertThat(index.get(42))
              .hasValueSatisfying(row -> assertThat(row).isEqualTo(rows.row(42)));
          assertThat(index.get(99))
              .hasValueSatisfying(row -> assertThat(row).isEqualTo(rows.row(99)));
        }
      }
    }
  }

  @Test
  void aBufferThatIsTooSmallIsRefusedUnlessTheIndexIsSmallerStill() {
    try (VectorIndex index = inMemory(Metric.L2, 1)) {
      SearchBuffer buffer = SearchBuffer.allocate(1, 2);
      SearchRequest request = SearchRequest.of(new float[] {0}, 3);
      index.addAll(new long[] {1, 2}, new float[] {1, 2});
      index.search(request, buffer);
      assertThat(buffer.count()).isEqualTo(2);
      index.add(3, new float[] {3});
      assertThatThrownBy(() -> index.search(request, buffer))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("holds 2 hits");
      assertThat(buffer.count()).isZero();
    }
  }

  @Test
  void statsCountTheMemoryOfTheDatabase() {
    try (VectorIndex index = inMemory(Metric.L2, WIDE)) {
      Rows rows = Rows.random(random, Metric.L2, WIDE, 1000, 0);
      index.addAll(rows.ids, rows.vectors);
      assertThat(index.stats().size()).isEqualTo(1000);
      assertThat(index.stats().nativeBytes()).isGreaterThan(1000L * WIDE * Float.BYTES);
      assertThat(index.stats().diskBytes()).isZero();
      assertThat(index.stats().details()).containsEntry("journalMode", "memory");
    }
  }

  @Test
  void availabilityNamesTheVersionAndTheFile() {
    assertThat(new SqliteVecBackend().availability())
        .satisfies(
            availability -> {
              assertThat(availability.available()).as(availability.reason()).isTrue();
              assertThat(availability.upstreamVersion()).isEqualTo("0.1.9");
              assertThat(availability.library()).contains("libpanvec_sqlitevec");
              assertThat(availability.simdLevel()).isIn("baseline", "neon", "avx2", "avx512");
            });
  }
}
