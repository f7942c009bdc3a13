package io.github.panvec.bindings.faiss;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.github.panvec.bindings.testing.BoundFunctions;
import io.github.panvec.bindings.testing.Upstream;
import io.github.panvec.loader.NativeLibrary;
import io.github.panvec.loader.NativeLoadException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** FAISS's own C API. */
class FaissTest {
  private static final int FUNCTIONS = 350;

  /** Declared by upstream; defined nowhere, or with another signature and so under a C++ name. */
  private static final Set<String> UNDEFINED =
      Set.of(
          "faiss_IOReader_free",
          "faiss_IOWriter_free",
          "faiss_IndexIVFScalarQuantizer_new",
          "faiss_IndexIVFScalarQuantizer_new_with",
          "faiss_IndexReplicas_own_fields",
          "faiss_IndexReplicas_set_own_fields",
          "faiss_IndexShards_own_fields",
          "faiss_IndexShards_set_own_fields");

  private static final String UNDECLARED = "faiss_IndexBinaryIVF_invlists_get_ids";

  @Test
  void everyBoundFunctionIsInTheLibrary() throws IllegalAccessException {
    BoundFunctions bound = BoundFunctions.of(Faiss.class);
    assertThat(bound.names()).hasSize(FUNCTIONS);
    assertThat(bound.missing()).isEmpty();
  }

  @Test
  void everyFunctionOfTheHeadersThatExistsIsBound() throws IOException {
    Optional<Path> upstream = Upstream.folder("faiss");
    assumeTrue(upstream.isPresent(), "FAISS's headers are not in the cache: the native build puts them there");
    SortedSet<String> declared = new TreeSet<>();
    try (Stream<Path> files = Files.walk(upstream.get().resolve("c_api"))) {
      List<Path> headers =
          files
              .filter(file -> file.toString().endsWith(".h"))
              .filter(file -> !file.toString().contains("/gpu/"))
              .filter(file -> !file.endsWith("macros_impl.h") && !file.endsWith("error_impl.h"))
              .toList();
      for (Path header : headers) {
        declared.addAll(declaredFunctions(Files.readString(header)));
      }
    }
    assertThat(declared).containsAll(UNDEFINED).doesNotContain(UNDECLARED);
    declared.removeAll(UNDEFINED);
    declared.add(UNDECLARED);
    assertThat(BoundFunctions.of(Faiss.class).names()).isEqualTo(declared);
  }

  /** The functions of one header, spelled out or by one of the macros of faiss_c.h. */
  private static Set<String> declaredFunctions(String header) {
    String code =
        header
            .replaceAll("(?s)/\\*.*?\\*/", "")
            .replaceAll("//[^\\n]*", "")
            .replaceAll("(?m)^#(.*\\\\\\n)*.*", "")
            .replaceAll("(?s)\\binline [^{;]*\\{[^}]*}", "");
    Set<String> names = new TreeSet<>();
    Matcher function = Pattern.compile("\\b(faiss_\\w+)\\s*\\(").matcher(code);
    while (function.find()) {
      names.add(function.group(1));
    }
    Matcher macro = Pattern.compile("\\bFAISS_DECLARE_(\\w+)\\(([^)]*)\\)").matcher(code);
    while (macro.find()) {
      String[] arguments = macro.group(2).split("\\s*,\\s*");
      String type = "faiss_" + arguments[0].strip() + "_";
      String field = arguments[arguments.length - 1].strip();
      switch (macro.group(1)) {
        case "CLASS", "CLASS_INHERITED" -> {}
        case "GETTER" -> names.add(type + field);
        case "SETTER" -> names.add(type + "set_" + field);
        case "GETTER_SETTER" -> names.addAll(List.of(type + field, type + "set_" + field));
        case "DESTRUCTOR" -> names.add(type + "free");
        case "INDEX_DOWNCAST", "INDEX_BINARY_DOWNCAST", "SEARCH_PARAMETERS_DOWNCAST" -> names.add(type + "cast");
        default -> throw new IllegalArgumentException("an unknown macro: " + macro.group());
      }
    }
    return names;
  }

  @Test
  void whatIsNotBoundIsNotInTheLibrary() {
    assertThat(UNDEFINED)
        .allSatisfy(
            name ->
                assertThatThrownBy(() -> NativeLibrary.lookup("faiss").find(name))
                    .isInstanceOf(NativeLoadException.class)
                    .hasMessageContaining("has no function " + name));
  }

  @Test
  void theLibraryIsOfThePinnedVersion() {
    assertThat(Faiss.faiss_get_version().getString(0)).isEqualTo("1.12.0");
  }

  @Test
  void theTextOfAnErrorIsThatOfTheCallingThread() throws InterruptedException {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment pointer = arena.allocate(Faiss.C_POINTER);
      assertThat(Faiss.faiss_index_factory(pointer, 8, arena.allocateFrom("nonsense"), Faiss.METRIC_L2()))
          .isEqualTo(Faiss.FAISS_EXCEPT());
      AtomicReference<MemorySegment> elsewhere = new AtomicReference<>();
      Thread other = new Thread(() -> elsewhere.set(Faiss.faiss_get_last_error()));
      other.start();
      other.join();
      assertThat(elsewhere.get()).isEqualTo(MemorySegment.NULL);
      assertThat(Faiss.faiss_get_last_error().getString(0)).contains("could not parse index string nonsense");
    }
  }

  @Test
  void theTextOfAnErrorOfTheCppLibraryIsLost() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment index = flat(arena);
      MemorySegment row = arena.allocate(ValueLayout.JAVA_FLOAT, 8);
      assertThat(Faiss.faiss_Index_add(index, Long.MAX_VALUE / 64, row)).isEqualTo(Faiss.STD_EXCEPT());
      assertThat(Faiss.faiss_get_last_error().getString(0)).isEqualTo("std::exception");
      Faiss.faiss_Index_free(index);
    }
  }

  @Test
  void aCastToAnotherClassIsNull() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment index = flat(arena);
      assertThat(Faiss.faiss_IndexFlat_cast(index)).isEqualTo(index);
      assertThat(Faiss.faiss_IndexIVF_cast(index)).isEqualTo(MemorySegment.NULL);
      Faiss.faiss_Index_free(index);
    }
  }

  /** The struct of the C API is a view of FAISS's own: layouts must agree. */
  /** The README and ADR 12 warn of it; when it is mended upstream, they change. */
  @Test
  void theFlagForMappingIsFaissOwnForSkippingTheStorage() throws IOException {
    Optional<Path> upstream = Upstream.folder("faiss");
    assumeTrue(upstream.isPresent(), "FAISS's headers are not in the cache: the native build puts them there");
    String header = Files.readString(upstream.get().resolve("faiss/index_io.h"));
    assertThat(header).contains("IO_FLAG_SKIP_STORAGE = " + Faiss.FAISS_IO_FLAG_MMAP() + ";");
    assertThat(header).contains("IO_FLAG_MMAP_IFC = 1 << 9;").contains("| 0x646f0000;");
  }

  @Test
  void structsHaveTheLayoutOfTheLibrary() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment parameters = FaissClusteringParameters.allocate(arena);
      Faiss.faiss_ClusteringParameters_init(parameters);
      assertThat(FaissClusteringParameters.niter(parameters)).isEqualTo(25);
      assertThat(FaissClusteringParameters.max_points_per_centroid(parameters)).isEqualTo(256);
      assertThat(FaissClusteringParameters.decode_block_size(parameters)).isEqualTo(32768);
    }
  }

  private static MemorySegment flat(Arena arena) {
    MemorySegment pointer = arena.allocate(Faiss.C_POINTER);
    assertThat(Faiss.faiss_IndexFlatL2_new_with(pointer, 8)).isEqualTo(Faiss.OK());
    return pointer.get(Faiss.C_POINTER, 0);
  }
}
