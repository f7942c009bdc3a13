package io.github.panvec.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class ProgressTest {
  private final StringWriter text = new StringWriter();
  private final Progress progress = new Progress(new PrintWriter(text, true), true);

  @Test
  @Timeout(60)
  void whatDoesNotTellHowFarItIsHasItsSecondsShown() {
    String result =
        progress.during(
            "Saving",
            () -> {
              while (!text.toString().matches("(?s).*Saving: [0-9]+ s.*")) {
                LockSupport.parkNanos(1_000_000);
                if (Thread.interrupted()) {
                  throw new IllegalStateException("no seconds are shown: " + text);
                }
              }
              return "saved";
            });
    assertThat(result).isEqualTo("saved");
    assertThat(text.toString()).startsWith("\rSaving");
  }

  @Test
  void whatItThrowsReachesTheCaller() {
    assertThatThrownBy(
            () ->
                progress.during(
                    "Saving",
                    () -> {
                      throw new IllegalStateException("full");
                    }))
        .hasMessage("full");
  }
}
