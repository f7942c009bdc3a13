package io.github.panvec;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SearchBufferTest {

  @Test
  void insertKeepsTheNearestInOrderOfDistanceAndId() {
    Random random = new Random(5);
    Comparator<Hit> nearestFirst =
        Comparator.comparingDouble(Hit::distance).thenComparingLong(Hit::id);
    for (int k : new int[] {1, 2, 10, 50, 100}) {
      SearchBuffer buffer = SearchBuffer.allocate(1, k);
      List<Hit> all = new ArrayList<>();
      for (long id = 0; id < 60; id++) {
        // Of few values, so that ties are among them.
        Hit hit = new Hit(id * 37 % 60, random.nextInt(8));
        all.add(hit);
        buffer.insert(hit.id(), hit.distance(), k);
        assertThat(buffer.toResult().hits())
            .isEqualTo(all.stream().sorted(nearestFirst).limit(k).toList());
      }
    }
  }
}
