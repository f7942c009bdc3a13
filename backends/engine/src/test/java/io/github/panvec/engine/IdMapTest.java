package io.github.panvec.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class IdMapTest {

  @Test
  void everyVersionFindsTheSlotThatWasLiveInIt() {
    try (Arena arena = Arena.ofShared()) {
      SlotIds ids = new SlotIds(arena);
      Versions versions = new Versions(arena, ids, null);
      IdMap map = new IdMap(ids);
      ids.reserve(3);
      put(ids, map, versions, 42, 0);
      versions.publish(1);
      Version first = versions.retain();
      put(ids, map, versions, 42, 1);
      // Named already, not published yet: readers of the current version still find the old slot.
      assertThat(map.find(42, versions.current())).isZero();
      versions.publish(2, 0);
      Version second = versions.retain();
      put(ids, map, versions, 42, 2);
      versions.publish(3, 1);
      versions.publish(3, 2);
      assertThat(map.find(42, first)).isZero();
      assertThat(map.find(42, second)).isEqualTo(1);
      assertThat(map.find(42, versions.current())).isEqualTo(-1);
    }
  }

  private static void put(SlotIds ids, IdMap map, Versions versions, long id, int slot) {
    ids.set(slot, id);
    map.put(id, slot, map.find(id, versions.current()), versions.olderInUse());
  }

  @Test
  void slotsThatNoVersionHasShownStillLeadToTheOneThatIsLive() {
    try (Arena arena = Arena.ofShared()) {
      SlotIds ids = new SlotIds(arena);
      Versions versions = new Versions(arena, ids, null);
      IdMap map = new IdMap(ids);
      ids.reserve(5);
      put(ids, map, versions, 42, 0);
      versions.publish(1);
      // Two writes that failed after they had named their slots; another id's write buries the
      // first.
      put(ids, map, versions, 42, 1);
      put(ids, map, versions, 8, 2);
      versions.publish(3, 1);
      put(ids, map, versions, 42, 3);
      assertThat(map.find(42, versions.current())).isZero();
      put(ids, map, versions, 42, 4);
      assertThat(map.find(42, versions.current())).isZero();
      versions.publish(5, 0, 3);
      assertThat(map.find(42, versions.current())).isEqualTo(4);
      assertThat(map.find(8, versions.current())).isEqualTo(2);
    }
  }

  @Test
  void randomIdsOfAllKindsAreFoundAmongManyUpserts() {
    Random random = new Random(20261121);
    try (Arena arena = Arena.ofShared()) {
      SlotIds ids = new SlotIds(arena);
      Versions versions = new Versions(arena, ids, null);
      IdMap map = new IdMap(ids);
      Map<Long, Integer> model = new HashMap<>();
      for (int slot = 0; slot < 50_000; slot++) {
        long id =
            switch (random.nextInt(4)) {
              case 0 -> random.nextLong();
              case 1 -> slot;
              case 2 -> (long) slot << 32;
              default -> -random.nextInt(1000);
            };
        ids.reserve(slot + 1);
        map.reserve(1);
        Integer old = model.put(id, slot);
        put(ids, map, versions, id, slot);
        if (old == null) {
          versions.publish(slot + 1);
        } else {
          versions.publish(slot + 1, old);
        }
      }
      Version version = versions.current();
      model.forEach((id, slot) -> assertThat(map.find(id, version)).isEqualTo(slot));
      assertThat(map.find(-123_456_789_012L, version)).isEqualTo(-1);
    }
  }

  @Test
  void theFirstPageOfIdsGrowsWithoutLosingAny() {
    try (Arena arena = Arena.ofShared()) {
      SlotIds ids = new SlotIds(arena);
      for (int slot = 0; slot < 70_000; slot++) {
        ids.reserve(slot + 1);
        ids.set(slot, slot * 3L);
      }
      for (int slot = 0; slot < 70_000; slot++) {
        assertThat(ids.get(slot)).isEqualTo(slot * 3L);
      }
    }
  }

  @Test
  void repeatedIdsOfABatchAreFoundByRow() {
    assertThat(DistinctIds.firstRepeated(new long[] {})).isEqualTo(-1);
    assertThat(DistinctIds.firstRepeated(new long[] {3, 1, 2})).isEqualTo(-1);
    assertThat(DistinctIds.firstRepeated(new long[] {3, 1, 2, 1, 3})).isEqualTo(3);
  }
}
