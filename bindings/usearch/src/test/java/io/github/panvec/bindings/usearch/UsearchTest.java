package io.github.panvec.bindings.usearch;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.bindings.testing.BoundFunctions;
import io.github.panvec.bindings.testing.Upstream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** usearch's own C API. */
class UsearchTest {
  private static final int FUNCTIONS = 40;

  @Test
  void everyBoundFunctionIsInTheLibrary() throws IllegalAccessException {
    BoundFunctions bound = BoundFunctions.of(Usearch.class);
    assertThat(bound.names()).hasSize(FUNCTIONS);
    assertThat(bound.missing()).isEmpty();
  }

  @Test
  void everyFunctionOfTheHeaderThatExistsIsBound() throws IOException {
    Optional<Path> upstream = Upstream.folder("usearch");
    assumeTrue(upstream.isPresent(), "usearch's header is not in the cache: the native build puts it there");
    Matcher function =
        Pattern.compile("(?m)^(?:USEARCH_EXPORT|extern) (?!typedef)[\\w *]*?\\b(\\w+)\\(")
            .matcher(Files.readString(upstream.get().resolve("c/usearch.h")));
    SortedSet<String> declared = new TreeSet<>();
    while (function.find()) {
      declared.add(function.group(1));
    }
    assertThat(declared.remove("goFilteredSearchCallback")).isTrue();
    assertThat(BoundFunctions.of(Usearch.class).names()).isEqualTo(declared);
  }

  @Test
  void theLibraryIsOfThePinnedVersion() {
    assertThat(Usearch.usearch_version().getString(0)).isEqualTo("2.26.2");
  }

  @Test
  void theOptionsHaveTheLayoutOfTheLibrary() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment error = arena.allocate(Usearch.C_POINTER);
      MemorySegment options = usearch_init_options_t.allocate(arena);
      usearch_init_options_t.metric_kind(options, Usearch.usearch_metric_cos_k());
      usearch_init_options_t.quantization(options, Usearch.usearch_scalar_f16_k());
      usearch_init_options_t.dimensions(options, 7);
      usearch_init_options_t.connectivity(options, 11);
      usearch_init_options_t.expansion_add(options, 130);
      usearch_init_options_t.expansion_search(options, 70);
      MemorySegment index = Usearch.usearch_init(options, error);
      assertThat(error.get(Usearch.C_POINTER, 0)).isEqualTo(MemorySegment.NULL);
      assertThat(Usearch.usearch_dimensions(index, error)).isEqualTo(7);
      assertThat(Usearch.usearch_connectivity(index, error)).isEqualTo(11);
      assertThat(Usearch.usearch_expansion_add(index, error)).isEqualTo(130);
      assertThat(Usearch.usearch_expansion_search(index, error)).isEqualTo(70);
      Usearch.usearch_free(index, error);
    }
  }
}
