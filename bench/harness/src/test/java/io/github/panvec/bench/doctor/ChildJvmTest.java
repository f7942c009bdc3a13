package io.github.panvec.bench.doctor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.condition.OS.LINUX;

import io.github.panvec.bench.toy.Misbehaviour;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ChildJvmTest {
  private static final Duration LONG = Duration.ofMinutes(2);

  private static ChildJvm.Outcome run(Duration limit, String... arguments) {
    return ChildJvm.run(Misbehaviour.class, List.of(), List.of(arguments), limit);
  }

  @Test
  void aChildThatEndsWellHandsOverItsOutput() {
    assertThat(run(LONG, "ok")).isEqualTo(new ChildJvm.Finished(List.of("ü=fine")));
  }

  @Test
  void aWriteThroughABadAddressIsReportedBySignalAndFrame() {
    assertThat(run(LONG, "crash"))
        .isInstanceOfSatisfying(
            ChildJvm.Crashed.class,
            crashed -> {
              assertThat(crashed.signal()).isEqualTo("SIGSEGV");
              assertThat(crashed.frame()).isNotBlank();
            });
  }

  @ParameterizedTest
  @EnabledOnOs(LINUX)
  @CsvSource({"4, SIGILL", "7, SIGBUS", "11, SIGSEGV", "6, SIGABRT", "9, SIGKILL"})
  void everySignalHasItsName(int number, String name) {
    assertThat(run(LONG, "raise", String.valueOf(number)))
        .isInstanceOfSatisfying(
            ChildJvm.Crashed.class, crashed -> assertThat(crashed.signal()).isEqualTo(name));
  }

  @Test
  @EnabledOnOs(LINUX)
  void withoutACrashReportTheExitStatusNamesTheSignal() {
    assertThat(run(LONG, "halt", "135")).isEqualTo(new ChildJvm.Crashed("SIGBUS", null, List.of()));
  }

  @Test
  void aChildThatHangsIsStopped() {
    Duration limit = Duration.ofSeconds(2);
    assertThat(run(limit, "hang")).isEqualTo(new ChildJvm.Hung(limit, List.of()));
  }

  @Test
  void aChildThatThrowsHandsOverItsWords() {
    assertThat(run(LONG, "throw"))
        .isInstanceOfSatisfying(
            ChildJvm.Failed.class,
            failed -> {
              assertThat(failed.status()).isEqualTo(1);
              assertThat(failed.errorOutput()).contains("thrown on purpose");
            });
  }
}
