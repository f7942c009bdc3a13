package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.SearchRequest;
import io.github.panvec.SnapshotManifest;
import io.github.panvec.SnapshotSource;
import io.github.panvec.VectorIndex;
import io.github.panvec.Verify;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What any version has saved opens in this one. */
class FixtureTest {
  @TempDir Path folder;

  private static Path resources() throws URISyntaxException {
    return Path.of(FixtureTest.class.getResource("/" + Fixture.FOLDER).toURI());
  }

  /** All that there are, whatever kinds this version has. */
  static List<Fixture> fixtures() throws IOException, URISyntaxException {
    List<Fixture> fixtures = new ArrayList<>();
    try (Stream<Path> saved = Files.walk(resources(), 2)) {
      for (Path folder :
          saved.filter(each -> Files.exists(each.resolve("saved"))).sorted().toList()) {
        Metric metric = Panvec.describe(folder.resolve("saved")).metric();
        fixtures.add(new Fixture(folder.getFileName().toString(), metric, folder));
      }
    }
    return fixtures;
  }

  @ParameterizedTest
  @MethodSource("fixtures")
  @Contract("snapshot.later-versions")
  void whatWasSavedOpensAndAnswersAsItDid(Fixture fixture) throws Exception {
    // Somewhere else, so that nothing is written among the resources.
    SnapshotFolder saved = fixture.snapshot().copyTo(folder.resolve("saved"));
    TreeMap<Long, float[]> rows = Fixture.rows();
    SnapshotManifest manifest = Panvec.describe(saved.path());
    assertThat(manifest.size()).isEqualTo(rows.size());
    assertThat(manifest.metric()).isEqualTo(fixture.metric());
    try (VectorIndex opened = Panvec.open(saved.path());
        VectorIndex remote = Panvec.open(SnapshotSource.of(saved.inMemory()));
        VectorIndex view = Panvec.view(saved.path());
        VectorIndex quick = Panvec.view(saved.path(), Verify.SIZES)) {
      for (VectorIndex index : List.of(opened, remote, view, quick)) {
        assertHolds(index, fixture, rows);
      }
      // It goes on from there.
      opened.upsert(5_000, rows.get(-1L));
      assertThat(opened.remove(Long.MAX_VALUE)).isTrue();
      opened.save(saved.path());
    }
    try (VectorIndex again = Panvec.open(saved.path())) {
      assertThat(again.size()).isEqualTo(rows.size());
      assertThat(again.contains(5_000)).isTrue();
      assertThat(again.contains(Long.MAX_VALUE)).isFalse();
    }
  }

  private static void assertHolds(VectorIndex index, Fixture fixture, TreeMap<Long, float[]> rows)
      throws IOException {
    assertThat(index.ids()).containsExactly(rows.keySet().stream().mapToLong(id -> id).toArray());
    if (index.capabilities().codesOnly()) {
      List<Hit> answers = Fixture.answers(index);
      List<Hit> saved = fixture.savedAnswers();
      assertThat(answers).extracting(Hit::id).isEqualTo(saved.stream().map(Hit::id).toList());
      for (int i = 0; i < saved.size(); i++) {
        // Of codes, sums of float32 in the order of the SIMD level.
        float distance = saved.get(i).distance();
        assertThat(answers.get(i).distance())
            .isCloseTo(distance, within(1e-5f * Math.max(1, Math.abs(distance))));
      }
      return;
    }
    Metric metric = fixture.metric();
    rows.forEach(
        (id, row) ->
            assertThat(index.get(id).orElseThrow()).isEqualTo(Reference.stored(metric, row)));
    for (float[] query : Fixture.queries()) {
      List<Hit> nearest = Reference.nearest(metric, rows, query, 6, id -> true);
      SearchRequest request = SearchRequest.of(query, 6);
      assertThat(index.search(request.exact()).hits()).isEqualTo(nearest);
      assertThat(index.search(request).hits()).isEqualTo(nearest);
      assertThat(index.search(request.filter(IdFilter.range(0, 200))).hits())
          .isEqualTo(Reference.nearest(metric, rows, query, 6, id -> id >= 0 && id <= 200));
    }
  }

  @Test
  @Contract("snapshot.later-versions")
  void thereIsOneOfEveryKindThatThisVersionWrites() throws Exception {
    assertThat(Fixture.written(resources().resolve(Fixture.VERSION)))
        .allSatisfy(fixture -> assertThat(fixture.snapshot().manifest()).exists());
  }

  static List<Fixture> written() throws URISyntaxException {
    return Fixture.written(resources().resolve(Fixture.VERSION));
  }

  /** If not, it is time for a new folder. */
  @ParameterizedTest
  @MethodSource("written")
  @Contract("snapshot.later-versions")
  void theSameIndexIsTheSameBytes(Fixture fixture) throws Exception {
    Fixture now = new Fixture(fixture.kind(), fixture.metric(), folder.resolve("now"));
    now.write();
    assertThat(now.snapshot().tree()).isEqualTo(fixture.snapshot().tree());
  }
}
