package io.github.panvec.conformance;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/**
 * What concurrent readers saw of an index that others wrote, and when: recorded, written to a file,
 * and checked against snapshot isolation, at once or again later.
 *
 * <p>Rows are in groups, each with a writer of its own that brings it from version to version, in
 * one call each. So a state of the index is a version of each group. What a read saw must be of
 * such a state (a group at one version), a fresh one (no older than what had been written when the
 * read began, no newer than what was being written when it ended), and of one line: of any two
 * states one is nowhere older than the other, and what was seen first is it not.
 */
public final class History {
  /** Groups that are written as a whole; the others are written id by id. */
  private static final int BATCHES = 2;

  static final int GROUPS = BATCHES + 1;

  /** How many ids there are in a group that is written as a whole. */
  static final int BATCH_IDS = 7;

  /** The version of a row that was seen without its vector. */
  static final int UNKNOWN = -1;

  private static final int GROUP_STEP = 1000;
  private static final long NOT_YET = Long.MAX_VALUE;

  private final String subject;
  private final long seed;
  private final int versions;

  /** By group and version, in nanoseconds since the history began. */
  private final long[][] begun;

  private final long[][] done;
  private final List<Read> reads = new ArrayList<>();

  /** By group and version: its ids, and the version that each got its row in. */
  private final List<List<Map<Long, Integer>>> states = new ArrayList<>();

  /**
   * An empty one.
   *
   * @param subject what kind of index was written
   * @param seed of the random numbers
   * @param versions how many versions each group goes through
   */
  History(String subject, long seed, int versions) {
    this.subject = subject;
    this.seed = seed;
    this.versions = versions;
    begun = new long[GROUPS][versions + 1];
    done = new long[GROUPS][versions + 1];
    for (int group = 0; group < GROUPS; group++) {
      Arrays.fill(begun[group], 1, versions + 1, NOT_YET);
      Arrays.fill(done[group], 1, versions + 1, NOT_YET);
      List<Map<Long, Integer>> ofGroup = new ArrayList<>();
      Map<Long, Integer> state = new TreeMap<>();
      for (int version = 0; version <= versions; version++) {
        if (version > 0) {
          Write write = write(group, version);
          for (long id : write.ids()) {
            if (write.removes()) {
              state.remove(id);
            } else {
              state.put(id, version);
            }
          }
        }
        ofGroup.add(new TreeMap<>(state));
      }
      states.add(ofGroup);
    }
  }

  /** What brings a group to a version. */
  record Write(long[] ids, boolean removes, boolean replaces) {}

  /**
   * Batches: all ids with new rows, but every fifth version is that all but the first are removed.
   * Others: an id is added, replaced, and the one before it removed, and then comes the next id: so
   * that which ids there are tells of the version, too.
   */
  static Write write(int group, int version) {
    long first = (long) GROUP_STEP * (group + 1);
    if (group < BATCHES) {
      boolean removes = version % 5 == 0;
      long[] ids = new long[removes ? BATCH_IDS - 1 : BATCH_IDS];
      for (int i = 0; i < ids.length; i++) {
        ids[i] = first + i + (removes ? 1 : 0);
      }
      return new Write(ids, removes, version > 1);
    }
    int turn = (version - 1) / 3;
    return switch ((version - 1) % 3) {
      case 0 -> new Write(new long[] {first + turn}, false, false);
      case 1 -> new Write(new long[] {first + turn}, false, true);
      default -> new Write(new long[] {first + turn - 1}, true, false);
    };
  }

  /** The rows of a state, a version for each group: the version that each id got its row in. */
  Map<Long, Integer> rows(int... versionOfGroup) {
    Map<Long, Integer> rows = new TreeMap<>();
    for (int group = 0; group < GROUPS; group++) {
      rows.putAll(states.get(group).get(versionOfGroup[group]));
    }
    return rows;
  }

  /** Every id that a group has at some time. */
  long[] ids() {
    return states.stream()
        .flatMap(List::stream)
        .flatMap(state -> state.keySet().stream())
        .mapToLong(Long::longValue)
        .distinct()
        .sorted()
        .toArray();
  }

  /** An answer: rows by id, with the version that each got its vector in. */
  record Answer(boolean isWhole, Map<Long, Integer> versions) {

    /**
     * @param isWhole whether there was no row but these
     */
    Answer {
      versions = Collections.unmodifiableMap(new TreeMap<>(versions));
    }

    private boolean isOf(Map<Long, Integer> state, int group) {
      int found = 0;
      for (Map.Entry<Long, Integer> row : versions.entrySet()) {
        if (row.getKey() / GROUP_STEP != group + 1) {
          continue;
        }
        Integer expected = state.get(row.getKey());
        if (expected == null || row.getValue() != UNKNOWN && !row.getValue().equals(expected)) {
          return false;
        }
        found++;
      }
      return !isWhole || found == state.size();
    }

    @Override
    public String toString() {
      StringBuilder text = new StringBuilder(isWhole ? "whole" : "some");
      versions.forEach(
          (id, version) ->
              text.append(' ').append(id).append(':').append(version == UNKNOWN ? "?" : version));
      return text.toString();
    }
  }

  /** What one call of a reader saw: answers of one state. */
  record Read(int reader, String how, long begin, long end, List<Answer> answers) {
    Read {
      answers = List.copyOf(answers);
    }

    private boolean isOf(Map<Long, Integer> state, int group) {
      return answers.stream().allMatch(answer -> answer.isOf(state, group));
    }

    @Override
    public String toString() {
      return String.format(
          Locale.ROOT,
          "%s of reader %d from %d to %d ns: %s",
          how,
          reader,
          begin,
          end,
          String.join(" / ", answers.stream().map(Answer::toString).toList()));
    }
  }

  // ---- recording: writes by the one thread that writes the group, reads when all threads ended

  void begin(int group, int version, long time) {
    begun[group][version] = time;
  }

  void done(int group, int version, long time) {
    done[group][version] = time;
  }

  void add(List<Read> more) {
    reads.addAll(more);
  }

  // ---- checking

  /** A read, and which versions of each group it may have seen. */
  private record Seen(Read read, BitSet[] possible) {
    int first(int group) {
      return possible[group].nextSetBit(0);
    }

    int last(int group) {
      return possible[group].length() - 1;
    }

    boolean isWhole() {
      return Arrays.stream(possible).allMatch(some -> some.cardinality() == 1);
    }

    int sum() {
      int sum = 0;
      for (int group = 0; group < GROUPS; group++) {
        sum += first(group);
      }
      return sum;
    }

    boolean mayBeNowhereNewerThan(Seen other) {
      for (int group = 0; group < GROUPS; group++) {
        if (first(group) > other.last(group)) {
          return false;
        }
      }
      return true;
    }

    @Override
    public String toString() {
      StringBuilder text = new StringBuilder();
      for (int group = 0; group < GROUPS; group++) {
        text.append(group == 0 ? "versions " : ", ").append(possible[group]);
      }
      return text + " seen by " + read;
    }
  }

  /**
   * Checks all that was read.
   *
   * @return how many states readers saw of which they saw all
   * @throws AssertionError when it was not of states of one line, each fresh
   */
  int check() {
    List<Seen> all = new ArrayList<>();
    // Readers are many times as fast as writers: most of what they see they see again.
    Map<List<Answer>, BitSet[]> known = new HashMap<>();
    for (Read read : reads) {
      BitSet[] possible = known.computeIfAbsent(read.answers, any -> possible(read));
      all.add(new Seen(read, fresh(read, possible)));
    }
    checkOrder(all);
    return checkLine(all);
  }

  /** The versions of each group that the read may have seen, whenever that was. */
  private BitSet[] possible(Read read) {
    BitSet[] possible = new BitSet[GROUPS];
    for (int group = 0; group < GROUPS; group++) {
      BitSet some = new BitSet();
      for (int version = 0; version <= versions; version++) {
        if (read.isOf(states.get(group).get(version), group)) {
          some.set(version);
        }
      }
      if (some.isEmpty()) {
        throw new AssertionError("no version of group " + group + " is what was seen: " + read);
      }
      possible[group] = some;
    }
    return possible;
  }

  /** Those of them that there were then. */
  private BitSet[] fresh(Read read, BitSet[] possible) {
    BitSet[] fresh = new BitSet[GROUPS];
    for (int group = 0; group < GROUPS; group++) {
      int oldest = 0;
      int newest = 0;
      for (int version = 1; version <= versions; version++) {
        oldest = done[group][version] < read.begin ? version : oldest;
        newest = begun[group][version] <= read.end ? version : newest;
      }
      fresh[group] = (BitSet) possible[group].clone();
      fresh[group].clear(0, oldest);
      fresh[group].clear(newest + 1, versions + 1);
      if (fresh[group].isEmpty()) {
        throw new AssertionError(
            String.format(
                Locale.ROOT,
                "group %d was seen at a version of %s, when %d had been written and %d was the"
                    + " newest that had been begun: %s",
                group,
                possible[group],
                oldest,
                newest,
                read));
      }
    }
    return fresh;
  }

  /** What a read saw that ended before another began is no newer. */
  private static void checkOrder(List<Seen> all) {
    List<Seen> byBegin = new ArrayList<>(all);
    byBegin.sort(Comparator.comparingLong(seen -> seen.read.begin));
    List<Seen> byEnd = new ArrayList<>(all);
    byEnd.sort(Comparator.comparingLong(seen -> seen.read.end));
    Seen[] newest = new Seen[GROUPS];
    int ended = 0;
    for (Seen seen : byBegin) {
      for (; byEnd.get(ended).read.end < seen.read.begin; ended++) {
        Seen before = byEnd.get(ended);
        for (int group = 0; group < GROUPS; group++) {
          if (newest[group] == null || before.first(group) > newest[group].first(group)) {
            newest[group] = before;
          }
        }
      }
      for (int group = 0; group < GROUPS; group++) {
        if (newest[group] == null) {
          continue;
        }
        // What was seen is not unseen: which narrows down what later reads may have seen.
        seen.possible[group].clear(0, newest[group].first(group));
        if (seen.possible[group].isEmpty()) {
          throw new AssertionError(
              "of group " + group + " a later read saw less:\n" + newest[group] + "\n" + seen.read);
        }
      }
    }
  }

  /** Of any two states one is nowhere older than the other. */
  private static int checkLine(List<Seen> all) {
    List<Seen> whole = new ArrayList<>(all.stream().filter(Seen::isWhole).toList());
    whole.sort(Comparator.comparingInt(Seen::sum));
    List<Seen> line = new ArrayList<>();
    for (Seen seen : whole) {
      Seen last = line.isEmpty() ? null : line.get(line.size() - 1);
      if (last != null && !last.mayBeNowhereNewerThan(seen)) {
        throw new AssertionError("neither of two states came first:\n" + last + "\n" + seen);
      }
      if (last == null || last.sum() < seen.sum()) {
        line.add(seen);
      }
    }
    for (Seen seen : all) {
      for (Seen state : line) {
        if (!state.mayBeNowhereNewerThan(seen) && !seen.mayBeNowhereNewerThan(state)) {
          throw new AssertionError("neither of two states came first:\n" + state + "\n" + seen);
        }
      }
    }
    return line.size();
  }

  // ---- files

  /** One line for each write and read. */
  String text() {
    StringBuilder text = new StringBuilder("history 1\n");
    text.append("subject ").append(subject).append('\n');
    text.append("seed ").append(seed).append('\n');
    text.append("versions ").append(versions).append('\n');
    for (int group = 0; group < GROUPS; group++) {
      for (int version = 1; version <= versions; version++) {
        text.append("write ").append(group).append(' ').append(version);
        text.append(' ').append(time(begun[group][version]));
        text.append(' ').append(time(done[group][version])).append('\n');
      }
    }
    for (Read read : reads) {
      text.append("read ").append(read.reader).append(' ').append(read.how.replace(' ', '_'));
      text.append(' ').append(read.begin).append(' ').append(read.end);
      read.answers.forEach(answer -> text.append(" / ").append(answer));
      text.append('\n');
    }
    return text.toString();
  }

  private static String time(long nanos) {
    return nanos == NOT_YET ? "never" : String.valueOf(nanos);
  }

  private static long time(String nanos) {
    return nanos.equals("never") ? NOT_YET : Long.parseLong(nanos);
  }

  /**
   * What {@link #text} wrote.
   *
   * @throws IllegalArgumentException when it is something else, naming the line
   */
  static History parse(String text) {
    Map<String, String> header = new HashMap<>();
    History history = null;
    int number = 0;
    for (String line : text.lines().toList()) {
      number++;
      try {
        String[] words = line.split(" ");
        switch (words[0]) {
          case "write" -> {
            int group = Integer.parseInt(words[1]);
            int version = Integer.parseInt(words[2]);
            history.begun[group][version] = time(words[3]);
            history.done[group][version] = time(words[4]);
          }
          case "read" -> history.reads.add(read(line));
          default -> {
            header.put(words[0], line.substring(words[0].length() + 1));
            if (words[0].equals("versions")) {
              if (!header.get("history").equals("1")) {
                throw new IllegalArgumentException("a history of format " + header.get("history"));
              }
              history =
                  new History(
                      header.get("subject"),
                      Long.parseLong(header.get("seed")),
                      Integer.parseInt(words[1]));
            }
          }
        }
      } catch (RuntimeException wrong) {
        throw new IllegalArgumentException("line " + number + " is of no history: " + line, wrong);
      }
    }
    if (history == null) {
      throw new IllegalArgumentException("no history");
    }
    return history;
  }

  private static Read read(String line) {
    String[] parts = line.split(" / ");
    String[] words = parts[0].split(" ");
    List<Answer> answers = new ArrayList<>();
    for (int i = 1; i < parts.length; i++) {
      String[] rows = parts[i].split(" ");
      Map<Long, Integer> versions = new TreeMap<>();
      for (int row = 1; row < rows.length; row++) {
        String[] pair = rows[row].split(":");
        versions.put(
            Long.parseLong(pair[0]), pair[1].equals("?") ? UNKNOWN : Integer.parseInt(pair[1]));
      }
      answers.add(new Answer(rows[0].equals("whole"), versions));
    }
    return new Read(
        Integer.parseInt(words[1]),
        words[2].replace('_', ' '),
        Long.parseLong(words[3]),
        Long.parseLong(words[4]),
        answers);
  }

  /**
   * Writes it into the folder of the reports, or of temporary files when there are none.
   *
   * @return the file
   */
  Path write() throws IOException {
    String given = System.getProperty(ConformanceListener.FOLDER, "target");
    Path folder = Path.of(given.isBlank() ? System.getProperty("java.io.tmpdir") : given);
    Files.createDirectories(folder);
    String name = "history-" + subject.replaceAll("[^A-Za-z0-9]+", "-") + ".txt";
    return Files.writeString(folder.resolve(name), text()).toAbsolutePath();
  }

  /** For example {@code 2750 reads of hnswlib default, -Dpanvec.seed=1}. */
  @Override
  public String toString() {
    return reads.size() + " reads of " + subject + ", -Dpanvec.seed=" + seed;
  }

  /**
   * Checks histories again that failed tests have written; exits with 1 when one is not as it
   * should be.
   *
   * @param files their names
   * @throws IOException when one cannot be read
   */
  public static void main(String[] files) throws IOException {
    boolean asTheyShouldBe = true;
    for (String file : files) {
      History history = parse(Files.readString(Path.of(file)));
      String result;
      try {
        result = history.check() + " states, of one line";
      } catch (AssertionError wrong) {
        asTheyShouldBe = false;
        result = wrong.getMessage();
      }
      System.out.println(file + ": " + history + ": " + result);
    }
    System.exit(asTheyShouldBe ? 0 : 1);
  }
}
