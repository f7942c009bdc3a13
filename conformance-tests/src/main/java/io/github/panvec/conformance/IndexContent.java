package io.github.panvec.conformance;

import io.github.panvec.Hit;
import io.github.panvec.IdFilter;
import io.github.panvec.SearchRequest;
import io.github.panvec.SearchResult;
import io.github.panvec.VectorIndex;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.LongStream;

/**
 * All that an index holds, and its answers to fixed questions: equal for an index and what is
 * opened from its snapshot.
 *
 * @param rows by id; empty where it has codes alone
 */
record IndexContent(List<Long> ids, Map<Long, List<Float>> rows, List<List<Hit>> answers) {
  private static final int QUESTIONS = 3;
  private static final int NEAREST = 7;

  static IndexContent of(VectorIndex index) {
    Map<Long, List<Float>> rows = new TreeMap<>();
    boolean keepsVectors = !index.capabilities().codesOnly();
    long[] ids = index.ids();
    if (keepsVectors) {
      for (long id : ids) {
        rows.put(id, boxed(index.get(id).orElseThrow()));
      }
    }
    int dimension = index.spec().dimension();
    SearchRequest request =
        SearchRequest.of(TestVectors.gaussian(new Random(5), QUESTIONS * dimension), NEAREST);
    List<List<Hit>> answers = new ArrayList<>(answers(index, request));
    answers.addAll(answers(index, request.filter(IdFilter.matching(id -> id % 3 == 0))));
    if (keepsVectors) {
      answers.addAll(answers(index, request.exact()));
    }
    return new IndexContent(LongStream.of(ids).boxed().toList(), rows, answers);
  }

  private static List<List<Hit>> answers(VectorIndex index, SearchRequest request) {
    return index.searchAll(request).stream().map(SearchResult::hits).toList();
  }

  private static List<Float> boxed(float[] row) {
    Float[] boxed = new Float[row.length];
    Arrays.setAll(boxed, i -> row[i]);
    return List.of(boxed);
  }
}
