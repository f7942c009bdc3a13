package io.github.panvec.bench;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.panvec.conformance.Conformance;
import io.github.panvec.conformance.Report;
import io.github.panvec.conformance.ReportFiles;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import picocli.CommandLine;

class ConformanceCommandTest {
  @TempDir private Path folder;
  private String out = "";
  private String err = "";

  private int run(String... args) {
    StringWriter outText = new StringWriter();
    StringWriter errText = new StringWriter();
    int status = Main.run(new PrintWriter(outText), new PrintWriter(errText), false, args);
    out = outText.toString();
    err = errText.toString();
    return status;
  }

  /** The toy backends are made for eval, and keep little of the contract. */
  @Test
  void aBackendThatBreaksTheContractEndsWithOneAndItsCells() throws IOException {
    String report = folder.resolve("made/here").toString();
    StringWriter outText = new StringWriter();
    StringWriter errText = new StringWriter();
    int status =
        new CommandLine(
                new ConformanceCommand(
                    new PrintWriter(outText),
                    new Progress(new PrintWriter(errText), false),
                    () ->
                        Conformance.Options.only(
                            DiscoverySelectors.selectClass("io.github.panvec.conformance.SpecTest"),
                            DiscoverySelectors.selectClass("io.github.panvec.conformance.IdTest"))))
            .execute("--backend", "toy-exact", "--seed", "5", "--out", report);
    out = outText.toString();
    assertThat(status).isEqualTo(1);
    Report read = ReportFiles.read(Path.of(report, "conformance.json"));
    assertThat(read.seed()).isEqualTo(5);
    assertThat(read.failedCells()).isNotEmpty();
    assertThat(read.backends()).extracting(Report.Engine::name).containsExactly("toy-exact");
    assertThat(out)
        .contains("distinct cells (backend, type, metric, dimension, claim) executed")
        .contains("(seed 5)")
        .contains("FAILED " + read.failedCells().get(0).name())
        .contains(Path.of(report, "conformance.md").toString());
    assertThat(out.lines().filter(line -> line.startsWith("FAILED ")).count())
        .isEqualTo(read.problems().size());
    assertThat(errText.toString()).contains("toy-exact default");
    assertThat(Path.of(report, "conformance.html")).isNotEmptyFile();
    assertThat(System.getProperty("panvec.seed", "")).isNotEqualTo("5");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--backend toy-exat|No backend \"toy-exat\". Did you mean \"toy-exact\"?",
        "--out FILE|not a folder",
        "--out FILE/below|cannot be written to",
        "--seed many|'many' is not a long",
        "--compare GOOD|requires at least 2 values",
        "--compare GOOD NOWHERE|NOWHERE: no such file",
        "--compare FILE GOOD|not a conformance report",
        "--compare . GOOD|is a folder",
        "--nightly --compare GOOD GOOD|--compare runs nothing",
        "--nonsense|Unknown option: '--nonsense'"
      })
  void wrongInputExitsWithTwoInOneLineAndRunsNothing(String options, String message)
      throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "text");
    Path good = good();
    String line =
        options
            .replace("FILE", file.toString())
            .replace("GOOD", good.toString())
            .replace("NOWHERE", folder.resolve("NOWHERE").toString());
    assertThat(run(("conformance " + line).split(" "))).isEqualTo(2);
    assertThat(err.lines().filter(each -> each.startsWith("panvec: ")))
        .singleElement()
        .asString()
        .contains(message);
    assertThat(err).doesNotContain("\tat ");
    assertThat(out).isEmpty();
  }

  /** A report of one cell. */
  private Path good() throws IOException {
    return Files.writeString(
        folder.resolve("good.json"),
        """
        {"format": 1, "began": "2026-11-21T00:00:00Z", "seconds": 1, "seed": 7,
        "machine": {"os": "Linux", "arch": "amd64", "cpu": "x", "cores": 2, "jdk": "25"},
        "backends": [{"name": "toy", "version": "1", "simd": "avx2", "problem": ""}],
        "kinds": [{"backend": "toy", "type": "flat", "metrics": ["L2"], "codesOnly": false}],
        "claims": [{"id": "ids.all", "text": "lists", "waitsFor": ""}],
        "fingerprint": {"value": "cc", "byMetric": {"L2": "aa"}, "kinds": 1, "differing": []},
        "notSupported": [], "tests": [], "testsPassed": 1,
        "cells": [{"backend": "toy", "type": "flat", "metric": "L2", "dimension": 3,
        "claim": "ids.all", "status": "passed", "tests": ["A.b"], "failure": ""}]}
        """);
  }

  @Test
  void reportsThatAreAlikeCompareToZero() throws IOException {
    String good = good().toString();
    assertThat(run("conformance", "--compare", good, good)).isZero();
    assertThat(out).contains("amd64").contains("nothing differs");
  }

  @Test
  void everyDifferenceIsPrintedAndTheStatusIsOne() throws IOException {
    String text = Files.readString(good());
    Path other =
        Files.writeString(
            folder.resolve("other.json"),
            text.replace("\"passed\"", "\"failed\"").replace("\"aa\"", "\"ab\""));
    assertThat(run("conformance", "--compare", good().toString(), other.toString())).isEqualTo(1);
    assertThat(out)
        .contains("toy flat L2 3 ids.all: passed in " + good() + ", failed in " + other)
        .contains("fingerprint L2: aa in ")
        .contains("2 differences");
    Path less =
        Files.writeString(
            folder.resolve("less.json"), text.replaceAll("(?s)\"cells\":.*", "\"cells\": []}"));
    assertThat(run("conformance", "--compare", less.toString(), good().toString())).isEqualTo(1);
    assertThat(out).contains("absent in " + less + ", passed in").contains("1 difference\n");
  }
}
