package io.github.panvec.conformance;

import io.github.panvec.Availability;
import io.github.panvec.Metric;
import io.github.panvec.Panvec;
import io.github.panvec.spi.VectorBackend;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * What a run of the suite has found: the matrix backend × type × metric × dimension × claim.
 *
 * @param format {@link #FORMAT}
 * @param began when, as ISO-8601 in UTC
 * @param seconds how long it took
 * @param seed replays it: {@code -Dpanvec.seed=}
 * @param machine where
 * @param backends which
 * @param kinds the kinds of index
 * @param claims all claims of the contract, in its order
 * @param fingerprint of exact answers
 * @param notSupported what kinds of index do not take or keep, and why
 * @param tests the tests that failed or were skipped
 * @param testsPassed how many tests passed
 * @param cells what was held against what, in order
 */
public record Report(
    int format,
    String began,
    double seconds,
    long seed,
    Machine machine,
    List<Engine> backends,
    List<Kind> kinds,
    List<Claim> claims,
    FingerprintSummary fingerprint,
    List<Unsupported> notSupported,
    List<TestOutcome> tests,
    int testsPassed,
    List<CellResult> cells) {

  /** The version of the JSON form; another one is not read. */
  public static final int FORMAT = 1;

  private static final Comparator<Cell> ORDER =
      Comparator.comparing(Cell::backend)
          .thenComparing(Cell::type)
          .thenComparing(Cell::metric)
          .thenComparingInt(Cell::dimension)
          .thenComparing(Cell::claim);

  public Report {
    backends = List.copyOf(backends);
    kinds = List.copyOf(kinds);
    claims = List.copyOf(claims);
    notSupported = List.copyOf(notSupported);
    tests = List.copyOf(tests);
    cells = List.copyOf(cells);
  }

  /**
   * A backend of the run.
   *
   * @param version of the engine
   * @param simd the SIMD level in use; empty when the library does not load
   * @param problem why the library does not load; empty when it does
   */
  public record Engine(String name, String version, String simd, String problem) {}

  /**
   * A kind of index, see {@link Subject}.
   *
   * @param codesOnly {@link io.github.panvec.Capabilities#codesOnly}
   */
  public record Kind(String backend, String type, List<String> metrics, boolean codesOnly) {
    public Kind {
      metrics = List.copyOf(metrics);
    }

    /** For example {@code faiss ivf_pq}. */
    public String name() {
      return backend + " " + type;
    }
  }

  /**
   * A claim of the contract.
   *
   * @param waitsFor the call that does not exist yet; empty when the claim is tested
   */
  public record Claim(String id, String text, String waitsFor) {}

  /**
   * What a kind of index does not take (a metric) or keep (a claim).
   *
   * @param metric empty: of no metric
   * @param claim empty: none, since the metric is not taken at all
   */
  public record Unsupported(
      String backend, String type, String metric, String claim, String reason) {

    /** Whether it says that this kind does not do what such a cell is about. */
    boolean isAbout(String kind, String ofMetric, String ofClaim) {
      // That a metric is refused is told of that metric.
      boolean about =
          claim.isEmpty()
              ? metric.equals(ofMetric) && !ofClaim.equals("create.metric")
              : claim.equals(ofClaim) && (metric.isEmpty() || metric.equals(ofMetric));
      return about && kind.equals(backend + " " + type);
    }
  }

  /**
   * How a test ended.
   *
   * @param kind of index; empty when it was about none
   * @param status {@link #PASSED}, {@link #FAILED} or {@link #SKIPPED}
   * @param message what it said; empty when it passed
   */
  public record TestOutcome(String test, String kind, String status, String message) {
    public static final String PASSED = "passed";
    public static final String FAILED = "failed";
    public static final String SKIPPED = "skipped";

    /** Whether it is {@link #FAILED}. */
    public boolean isFailed() {
      return status.equals(FAILED);
    }
  }

  /**
   * A cell of the matrix.
   *
   * @param status {@link TestOutcome#PASSED} or {@link TestOutcome#FAILED}
   * @param tests those that ran
   * @param failure what the first that failed said; empty when all passed
   */
  public record CellResult(
      String backend,
      String type,
      String metric,
      int dimension,
      String claim,
      String status,
      List<String> tests,
      String failure) {
    public CellResult {
      tests = List.copyOf(tests);
    }

    /** Whether one of its tests failed. */
    public boolean isFailed() {
      return status.equals(TestOutcome.FAILED);
    }

    /** As {@link Kind#name()}. */
    public String kind() {
      return backend + " " + type;
    }

    /** For example {@code faiss flat L2 100 exact.bit-for-bit}. */
    public String name() {
      return kind() + " " + metric + " " + dimension + " " + claim;
    }
  }

  /**
   * SHA-256 over exact answers to fixed questions.
   *
   * @param value one value for all metrics; empty when kinds of index differ, or none was asked
   * @param byMetric the value of each metric that all kinds agree on
   * @param kinds how many kinds of index were asked
   * @param differing a line for each metric they differ on
   */
  public record FingerprintSummary(
      String value, Map<String, String> byMetric, int kinds, List<String> differing) {
    public FingerprintSummary {
      byMetric = new TreeMap<>(byMetric);
      differing = List.copyOf(differing);
    }

    /**
     * Of the answers of each kind under each metric.
     *
     * @param found by kind and metric, as {@link CellLog#fingerprints()}
     */
    static FingerprintSummary of(Map<String, String> found) {
      Map<String, Map<String, Set<String>>> kindsByMetricAndValue = new TreeMap<>();
      Set<String> kinds = new TreeSet<>();
      found.forEach(
          (kindAndMetric, value) -> {
            int space = kindAndMetric.lastIndexOf(' ');
            kinds.add(kindAndMetric.substring(0, space));
            kindsByMetricAndValue
                .computeIfAbsent(kindAndMetric.substring(space + 1), any -> new TreeMap<>())
                .computeIfAbsent(value, any -> new TreeSet<>())
                .add(kindAndMetric.substring(0, space));
          });
      Map<String, String> agreed = new TreeMap<>();
      List<String> differing = new ArrayList<>();
      kindsByMetricAndValue.forEach(
          (metric, values) -> {
            if (values.size() == 1) {
              agreed.put(metric, values.keySet().iterator().next());
            } else {
              differing.add(
                  metric
                      + ": "
                      + values.entrySet().stream()
                          .map(each -> each.getKey() + " " + String.join(", ", each.getValue()))
                          .collect(Collectors.joining("; ")));
            }
          });
      boolean one = differing.isEmpty() && !agreed.isEmpty();
      return new FingerprintSummary(one ? combined(agreed) : "", agreed, kinds.size(), differing);
    }

    /** One value for several metrics: SHA-256 over lines of metric and value. */
    static String combined(Map<String, String> byMetric) {
      StringBuilder lines = new StringBuilder();
      new TreeMap<>(byMetric)
          .forEach((metric, value) -> lines.append(metric).append(' ').append(value).append('\n'));
      try {
        return HexFormat.of()
            .formatHex(
                MessageDigest.getInstance("SHA-256")
                    .digest(lines.toString().getBytes(StandardCharsets.UTF_8)));
      } catch (NoSuchAlgorithmException impossible) {
        throw new AssertionError(impossible);
      }
    }
  }

  /** What {@link CellLog} holds now. */
  static Report now(TestLog log) {
    Map<Cell, CellLog.Outcome> outcomes = new TreeMap<>(ORDER);
    outcomes.putAll(CellLog.outcomes());
    List<CellResult> cells = new ArrayList<>();
    outcomes.forEach(
        (cell, outcome) ->
            cells.add(
                new CellResult(
                    cell.backend(),
                    cell.type(),
                    cell.metric().name(),
                    cell.dimension(),
                    cell.claim(),
                    outcome.passed() ? TestOutcome.PASSED : TestOutcome.FAILED,
                    List.copyOf(outcome.tests()),
                    outcome.failure())));
    List<Subject> subjects = Subjects.all();
    Set<String> chosen = subjects.stream().map(Subject::backend).collect(Collectors.toSet());
    List<Kind> kinds = subjects.stream().map(Report::kind).toList();
    List<Claim> claims = contract();
    List<Unsupported> notSupported = NotSupported.load().of(subjects);
    List<TestOutcome> tests = new ArrayList<>(log.outcomes());
    if (Completeness.isWhole(tests)) {
      Set<String> perProcess = ContractDocument.perProcess().keySet();
      tests.addAll(Completeness.gaps(kinds, claims, cells, notSupported, perProcess));
    }
    return new Report(
        FORMAT,
        log.began().toString(),
        log.elapsed().toMillis() / 1000.0,
        TestVectors.seed(),
        Machine.here(),
        Panvec.backends().stream()
            .filter(backend -> chosen.contains(backend.name()))
            .map(Report::engine)
            .toList(),
        kinds,
        claims,
        FingerprintSummary.of(CellLog.fingerprints()),
        notSupported,
        tests.stream().filter(test -> !test.status().equals(TestOutcome.PASSED)).toList(),
        (int) tests.stream().filter(test -> test.status().equals(TestOutcome.PASSED)).count(),
        cells);
  }

  private static Engine engine(VectorBackend backend) {
    Availability found = backend.availability();
    return new Engine(
        backend.name(),
        backend.upstreamVersion(),
        text(found.simdLevel()),
        found.available() ? "" : text(found.reason()));
  }

  private static String text(@Nullable String said) {
    return Objects.requireNonNullElse(said, "");
  }

  private static Kind kind(Subject subject) {
    return new Kind(
        subject.backend(),
        subject.type(),
        subject.metrics().stream().map(Metric::name).toList(),
        subject.capabilities().codesOnly());
  }

  private static List<Claim> contract() {
    Map<String, String> pending = ContractDocument.pending();
    return ContractDocument.claims().entrySet().stream()
        .map(
            claim ->
                new Claim(
                    claim.getKey(), claim.getValue(), pending.getOrDefault(claim.getKey(), "")))
        .toList();
  }

  /** Cells with a test that failed. */
  public List<CellResult> failedCells() {
    return cells.stream().filter(CellResult::isFailed).toList();
  }

  /** Tests that failed, whether they had come to a cell or not. */
  public List<TestOutcome> failedTests() {
    return tests.stream().filter(TestOutcome::isFailed).toList();
  }

  /** Cells that hold although the list says that they are not supported. */
  public List<String> contradictions() {
    return cells.stream()
        .filter(
            cell ->
                notSupported.stream()
                    .anyMatch(each -> each.isAbout(cell.kind(), cell.metric(), cell.claim())))
        .map(CellResult::name)
        .toList();
  }

  /**
   * Why the run cannot count as passed, a line each; empty when it passed: a test or a cell failed,
   * a backend does not load, fingerprints differ, nothing was held to anything, the whole suite ran
   * and a kind of index was not held to a claim for no listed reason, or the list of what is not
   * supported is wrong.
   */
  public List<String> problems() {
    List<String> problems = new ArrayList<>();
    if (cells.isEmpty()) {
      problems.add("no cell was executed");
    }
    backends.stream()
        .filter(backend -> !backend.problem().isEmpty())
        .forEach(backend -> problems.add(backend.name() + ": " + backend.problem()));
    List<CellResult> failed = failedCells();
    failed.forEach(cell -> problems.add(cell.name() + ": " + cell.failure()));
    failedTests().stream()
        .filter(test -> failed.stream().noneMatch(cell -> isOf(cell, test)))
        .forEach(
            test ->
                problems.add(
                    test.test()
                        + (test.kind().isEmpty() ? "" : ", " + test.kind())
                        + ": "
                        + test.message()));
    fingerprint.differing().forEach(each -> problems.add("fingerprints differ under " + each));
    contradictions().forEach(cell -> problems.add("listed as not supported, but run: " + cell));
    return problems;
  }

  private static boolean isOf(CellResult cell, TestOutcome test) {
    return cell.kind().equals(test.kind())
        && cell.tests().stream().anyMatch(name -> (test.test() + " ").startsWith(name + " "));
  }

  /** Whether there is no problem. */
  public boolean passed() {
    return problems().isEmpty();
  }
}
