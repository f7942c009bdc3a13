package io.github.panvec.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

class VersionsTest {

  @Test
  void aHeldVersionKeepsItsStateWhileNewerOnesArePublished() {
    try (Arena arena = Arena.ofShared()) {
      SlotIds ids = new SlotIds(arena);
      Versions versions = new Versions(arena, ids, null);
      ids.reserve(100_000);
      versions.publish(100_000);
      versions.publish(100_000, 5, 70_000);
      Version held = versions.retain();
      for (int slot = 0; slot < 5; slot++) {
        versions.publish(100_000, slot);
      }
      assertThat(held.isLive(4)).isTrue();
      assertThat(held.isLive(5)).isFalse();
      assertThat(held.isLive(70_000)).isFalse();
      assertThat(held.liveCount()).isEqualTo(99_998);
      assertThat(versions.current().liveCount()).isEqualTo(99_993);
      assertThat(versions.current().isLive(4)).isFalse();
      assertThat(versions.olderInUse()).isTrue();
      versions.release(held);
      assertThat(versions.olderInUse()).isFalse();
    }
  }

  @Test
  void theNativeBitmapAgreesWithTheJavaSideUnderRandomRemovals() {
    Random random = new Random(20261121);
    try (Arena arena = Arena.ofShared()) {
      SlotIds ids = new SlotIds(arena);
      Versions versions = new Versions(arena, ids, null);
      BitSet dead = new BitSet();
      int slots = 0;
      for (int round = 0; round < 400; round++) {
        slots += random.nextInt(500);
        ids.reserve(slots);
        int victim = slots == 0 ? -1 : random.nextInt(slots);
        if (victim < 0 || dead.get(victim)) {
          versions.publish(slots);
        } else {
          dead.set(victim);
          versions.publish(slots, victim);
        }
      }
      Version version = versions.current();
      assertThat(version.slotCount()).isEqualTo(slots);
      assertThat(version.liveCount()).isEqualTo(slots - dead.cardinality());
      MemorySegment table = version.deadPages().reinterpret(Pages.count(slots) * 8L);
      for (int slot = 0; slot < slots; slot++) {
        assertThat(version.isLive(slot)).isEqualTo(!dead.get(slot));
        long page = table.getAtIndex(ValueLayout.JAVA_LONG, Pages.page(slot));
        boolean deadNatively =
            page != 0
                && (MemorySegment.ofAddress(page)
                                .reinterpret(Pages.DEAD_PAGE_BYTES)
                                .getAtIndex(ValueLayout.JAVA_LONG, (slot & Pages.SLOT_MASK) >>> 6)
                            >>> slot
                        & 1)
                    != 0;
        assertThat(deadNatively).isEqualTo(dead.get(slot));
      }
    }
  }

  @Test
  void pagesAreUsedAgainWhenNobodyHoldsTheirVersion() {
    try (Arena arena = Arena.ofShared()) {
      SlotIds ids = new SlotIds(arena);
      Versions versions = new Versions(arena, ids, null);
      ids.reserve(30_000);
      versions.publish(30_000);
      versions.publish(30_000, 0);
      versions.publish(30_000, 1);
      versions.publish(30_000, 2);
      long settled = versions.nativeBytes();
      for (int slot = 3; slot < 10_000; slot++) {
        versions.publish(30_000, slot);
      }
      assertThat(versions.nativeBytes()).isEqualTo(settled);
    }
  }

  @Test
  void aVersionHeldForLongKeepsItsOwnPagesOnly() {
    try (Arena arena = Arena.ofShared()) {
      SlotIds ids = new SlotIds(arena);
      Versions versions = new Versions(arena, ids, null);
      ids.reserve(30_000);
      versions.publish(30_000, 29_999);
      Version held = versions.retain();
      for (int slot = 0; slot < 5_000; slot++) {
        versions.publish(30_000, slot);
      }
      assertThat(versions.nativeBytes()).isLessThan(10 * Pages.DEAD_PAGE_BYTES);
      for (int slot = 0; slot < 29_999; slot++) {
        assertThat(held.isLive(slot)).isTrue();
      }
      assertThat(held.isLive(29_999)).isFalse();
      assertThat(versions.current().liveCount()).isEqualTo(30_000 - 5_001);
      versions.release(held);
      assertThat(versions.olderInUse()).isFalse();
    }
  }

  @Test
  void tablesOfIdsThatWerePublishedAreNeverWrittenAgain() {
    try (Arena arena = Arena.ofShared()) {
      SlotIds ids = new SlotIds(arena);
      long slots = 1;
      while (slots < 200_000) {
        ids.reserve(slots);
        MemorySegment table = ids.table();
        long[] before = table.toArray(ValueLayout.JAVA_LONG);
        ids.reserve(slots * 2);
        for (int page = 0; page < Pages.count(slots); page++) {
          assertThat(table.getAtIndex(ValueLayout.JAVA_LONG, page)).isEqualTo(before[page]);
        }
        slots *= 2;
      }
    }
  }

  @Test
  void afterCloseNothingCanBeRetained() {
    try (Arena arena = Arena.ofShared()) {
      Versions versions = new Versions(arena, new SlotIds(arena), null);
      versions.close();
      assertThat(versions.isClosed()).isTrue();
      assertThat(versions.retain()).isNull();
    }
  }
}
