package io.github.panvec.snapshot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.github.panvec.CorruptIndexException;
import io.github.panvec.ForeignFileException;
import io.github.panvec.IndexSpec;
import io.github.panvec.Metric;
import io.github.panvec.SnapshotManifest;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ManifestTest {
  private static final SnapshotManifest MANIFEST =
      new SnapshotManifest(
          1,
          "hnswlib",
          "0.8.0",
          Metric.COSINE,
          384,
          Map.of("m", 32, "storage", "f32"),
          1_000,
          24,
          Map.of("trained", true, "name", "\u00e9\"\\\n\ud83d\ude00"),
          7,
          List.of(
              new SnapshotManifest.Entry("7/graph", 1L << 40, 0xdeadbeef),
              new SnapshotManifest.Entry("7/ids", 0, 0)));

  private static final String TEXT =
      """
      {
        "format": 1,
        "vector.backend": "hnswlib",
        "vector.backend.version": "0.8.0",
        "metric": "COSINE",
        "dimension": 384,
        "parameters": {
          "m": 32,
          "storage": "f32"
        },
        "counts": {
          "size": 1000,
          "dead": 24
        },
        "details": {
          "name": "\\u00e9\\"\\\\\\u000a\\ud83d\\ude00",
          "trained": true
        },
        "generation": 7,
        "files": [
          {
            "name": "7/graph",
            "bytes": 1099511627776,
            "crc32c": "deadbeef"
          },
          {
            "name": "7/ids",
            "bytes": 0,
            "crc32c": "00000000"
          }
        ],
        "crc32c": "CHECKSUM"
      }
      """;

  private static SnapshotManifest decode(byte[] bytes) {
    return ManifestFormat.decode("m.json", bytes);
  }

  /** A manifest with something else in it, and the right checksum. */
  private static byte[] with(String part, String replacement) {
    String text = TEXT.substring(0, TEXT.indexOf(",\n  \"crc32c\": \"CHECKSUM"));
    assertThat(text).contains(part);
    return ManifestFormat.sealed(text.replace(part, replacement));
  }

  @Test
  void isWrittenInOneFormThatEndsWithTheChecksumOfAllBeforeIt() {
    byte[] bytes = ManifestFormat.encode(MANIFEST);
    String before = TEXT.substring(0, TEXT.indexOf("CHECKSUM"));
    assertThat(new String(bytes, StandardCharsets.US_ASCII))
        .isEqualTo(TEXT.replace("CHECKSUM", String.format("%08x", slowCrc32c(before))));
  }

  /** Bit by bit, from the polynomial. */
  private static int slowCrc32c(String text) {
    int crc = -1;
    for (byte next : text.getBytes(StandardCharsets.US_ASCII)) {
      crc ^= next & 0xff;
      for (int bit = 0; bit < 8; bit++) {
        crc = (crc >>> 1) ^ ((crc & 1) == 0 ? 0 : 0x82f63b78);
      }
    }
    return ~crc;
  }

  @Test
  void isReadAsItWasWritten() {
    SnapshotManifest read = decode(ManifestFormat.encode(MANIFEST));
    assertThat(read).isEqualTo(MANIFEST);
    assertThat(read.spec())
        .isEqualTo(
            IndexSpec.of("hnswlib", 384, Metric.COSINE).with("m", 32L).with("storage", "f32"));
    assertThat(read.bytes()).isEqualTo(1L << 40);
    assertThat(read.files().get(0).name()).isEqualTo("graph");
  }

  @Test
  void everyFlippedBitIsNoticed() {
    byte[] bytes = ManifestFormat.encode(MANIFEST);
    for (int bit = 0; bit < bytes.length * 8; bit++) {
      byte[] damaged = bytes.clone();
      damaged[bit / 8] ^= (byte) (1 << bit % 8);
      assertThatThrownBy(() -> decode(damaged))
          .as("bit %d", bit)
          .isInstanceOf(CorruptIndexException.class)
          .hasMessageStartingWith("m.json: ");
    }
  }

  @Test
  void everyLostAndEveryAddedByteIsNoticed() {
    byte[] bytes = ManifestFormat.encode(MANIFEST);
    for (int length = 0; length < bytes.length; length++) {
      byte[] cut = Arrays.copyOf(bytes, length);
      assertThatThrownBy(() -> decode(cut))
          .as("%d bytes", length)
          .isInstanceOf(CorruptIndexException.class);
    }
    for (int added = 0; added < 256; added++) {
      byte[] longer = Arrays.copyOf(bytes, bytes.length + 1);
      longer[bytes.length] = (byte) added;
      assertThatThrownBy(() -> decode(longer)).isInstanceOf(CorruptIndexException.class);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 2, 999_999_999})
  void anotherFormatIsForeignAndNotDamaged(int format) {
    assertThatThrownBy(() -> decode(with("\"format\": 1,", "\"format\": " + format + ",")))
        .isInstanceOf(ForeignFileException.class)
        .hasMessage("m.json: format " + format + "; this Panvec reads format 1");
  }

  @Test
  void aLaterFormatMayHoldWhatThisVersionCannotRead() {
    byte[] later = ManifestFormat.sealed("{\n  \"format\": 2,\n  \"x\": [null, 1.5e3]");
    assertThatThrownBy(() -> decode(later)).isInstanceOf(ForeignFileException.class);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '\'',
      value = {
        "\"format\": 1 | \"format\": 01 | does not begin with its format",
        "\"metric\": \"COSINE\" | \"metric\": \"COS\" | \"COS\" is no metric",
        "\"metric\": \"COSINE\" | \"metric\": 3 | \"metric\" must be a string",
        "\"metric\": \"COSINE\", | '' | \"metric\" is missing",
        "\"metric\" | \"colour\": 1, \"metric\" | \"colour\" is unknown",
        "\"metric\" | \"metric\": \"L2\", \"metric\" | \"metric\" stands there twice",
        "\"m\": 32 | \"m\": 32, \"m\": 32 | \"m\" stands there twice",
        "\"m\": 32 | \"m\": 3.5 | a whole number expected",
        "\"m\": 32 | \"m\": 032 | a whole number expected",
        "\"m\": 32 | \"m\": 1e9 | a whole number expected",
        "\"m\": 32 | \"m\": 9223372036854775808 | a whole number of 64 bits expected",
        "\"m\": 32 | \"m\": null | a value expected",
        "\"m\": 32 | \"m\": [1] | \"parameters.m\" is no single value",
        "\"m\": 32 | \"m\": tru | a value expected",
        "\"m\": 32 | m: 32 | '\"' expected",
        "\"m\": 32 | \"\\u00g0\": 32 | a hexadecimal digit expected",
        "\"m\": 32 | \"\\x\": 32 | an escape that JSON does not know",
        "384 | 0 | \"dimension\" must be from 1 to 2147483647, not 0",
        "384 | 2147483648 | \"dimension\" must be from 1",
        "1000 | -1 | \"size\" must be from 0",
        "\"generation\": 7 | \"generation\": 8 | \"7/graph\" is no file of generation 8",
        "\"generation\": 7 | \"generation\": 0 | \"generation\" must be from 1",
        "7/ids | 7/graph | \"7/graph\" is no file of generation 7",
        "7/ids | 7/../../etc/passwd | is no file of generation 7",
        "7/ids | 7/files | is no file of generation 7",
        "7/ids | /ids | is no file of generation 7",
        "00000000 | 0000000G | is no CRC-32C",
        "00000000 | 000000000 | is no CRC-32C",
        "1099511627776 | -1 | \"bytes\" must be from 0",
        "1099511627776 | true | \"bytes\" must be a whole number",
        "\"counts\": { | \"counts\": { \"x\": 1, | \"x\" is unknown",
      })
  void whatIsNoManifestIsRefusedWithAReason(String part, String replacement, String reason) {
    assertThatThrownBy(() -> decode(with(part, replacement)))
        .isInstanceOf(CorruptIndexException.class)
        .hasMessageStartingWith("m.json: ")
        .hasMessageContaining(reason);
  }

  @Test
  void textBehindTheEndIsRefused() {
    byte[] twice = ManifestFormat.sealed("{\n  \"format\": 1,\n  \"a\": 1\n}\n{ \"b\": 2");
    assertThatThrownBy(() -> decode(twice))
        .isInstanceOf(CorruptIndexException.class)
        .hasMessageContaining("text behind the end");
  }

  @Test
  void bytesThatAreNotTextAreRefused() {
    byte[] bytes = ManifestFormat.encode(MANIFEST);
    String text = new String(bytes, StandardCharsets.ISO_8859_1).replace("0.8.0", "0.8.\u00e9");
    byte[] covered = text.substring(0, text.length() - 12).getBytes(StandardCharsets.ISO_8859_1);
    String sealed =
        text.substring(0, text.length() - 12)
            + Checksum.hex(Checksum.of(covered, covered.length))
            + "\"\n}\n";
    assertThatThrownBy(() -> decode(sealed.getBytes(StandardCharsets.ISO_8859_1)))
        .isInstanceOf(CorruptIndexException.class)
        .hasMessageContaining("not UTF-8");
  }

  @Test
  void nestingWithoutEndIsRefusedAndDoesNotEndTheStack() {
    byte[] deep = ManifestFormat.sealed("{\n  \"format\": 1,\n  \"a\": " + "[".repeat(500_000));
    assertThatThrownBy(() -> decode(deep))
        .isInstanceOf(CorruptIndexException.class)
        .hasMessageContaining("nested too deeply");
  }

  @Test
  void valuesAreWholeNumbersBooleansAndStrings() {
    assertThatThrownBy(
            () ->
                new SnapshotManifest(
                    1, "x", "1", Metric.L2, 1, Map.of("m", 1.5), 0, 0, Map.of(), 1, List.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("m must be a whole number, a boolean or a string, not 1.5");
  }
}
