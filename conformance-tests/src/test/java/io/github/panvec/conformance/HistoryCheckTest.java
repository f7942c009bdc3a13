package io.github.panvec.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.conformance.History.Answer;
import io.github.panvec.conformance.History.Read;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What the check of histories finds, at once and again from their text. */
class HistoryCheckTest {
  private final History history = new History("hnswlib default", 7, 6);

  /** Each group goes to version 1 from 10 to 19, and to version 2 from 20 to 99. */
  private History written(Read... reads) {
    for (int group = 0; group < History.GROUPS; group++) {
      history.begin(group, 1, 10);
      history.done(group, 1, 19);
      history.begin(group, 2, 20);
      history.done(group, 2, 99);
    }
    history.add(List.of(reads));
    return history;
  }

  private Read read(long begin, long end, int... versions) {
    return new Read(3, "exact search", begin, end, List.of(whole(versions)));
  }

  private Answer whole(int... versions) {
    return new Answer(true, history.rows(versions));
  }

  private static Read some(long begin, long end, Map<Long, Integer> versions) {
    return new Read(3, "search", begin, end, List.of(new Answer(false, versions)));
  }

  private static void assertWrong(History wrong, String... words) {
    assertThatThrownBy(wrong::check)
        .isInstanceOf(AssertionError.class)
        .hasMessageContainingAll(words);
    History again = History.parse(wrong.text());
    assertThat(again).hasToString(wrong.toString());
    assertThatThrownBy(again::check).hasMessageContainingAll(words);
  }

  @Test
  void statesOfOneLineAreFine() {
    History fine =
        written(
            read(0, 5, 0, 0, 0),
            read(12, 15, 1, 0, 1),
            read(30, 40, 1, 2, 1),
            read(45, 50, 2, 2, 1),
            some(46, 60, Map.of(1003L, 2)),
            some(35, 38, Map.of()),
            read(120, 130, 2, 2, 2));
    assertThat(fine.check()).isEqualTo(5);
    assertThat(History.parse(fine.text()).check()).isEqualTo(5);
    assertThat(History.parse(fine.text()).text()).isEqualTo(fine.text());
  }

  @Test
  void aGroupOfTwoVersionsIsFound() {
    Map<Long, Integer> torn = history.rows(1, 1, 1);
    torn.put(1004L, 2);
    assertWrong(
        written(new Read(0, "search", 30, 40, List.of(new Answer(true, torn)))),
        "no version of group 0",
        "1004:2");
  }

  @Test
  void aRowTooFewOrTooManyIsFound() {
    Map<Long, Integer> rows = history.rows(1, 1, 1);
    rows.remove(2006L);
    assertWrong(
        written(new Read(0, "search", 30, 40, List.of(new Answer(true, rows)))),
        "no version of group 1");
  }

  @Test
  void answersOfTwoStatesInOneCallAreFound() {
    assertWrong(
        written(new Read(0, "batch", 30, 40, List.of(whole(1, 1, 1), whole(1, 2, 1)))),
        "no version of group 1",
        " / ");
  }

  @Test
  void whatIsNotThereAnyMoreIsFound() {
    assertWrong(written(read(100, 110, 2, 1, 2)), "group 1", "2 had been written");
  }

  @Test
  void whatIsNotThereYetIsFound() {
    assertWrong(written(some(12, 15, Map.of(1000L, 2))), "group 0", "1 was the newest");
  }

  @Test
  void aLaterReadThatSawLessIsFound() {
    assertWrong(
        written(some(30, 40, Map.of(1003L, 2)), some(41, 50, Map.of(1005L, 1))),
        "of group 0 a later read saw less",
        "1005:1");
  }

  @Test
  void twoStatesOfWhichNoneCameFirstAreFound() {
    assertWrong(written(read(30, 90, 2, 1, 1), read(30, 90, 1, 2, 1)), "neither of two states");
  }

  @Test
  void aStateThatDoesNotFitWhatASearchForFewSawIsFound() {
    assertWrong(
        written(read(30, 90, 2, 1, 1), some(30, 90, Map.of(1000L, 1, 2000L, 2))),
        "neither of two states");
  }

  @Test
  void idsAloneTellOfVersionsToo() {
    Answer ids = new Answer(true, Map.of(3000L, History.UNKNOWN));
    assertWrong(
        written(new Read(0, "ids", 30, 40, List.of(ids))),
        "group 0 was seen at a version of {0}",
        "3000:?");
  }

  @Test
  void whatIsNoHistoryIsRefused() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> History.parse("history 1\nsubject x\nseed 1\nversions 2\nread 1 what"))
        .withMessageContaining("line 5");
    assertThatIllegalArgumentException().isThrownBy(() -> History.parse(""));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> History.parse("history 2\nsubject x\nseed 1\nversions 2"))
        .withMessageContaining("line 4");
  }
}
