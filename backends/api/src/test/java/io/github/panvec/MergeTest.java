package io.github.panvec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;

class MergeTest {

  private static SearchResult result(SearchPath path, Object... idsAndDistances) {
    int count = idsAndDistances.length / 2;
    long[] ids = new long[count];
    float[] distances = new float[count];
    for (int i = 0; i < count; i++) {
      ids[i] = ((Number) idsAndDistances[2 * i]).longValue();
      distances[i] = ((Number) idsAndDistances[2 * i + 1]).floatValue();
    }
    return new SearchResult(ids, distances, path);
  }

  private static SearchResult scan(Object... idsAndDistances) {
    return result(SearchPath.SCAN, idsAndDistances);
  }

  @Test
  void theNearestOfAllComeByDistanceAndThenById() {
    SearchResult merged =
        Panvec.merge(
            List.of(
                scan(5, 0.5f, 9, 1, 20, 3),
                scan(),
                scan(-3, 0.5f, 8, 1, 10, 1),
                scan(Long.MAX_VALUE, 0.25f, Long.MIN_VALUE, 1)),
            6);
    assertThat(merged)
        .hasToString(
            "[9223372036854775807: 0.25, -3: 0.5, 5: 0.5, -9223372036854775808: 1.0, 8: 1.0, 9: 1.0]");
  }

  @Test
  void zerosOfBothSignsAreEqual() {
    assertThat(Panvec.merge(List.of(scan(2, -0.0f), scan(1, 0.0f)), 2).ids()).containsExactly(1, 2);
  }

  @Test
  void thereAreAsManyHitsAsThereAre() {
    assertThat(Panvec.merge(List.of(scan(1, 1), scan(2, 1)), Integer.MAX_VALUE).count())
        .isEqualTo(2);
    assertThat(Panvec.merge(List.of(), 3).count()).isZero();
  }

  @Test
  void aWalkAmongThemMakesItAWalk() {
    SearchResult walk = result(SearchPath.WALK, 1, 1);
    SearchResult both = result(SearchPath.WALK_THEN_SCAN, 2, 2);
    SearchResult scan = scan(3, 3);
    assertThat(Panvec.merge(List.of(scan, scan(4, 4)), 3).path()).isEqualTo(SearchPath.SCAN);
    assertThat(Panvec.merge(List.of(scan, both), 3).path()).isEqualTo(SearchPath.WALK_THEN_SCAN);
    assertThat(Panvec.merge(List.of(scan, both, walk), 3).path()).isEqualTo(SearchPath.WALK);
    assertThat(Panvec.merge(List.of(walk, scan), 3).path()).isEqualTo(SearchPath.WALK);
  }

  @Test
  void anIdThatWouldComeTwiceIsRefused() {
    List<SearchResult> results = List.of(scan(1, 1), scan(7, 2), scan(8, 1, 7, 3));
    assertThatThrownBy(() -> Panvec.merge(results, 4))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("id 7 is in result 1 and in result 2");
    assertThat(Panvec.merge(results, 3).ids()).containsExactly(1, 8, 7);
  }

  @Test
  void kIsAtLeastOne() {
    assertThatThrownBy(() -> Panvec.merge(List.of(), 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("k must be at least 1, not 0");
  }
}
